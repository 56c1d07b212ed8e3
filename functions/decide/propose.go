package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// Proposing is a proposal of first-step aid. What is left out is as drafted.
type Proposing struct {
	AmountFen money.Fen  `json:"amount_fen,omitempty" api:"min=1,max=5000000"`
	Months    int        `json:"months,omitempty" api:"min=1,max=12"`
	Rail      string     `json:"rail,omitempty" api:"enum=bank|reserve_cash|wxpay|bank_batch"`
	Exception *Exception `json:"exception,omitempty"`
}

// Exception lifts limits of the rules, for a reason, by the county's decision.
type Exception struct {
	Codes  []string `json:"codes" api:"required,min=1,max=4,enum=SAME_CAUSE_REPEAT|FREQUENCY_CAP|ANNUAL_CAP|OVER_CEILING"`
	Reason string   `json:"reason" api:"required,min=10,max=1000,lines"`
}

// ProposedOut is a proposal as made. An approval must restate ProposalVersion and AmountFen.
type ProposedOut struct {
	Noted
	ProposalVersion int64         `json:"proposal_version"`
	AmountFen       money.Fen     `json:"amount_fen"`
	CeilingFen      money.Fen     `json:"ceiling_fen"`
	TownshipFen     money.Fen     `json:"township_fen"`
	Persons         int           `json:"persons"`
	Months          int           `json:"months"`
	Rail            string        `json:"rail"`
	Authority       string        `json:"authority"`
	AuthorityLabel  string        `json:"authority_label"`
	Exception       []string      `json:"exception"`
	Rules           string        `json:"rules"`
	Trace           []policy.Step `json:"trace"`
	// PostingDays is for how long it is posted (公示) before anybody may approve, and
	// Next what that means, in words; 0 and empty where it need not be.
	PostingDays int    `json:"posting_days,omitempty"`
	Next        string `json:"next,omitempty"`
}

func (d Deps) office() firstaid.Office {
	return firstaid.Office{Table: d.Table, Box: d.Box, Blind: d.Blind, Book: d.Book, Wallets: d.Wallets, Files: d.Files.In, Models: d.Models, Tree: d.Tree}
}

// propose records what one officer thinks should be paid. The amount is weighed
// against the rules and the earlier awards as they stand now; it decides nothing.
func propose(ctx context.Context, d Deps, call httpapi.Call[Proposing]) (httpapi.Reply[ProposedOut], error) {
	return act(ctx, d, call.Request, wish{action: staff.Propose}, func(k desk) (application.Step[ProposedOut], error) {
		var none application.Step[ProposedOut]
		in := call.Body
		c, err := d.office().Open(ctx, k.app)
		if err != nil {
			return none, err
		}
		if in.AmountFen == 0 && in.Months == 0 {
			in.AmountFen, in.Months = k.app.Findings.AmountFen, k.app.Findings.Months
		}
		o := c.Weigh(in.AmountFen, in.Months)
		if in.Rail == "" {
			in.Rail = string(award.Bank)
			if k.app.Payee == "" {
				in.Rail = string(award.ReserveCash)
			}
		}
		if (in.Rail == string(award.Bank) || in.Rail == string(award.BankBatch)) && k.app.Payee == "" {
			return none, firstaid.ErrNoAccount
		}
		if in.Rail == string(award.BankBatch) && !d.office().Filed(c) {
			return none, firstaid.ErrNoFiles
		}
		if in.Rail == string(award.WxPay) && !d.office().Wallet(c) {
			return none, firstaid.ErrNoWallet
		}
		var lifted []string
		if in.Exception != nil {
			lifted = in.Exception.Codes
		}
		if err := standing(c, o, lifted); err != nil {
			return none, err
		}
		p := application.Proposal{By: k.actor(), At: k.at, AmountFen: o.AmountFen, Persons: o.Persons, Months: o.Months,
			Rail: in.Rail, Authority: authority(o, lifted), Payee: k.app.Payee, Exception: lifted, Rules: o.Rules}
		rule, posted := c.Rules.Posting(o)
		if posted {
			p.Posting = disclosure.PostingID(k.app.ID, k.app.Version+1)
		}
		next, err := k.app.Propose(p)
		if err != nil {
			return none, err
		}
		var also []table.Write
		if posted {
			asked := disclosure.Ask(next, rule)
			if also, err = asked.Writes(asked.Event("asked", k.actor(), k.at)); err != nil {
				return none, err
			}
		}
		e := k.event(next, "proposed", event.Facts{"amount_fen": p.AmountFen, "persons": p.Persons, "months": p.Months, "rail": p.Rail,
			"authority": string(p.Authority), "exception": strings.Join(lifted, " "), "drafted_fen": k.app.Findings.AmountFen,
			"township_fen": o.TownshipFen, "article": firstaid.Article})
		if posted {
			e.Facts["posting_days"] = rule.Days
		}
		e.Rules = p.Rules
		if in.Exception != nil {
			e.Reason = lifted[0]
			if err := k.note(ctx, &e, in.Exception.Reason); err != nil {
				return none, err
			}
		}
		out := ProposedOut{noted(next), next.Version, p.AmountFen, o.CeilingFen, o.TownshipFen, p.Persons, p.Months, p.Rail,
			string(p.Authority), p.Authority.Chinese(), append([]string{}, lifted...), p.Rules, o.Trace, rule.Days, ""}
		if posted {
			out.Next = fmt.Sprintf("超过小额救助金额，须先公示%d%s，期满且没有待答复的异议后才能批准。急需用钱的，请先提出%s以内的先行救助意见，不用公示。",
				rule.Days, map[bool]string{true: "个工作日", false: "天"}[rule.Working], o.TownshipFen)
		}
		return application.Step[ProposedOut]{Next: next, Event: e, Also: also, Out: out}, nil
	})
}

// standing is what the rules put in the way of a proposal that lifts those
// limits; nil for nothing.
func standing(c firstaid.Case, o policy.Outcome, lifted []string) error {
	var f []fault.Field
	for _, h := range c.Insuperable(o) {
		f = append(f, fault.Field{Pointer: "/amount_fen", Code: strings.ToLower(h.Code), Detail: h.Text})
	}
	if len(f) > 0 {
		return ErrRules.With(f...)
	}
	for _, code := range unlifted(o, lifted) {
		f = append(f, fault.Field{Pointer: "/exception/codes", Code: code, Detail: limits[code]})
	}
	if len(f) > 0 {
		return ErrException.With(f...)
	}
	return nil
}

// limits says each limit in words.
var limits = map[string]string{
	policy.SameCauseRepeat: "同一事由本年度已有救助。",
	policy.FrequencyCap:    "本年度救助次数已达上限。",
	policy.AnnualCap:       "本年度救助金额已达上限。",
	policy.OverCeiling:     "超过先行救助的最高金额，须经一事一议。",
}

// unlifted lists the limits that o names and nobody has lifted.
func unlifted(o policy.Outcome, lifted []string) []string {
	return slices.DeleteFunc(slices.Clone(o.NeedsException), func(code string) bool { return slices.Contains(lifted, code) })
}

// authority is who must decide: whoever the rules name, and for an exception
// never the township by itself.
func authority(o policy.Outcome, lifted []string) policy.Authority {
	if o.Authority == policy.Township && len(lifted) > 0 {
		return policy.County
	}
	return o.Authority
}
