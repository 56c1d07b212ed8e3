package apply

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/card"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Listed is one line of a citizen's list.
type Listed struct {
	ID         string      `json:"id"`
	State      string      `json:"state"`
	StateLabel string      `json:"state_label"`
	Cause      string      `json:"cause"`
	CauseLabel string      `json:"cause_label"`
	Office     string      `json:"office"`
	AcceptedAt string      `json:"accepted_at"`
	Deadline   DeadlineOut `json:"deadline"`
	Held       bool        `json:"held"`
}

// List is one page of a citizen's applications, the latest first. After, when
// there is one, is for the next page.
type List struct {
	Applications []Listed `json:"applications"`
	After        string   `json:"after,omitempty"`
}

// pageSize is how many applications are on one page.
const pageSize = 20

// list reads the owner index, which may lag a moment behind; each application is
// then as the index has it.
func (d Deps) list(ctx context.Context, c httpapi.Call[httpapi.None]) (List, error) {
	out := List{Applications: []Listed{}}
	q := table.Query{Index: table.ByOwner, PK: application.OwnerList(c.Principal.ID), Reverse: true, Limit: pageSize * 2}
	at, last, _ := strings.Cut(c.Query("after"), "!")
	if at != "" {
		if !ident.Valid(last) || len(at) != len(work.Stamp(d.Now())) {
			return List{}, httpapi.ErrQuery
		}
		q.To = at
	}
	lastStamp := ""
	for item, err := range table.All(ctx, d.Table, q) {
		if err != nil {
			return List{}, err
		}
		a, err := application.Decode(item)
		if err != nil {
			return List{}, err
		}
		stamp := work.Stamp(a.AcceptedAt)
		if at != "" && stamp == at && a.ID >= last {
			continue // on the page before
		}
		if len(out.Applications) == pageSize {
			prev := out.Applications[pageSize-1]
			out.After = lastStamp + "!" + prev.ID
			return out, nil
		}
		lastStamp = stamp
		out.Applications = append(out.Applications, d.listed(a))
	}
	return out, nil
}

func (d Deps) listed(a application.Application) Listed {
	return Listed{a.ID, string(a.State), a.State.Label(), string(a.Cause), a.Cause.Chinese(), d.names(a.Township, calendar.Today(a.AcceptedAt)),
		clock(a.AcceptedAt), deadline(a.Deadline), a.Held()}
}

// Status is everything a citizen sees of an application of the own account.
type Status struct {
	Listed
	Relation string        `json:"relation"`
	Now      string        `json:"now"` // what is going on, in plain Chinese
	Holds    []HoldOut     `json:"holds"`
	People   []PersonOut   `json:"people"`
	Payee    *PayeeOut     `json:"payee,omitempty"`
	Missing  []Missing     `json:"missing"` // nothing here stops first-step aid
	Papers   []DocumentOut `json:"documents"`
	Amounts  *AmountOut    `json:"amount,omitempty"`
	Refusal  *RefusalOut   `json:"refusal,omitempty"`
	// Recovery is where a case about money that was wrongly paid stands, in its
	// newest step; none when there is no such case.
	Recovery *RecoveryOut  `json:"recovery,omitempty"`
	Appeals  []AppealOut   `json:"appeals"`
	Receipts []ReceiptOut  `json:"receipts"`
	Timeline []card.Moment `json:"timeline"`
	Links    Links         `json:"links"`
	Hotline  string        `json:"hotline"`
}

// HoldOut is why the money waits, and until when somebody must have looked.
type HoldOut struct {
	Code   string `json:"code"`
	Text   string `json:"text"`
	Since  string `json:"since"`
	Due    string `json:"due"`
	Lifted bool   `json:"lifted"`
}

// PersonOut is a person as their own account may see them: masked.
type PersonOut struct {
	Role      string `json:"role"`
	Name      string `json:"name"`
	Paper     string `json:"paper"`
	PaperKind string `json:"paper_kind"`
	Phone     string `json:"phone,omitempty"`
	Consented bool   `json:"consented"`
}

// PayeeOut is where the money goes, by its last four digits.
type PayeeOut struct {
	Holder  string `json:"holder"`
	Tail    string `json:"tail4"`
	Warning string `json:"warning,omitempty"`
}

