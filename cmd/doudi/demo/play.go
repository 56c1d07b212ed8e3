package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// card is what the citizen's 明白卡 says.
type card struct {
	Application string `json:"application"`
	StateLabel  string `json:"state_label"`
	AcceptedAt  string `json:"accepted_at"`
	Payments    []struct {
		Item       string `json:"item"`
		AwardedFen int64  `json:"awarded_fen"`
		Awarded    string `json:"awarded"`
		Paid       string `json:"paid"`
		State      string `json:"state"`
		StateLabel string `json:"state_label"`
		Proposed   string `json:"proposed_by"`
		Approved   string `json:"approved_by"`
		Article    string `json:"article"`
		DecidedAt  string `json:"decided_at"`
		PaidAt     string `json:"paid_at"`
		Rail       string `json:"rail"`
		Award      string `json:"award"`
		Receipt    string `json:"receipt"`
		Evidence   *struct {
			Index int64  `json:"index"`
			Code  string `json:"code"`
		} `json:"evidence"`
	} `json:"payments"`
	Explanation string `json:"explanation"`
	Objection   string `json:"objection"`
	Hotline     string `json:"hotline"`
	Timeline    []struct {
		At   string `json:"at"`
		What string `json:"what"`
	} `json:"timeline"`
}

// apply files the application, without a single document.
func (p *player) apply(ctx context.Context, citizen *client, who person) (string, error) {
	var programs struct {
		Authorisation struct {
			SHA256 string `json:"sha256"`
		} `json:"authorisation"`
	}
	if err := citizen.do(ctx, http.MethodGet, "/v1/programs?place="+who.Township, "", nil, &programs); err != nil {
		return "", err
	}
	body := map[string]any{
		"track": "emergency", "place": who.Village, "cause": "fire", "relation": "self",
		"subject": map[string]any{"name": who.Name, "paper": map[string]string{"kind": "id_card", "number": who.IDNumber}, "phone": who.Phone},
		"address": who.Place + "1号", "story": "昨夜家中失火，被褥和存粮都烧了，身上没有现金。",
		"payee":    map[string]string{"account": who.Account},
		"consents": []map[string]any{{"person": "subject", "document_sha256": programs.Authorisation.SHA256, "agreed": true}},
	}
	var a struct {
		ID string `json:"id"`
	}
	if err := citizen.do(ctx, http.MethodPost, "/v1/applications", p.key("apply"), body, &a); err != nil {
		return "", fmt.Errorf("提交申请：%w", err)
	}
	p.step("居民", "家中失火，提交急难申请（没有上传任何材料），已受理：%s", a.ID)
	return a.ID, nil
}

// view is what the citizen sees of the application.
type view struct {
	State      string `json:"state"`
	StateLabel string `json:"state_label"`
}

func (p *player) awaitFindings(ctx context.Context, citizen *client, id string) error {
	var v view
	err := p.every(ctx, "核对完", func() (bool, error) {
		err := citizen.do(ctx, http.MethodGet, "/v1/applications/"+id, "", nil, &v)
		return v.State != "accepted", err
	})
	if err == nil {
		p.step("系统", "户籍、死亡、婚姻、低收入、社保等部门信息核对完成，起草了救助意见")
	}
	return err
}

// decide has one officer propose and another approve.
func (p *player) decide(ctx context.Context, id string) error {
	path := "/v1/staff/applications/" + id
	clerk, err := p.signIn(ctx, "/v1/staff/sessions", "staff:"+p.Region+"-clerk-1")
	if err != nil {
		return err
	}
	var seen struct {
		Findings struct {
			AmountFen int64 `json:"amount_fen"`
		} `json:"findings"`
	}
	if err := clerk.do(ctx, http.MethodGet, path, "", nil, &seen); err != nil {
		return err
	}
	var proposed proposal
	if err := clerk.do(ctx, http.MethodPost, path+"/proposals", p.key("propose"), p.proposing(), &proposed); err != nil {
		return fmt.Errorf("提出意见：%w", err)
	}
	p.step("经办", "clerk-1 看过核对结果（规则起草 %s），提出先行救助意见 %s", yuan(seen.Findings.AmountFen), yuan(proposed.AmountFen))
	approver, err := p.signIn(ctx, "/v1/staff/sessions", "staff:"+p.Region+"-approver-1")
	if err != nil {
		return err
	}
	if err := p.approve(ctx, approver, path, proposed); err != nil {
		return fmt.Errorf("批准：%w", err)
	}
	p.step("审批", "approver-1（另一个人）批准 %s，资金同时预留", yuan(proposed.AmountFen))
	return nil
}