// Missing is something that would help; none of it is a condition.
type Missing struct {
	Code string `json:"code"` // "consent", "payee" or of policy.Material
	Name string `json:"name"`
	Why  string `json:"why"`
	Role string `json:"role,omitempty"`
}

// DocumentOut is a document as listed.
type DocumentOut struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Label string `json:"label"`
	At    string `json:"at"`
}

// AmountOut is what was decided.
type AmountOut struct {
	Award     string    `json:"award"`
	AmountFen money.Fen `json:"amount_fen"`
	Amount    string    `json:"amount"`
}

// RefusalOut is a refusal with its reason and what one can do (Law art. 45, 76).
type RefusalOut struct {
	Code    string `json:"code"`
	Label   string `json:"label"`
	Reason  string `json:"reason"`
	Article string `json:"article"`
	Remedy  string `json:"remedy"`
	At      string `json:"at"`
}

// RecoveryOut is one step of a case about money that was wrongly paid: what is
// asked of the person, why, by which article, and how to object (Law art. 46–48, 76).
type RecoveryOut struct {
	State      string    `json:"state"`
	Label      string    `json:"label"`
	Words      string    `json:"words"` // what was found, or the reasons of the decision
	HearBy     string    `json:"hear_by,omitempty"`
	AmountFen  money.Fen `json:"amount_fen,omitempty"`
	PenaltyFen money.Fen `json:"penalty_fen,omitempty"`
	Due        string    `json:"due,omitempty"`
	Article    string    `json:"article,omitempty"`
	Remedy     string    `json:"remedy,omitempty"`
	At         string    `json:"at"`
}

// AppealOut is an objection, and the answer once there is one.
type AppealOut struct {
	ID     string           `json:"id"`
	At     string           `json:"at"`
	Due    string           `json:"due"`
	Answer *AppealAnswerOut `json:"answer,omitempty"`
}

// AppealAnswerOut is the answer to an objection, by somebody who had no part in
// the decision.
type AppealAnswerOut struct {
	Result string `json:"result"` // "upheld" or "reopened"
	Label  string `json:"label"`
	Reason string `json:"reason"`
	At     string `json:"at"`
}

// ReceiptOut is what the person said about the money.
type ReceiptOut struct {
	Award  string `json:"award"`
	Answer string `json:"answer"`
	At     string `json:"at"`
}

func (d Deps) show(ctx context.Context, c httpapi.Call[httpapi.None]) (Status, error) {
	a, err := d.own(ctx, c.Path("id"), c.Principal.ID)
	if err != nil {
		return Status{}, err
	}
	s := Status{Listed: d.listed(a), Relation: string(a.Relation), Now: now(a), Holds: []HoldOut{}, People: []PersonOut{}, Missing: []Missing{},
		Papers: []DocumentOut{}, Appeals: []AppealOut{}, Receipts: []ReceiptOut{}, Links: links(a.ID), Hotline: card.Hotline}
	for _, h := range a.Holds {
		s.Holds = append(s.Holds, HoldOut{holdCode(h.Code), holdText(h.Code), clock(h.At), clock(h.Due), h.Lifted != nil})
	}
	for _, r := range a.Receipts {
		s.Receipts = append(s.Receipts, ReceiptOut{r.Award, r.Answer, clock(r.At)})
	}
	if a.Award != nil {
		s.Amounts = &AmountOut{a.Award.ID, a.Award.AmountFen, a.Award.AmountFen.String()}
	}
	if err := d.showPeople(ctx, a, &s); err != nil {
		return Status{}, err
	}
	if err := d.showPapers(ctx, a, &s); err != nil {
		return Status{}, err
	}
	return s, d.showEvents(ctx, a, &s)
}

// showPeople fills in who is concerned, masked, and whose consent is missing.
func (d Deps) showPeople(ctx context.Context, a application.Application, s *Status) error {
	p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
	if err != nil {
		return err
	}
	consents, err := application.Consents(ctx, d.Table, a.ID)
	if err != nil {
		return err
	}
	for _, role := range p.Roles() {
		who, _ := p.Person(role)
		_, agreed := consents[a.Ref(d.Blind, p, role)]
		s.People = append(s.People, PersonOut{role, who.Name.Masked(), who.Paper.Masked(), string(who.Paper.Kind()), who.Phone.Masked(), agreed})
		if !agreed && a.Open() && slices.Contains(p.Verified(), role) {
			s.Missing = append(s.Missing, Missing{Code: "consent", Name: "核对授权", Role: role,
				Why: who.Name.Masked() + "还没有同意核对；同意后，能查到的就不用再交材料。"})
		}
	}
	if p.Account.Empty() {
		if a.Open() && a.Award == nil {
			s.Missing = append(s.Missing, Missing{Code: "payee", Name: "收款账户", Why: "没有账户也可以申请，工作人员会联系您商量怎样发放。"})
		}
		return nil
	}
	holder := p.Holder
	if holder == "" {
		holder = application.RoleSubject
	}
	s.Payee = &PayeeOut{Holder: holder, Tail: p.Account.Tail4()}
	if !p.Account.LuhnOK() {
		s.Payee.Warning = "这个账号不像银行卡号，如果是存折请忽略；否则请对照卡面再核对一遍。"
	}
	return nil
}

// showPapers fills in the documents, the objections and what else would help.
func (d Deps) showPapers(ctx context.Context, a application.Application, s *Status) error {
	docs, err := document.List(ctx, d.Table, application.Partition(a.ID))
	if err != nil {
		return err
	}
	for _, doc := range docs {
		s.Papers = append(s.Papers, DocumentOut{doc.ID, string(doc.Kind), doc.Kind.Label(), clock(doc.At)})
	}
	appeals, err := application.Appeals(ctx, d.Table, a.ID)
	if err != nil {
		return err
	}
	for _, p := range appeals {
		s.Appeals = append(s.Appeals, AppealOut{ID: p.ID, At: clock(p.At), Due: clock(p.Due)})
	}
	rules, err := d.rules(a)
	if err != nil || !a.Open() {
		return nil // rules that are gone ask for nothing
	}
	var answered []string
	if a.Findings != nil {
		for _, check := range a.Findings.Checks {
			if check.Outcome.Answered() {
				answered = append(answered, check.Source)
			}
		}
	}
	for _, m := range rules.Materials(a.Cause, answered) {
		s.Missing = append(s.Missing, Missing{Code: m.Code, Name: m.Name, Why: m.Why})
	}
	return nil
}

// showEvents fills in the timeline, the reasons of a refusal that stands, and the
// answers to objections.
func (d Deps) showEvents(ctx context.Context, a application.Application, s *Status) error {
	events, err := event.Of(ctx, d.Table, application.Partition(a.ID))
	if err != nil {
		return err
	}
	s.Timeline = card.Timeline(events, calendar.Zone)
	for _, e := range events {
		recovery := e.Noun == application.Noun && slices.Contains(recoverySteps, e.Kind)
		if e.Noun != application.Noun || e.Kind != "refused" && e.Facts.Text("result") == "" && !recovery {
			continue
		}
		words, err := application.OpenNote(ctx, d.Box, e)
		if err != nil {
			return err
		}
		if recovery {
			s.Recovery = &RecoveryOut{e.Facts.Text("state"), card.Words(e), words.Reveal(), e.Facts.Text("hear_by"), e.Facts.Fen("amount_fen"),
				e.Facts.Fen("penalty_fen"), e.Facts.Text("due"), e.Facts.Text("article"), e.Facts.Text("remedy"), clock(e.At)}
			continue
		}
		if e.Kind != "refused" {
			s.answer(e, words)
			continue
		}
		s.Refusal = &RefusalOut{e.Reason, e.Facts.Text("label"), words.Reveal(), e.Facts.Text("article"), e.Facts.Text("remedy"), clock(e.At)}
	}
	return nil
}

// recoverySteps are the steps of a case about money that was wrongly paid which
// change what the person must know or may do.
var recoverySteps = []string{"recovery_opened", "recovery_decided", "recovery_dismissed", "recovery_waived", "recovery_revoked"}

// answer fills in the answer that e gave to an objection.
func (s *Status) answer(e event.Event, words redact.Text) {
	result := application.AppealResult(e.Facts.Text("result"))
	if result == application.Reopened {
		s.Refusal = nil
	}
	for i, p := range s.Appeals {
		if p.ID == e.Facts.Text("appeal") {
			s.Appeals[i].Answer = &AppealAnswerOut{string(result), result.Label(), words.Reveal(), clock(e.At)}
		}
	}
}