// approve restates the proposal. Something may have been added to the case since
// it was made, a late answer of a register for one: then the officer looks again
// and restates what stands now, if it is the same amount.
func (p *player) approve(ctx context.Context, approver *client, path string, proposed proposal) error {
	amount := proposed.AmountFen
	for try := 1; ; try++ {
		err := approver.do(ctx, http.MethodPost, path+"/approvals", p.key(fmt.Sprintf("approve-%d", try)), proposed, nil)
		if refusal, ok := errors.AsType[problem](err); !ok || refusal.Code != "proposal-moved" || try == 5 {
			return err
		}
		p.step("审批", "案情有补充，重新查看后再批准")
		var now struct {
			Proposal struct {
				Version   int64 `json:"version"`
				AmountFen int64 `json:"amount_fen"`
			} `json:"proposal"`
		}
		if err := approver.do(ctx, http.MethodGet, path, "", nil, &now); err != nil {
			return err
		}
		if now.Proposal.AmountFen != amount {
			return fmt.Errorf("意见的金额变成了 %s", yuan(now.Proposal.AmountFen))
		}
		proposed.ProposalVersion = now.Proposal.Version
	}
}

// proposal is what one officer proposes and another must restate to approve.
type proposal struct {
	ProposalVersion int64 `json:"proposal_version"`
	AmountFen       int64 `json:"amount_fen"`
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d 元", fen/100, fen%100) }

func (p *player) card(ctx context.Context, citizen *client, id string) (card, error) {
	var c card
	err := citizen.do(ctx, http.MethodGet, "/v1/applications/"+id+"/card", "", nil, &c)
	return c, err
}

// proposing is what the clerk leaves to the rules, and what not.
func (p *player) proposing() map[string]any {
	if p.Wallet {
		return map[string]any{"rail": "wxpay"}
	}
	return map[string]any{}
}

// collect is the person tapping 确认收款 on the page that WeChat shows.
func (p *player) collect(ctx context.Context, who person, citizen *client, id string) error {
	var c struct {
		AmountFen int64  `json:"amount_fen"`
		Package   string `json:"package"`
	}
	err := p.every(ctx, "可以确认收款", func() (bool, error) {
		err := citizen.do(ctx, http.MethodGet, "/v1/applications/"+id+"/collection", "", nil, &c)
		if said, ok := errors.AsType[problem](err); ok && said.Code == "payout-state" {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	tap := map[string]string{"name": who.Code, "package": c.Package}
	if err := p.client(p.world).do(ctx, http.MethodPost, "/world/wxpay/accept", "", tap, nil); err != nil {
		return fmt.Errorf("确认收款：%w", err)
	}
	p.step("居民", "在微信里点了“确认收款”，%s", yuan(c.AmountFen))
	return nil
}

func (p *player) awaitMoney(ctx context.Context, citizen *client, id string) (card, error) {
	var c card
	last := ""
	err := p.every(ctx, "到账", func() (bool, error) {
		var err error
		if c, err = p.card(ctx, citizen, id); err != nil || len(c.Payments) == 0 {
			return false, err
		}
		if label := c.Payments[0].StateLabel; label != last {
			last = label
			p.step("银行", "%s", label)
		}
		return c.Payments[0].State == "paid", nil
	})
	return c, err
}

func (p *player) confirm(ctx context.Context, citizen *client, id string, c card) error {
	body := map[string]any{"award": c.Payments[0].Award, "answer": "received"}
	if err := citizen.do(ctx, http.MethodPost, "/v1/applications/"+id+"/receipts", p.key("receipt"), body, nil); err != nil {
		return fmt.Errorf("确认收款：%w", err)
	}
	p.step("居民", "点了“收到”")
	return nil
}

func (p *player) explain(ctx context.Context, id string) error {
	clerk, err := p.signIn(ctx, "/v1/staff/sessions", "staff:"+p.Region+"-clerk-2")
	if err != nil {
		return err
	}
	body := map[string]any{"text": "已入户核实，火灾属实，家庭情况与核对结果一致。", "findings": "ok"}
	if err := clerk.do(ctx, http.MethodPost, "/v1/staff/applications/"+id+"/explanations", p.key("explain"), body, nil); err != nil {
		return fmt.Errorf("补充说明：%w", err)
	}
	p.step("经办", "clerk-2 按第五十条补充说明情况")
	return nil
}

// show prints the card as the person would hold it.
func (p *player) show(c card) {
	line := strings.Repeat("─", 58)
	fmt.Fprintf(p.Out, "\n%s\n  明 白 卡    %s\n%s\n", line, c.StateLabel, line)
	for _, m := range c.Payments {
		row := func(k, v string) {
			if v != "" {
				fmt.Fprintf(p.Out, "  %s  %s\n", pad(k), v)
			}
		}
		row("项目", m.Item)
		row("决定", m.Awarded+"    "+m.DecidedAt)
		row("实发", m.Paid+"    "+m.PaidAt)
		row("方式", m.Rail)
		row("提出", m.Proposed)
		row("批准", m.Approved)
		row("依据", m.Article)
		if m.Evidence != nil {
			row("凭证", fmt.Sprintf("监督日志第 %d 条，扫描卡上的二维码或用 doudi verify-card 核对", m.Evidence.Index))
		}
	}
	fmt.Fprintf(p.Out, "  %s  %s\n", pad("说明"), c.Explanation)
	fmt.Fprintf(p.Out, "  %s  %s 热线 %s\n%s\n", pad("异议"), c.Objection, c.Hotline, line)
	for _, m := range c.Timeline {
		fmt.Fprintf(p.Out, "  %s  %s\n", m.At, m.What)
	}
	fmt.Fprintln(p.Out, line)
}