func (d Deps) card(ctx context.Context, c httpapi.Call[httpapi.None]) (card.Card, error) {
	a, err := d.own(ctx, c.Path("id"), c.Principal.ID)
	if err != nil {
		return card.Card{}, err
	}
	events, err := event.Of(ctx, d.Table, application.Partition(a.ID))
	if err != nil {
		return card.Card{}, err
	}
	out := card.Make(a, events, calendar.Zone)
	for i := range out.Payments {
		if out.Payments[i].Evidence, err = d.prove(ctx, events, out.Payments[i].Award); err != nil {
			return card.Card{}, err
		}
	}
	return out, nil
}

// prove is the proof that the newest event of a payment is in the evidence log;
// none until it is.
func (d Deps) prove(ctx context.Context, events []event.Event, award string) (*card.Evidence, error) {
	e, ok := card.Told(events, award)
	if !ok || d.Evidence == nil {
		return nil, nil
	}
	p, ok, err := d.Evidence.Prove(ctx, event.Key(e.PK, e.Noun, e.ID, e.Version))
	if !ok || err != nil {
		return nil, err
	}
	code, err := p.Text()
	if err != nil {
		return nil, err
	}
	out := &card.Evidence{Index: int64(p.Index), Leaf: string(p.Leaf), Hash: tlog.RecordHash(p.Leaf).String(), Proof: []string{}, Checkpoint: string(p.Checkpoint), Code: code}
	for _, h := range p.Hashes {
		out.Proof = append(out.Proof, h.String())
	}
	return out, nil
}

// now says where a stands as one would say it at the counter.
func now(a application.Application) string {
	if a.Held() && a.Open() {
		return "有一项情况需要工作人员核实，暂缓发放。这不是拒绝；请留意电话，也可以拨打12345询问。"
	}
	switch a.State {
	case application.Accepted:
		return "申请已受理，正在向有关部门核对信息，不需要您再跑路。"
	case application.Verified:
		return "信息核对完成，工作人员正在研究救助金额。"
	case application.Proposed:
		return "一名工作人员已提出救助意见，正等待另一名负责人决定。"
	case application.Approved:
		return "已经决定先行救助，钱会打到您登记的账户；到账后请告诉我们是否收到。"
	case application.Explained:
		return "救助已经办结。收到的救助金和依据可以在明白卡里查看。"
	case application.Refused:
		return "这次没有获批。理由和您可以怎么办在下面；情况有变化的，可以随时再次申请。"
	case application.Withdrawn:
		return "申请已经按您的意思撤回。需要时可以随时再次申请。"
	}
	return ""
}

// holdTexts says each hold in words that accuse nobody. No text says which field
// of an identity did not fit (X092).
var holdTexts = map[string]string{
	application.HoldDuplicate:   "同一个人、同一件事另有一份申请在办理，工作人员正在核实，避免重复发放。",
	application.HoldNotMine:     "有人反映这份申请不是本人意愿，工作人员正在核实。",
	application.HoldReceipt:     "您反映没有收到钱，工作人员正在向银行核查。",
	application.HoldAmount:      "您反映金额不对，工作人员正在核查。",
	application.HoldGuardian:    "收款人是监护人，工作人员会先与您核实监护关系。",
	application.HoldNoIdentity:  "没有登记证件，工作人员会联系您当面确认身份。",
	policy.HoldDeathRecord:      "登记信息需要工作人员联系核实；登记有误的，核实后立即发放。",
	policy.HoldIdentityMismatch: "身份信息需要工作人员联系核实；登记有误的，核实后立即发放。",
}

// holdCode is the code of a hold as the citizen sees it. Which model placed one is
// not said: it would tell a fraud what to change, and the honest need do nothing.
func holdCode(code string) string {
	if strings.HasPrefix(code, model.CodePrefix) {
		return "INSPECTION"
	}
	return code
}

func holdText(code string) string {
	if text, ok := holdTexts[code]; ok {
		return text
	}
	return "有一项情况需要工作人员核实。"
}
