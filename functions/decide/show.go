package decide

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/staff"
)

// Case is an application as staff see it: what is needed to decide, and names,
// numbers and telephones masked.
type Case struct {
	ID            string       `json:"id"`
	Version       int64        `json:"version"`
	Track         string       `json:"track"`
	State         string       `json:"state"`
	StateLabel    string       `json:"state_label"`
	Township      string       `json:"township"`
	Place         string       `json:"place"`
	PlaceName     string       `json:"place_name"`
	County        string       `json:"county"`
	Cause         string       `json:"cause"`
	CauseLabel    string       `json:"cause_label"`
	Relation      string       `json:"relation"`
	AcceptedAt    string       `json:"accepted_at"`
	Deadline      Deadline     `json:"deadline"`
	NextAction    string       `json:"next_action"`
	NextLabel     string       `json:"next_action_label"`
	Actions       []string     `json:"actions"` // what the caller may do now
	People        []Masked     `json:"people"`
	Story         string       `json:"story"`
	AccountTail   string       `json:"account_tail"`
	AccountHolder string       `json:"account_holder"` // a role among people
	Findings      *Findings    `json:"findings,omitempty"`
	Proposal      *Proposal    `json:"proposal,omitempty"`
	Award         *Award       `json:"award,omitempty"`
	Holds         []HoldReason `json:"holds"`
	// Inspections is what models found, judged or not.
	Inspections []FindingOut `json:"inspections"`
	Payouts     []Payment    `json:"payouts"`
	Receipts    []ReceiptOut `json:"receipts"`
	Events      []Moment     `json:"events"`
}

// Masked is one person, masked.
type Masked struct {
	Role  string `json:"role"`
	Name  string `json:"name"`
	Kind  string `json:"paper_kind"`
	Paper string `json:"paper"`
	Phone string `json:"phone"`
}

// Findings is what the registers answered and what the rules make of it.
type Findings struct {
	At             string        `json:"at"`
	Checks         []CheckOut    `json:"checks"`
	Classes        []string      `json:"classes"`
	Persons        int           `json:"persons"`
	Months         int           `json:"months"`
	AmountFen      money.Fen     `json:"amount_fen"` // drafted
	Authority      string        `json:"authority"`
	AuthorityLabel string        `json:"authority_label"`
	Exception      []string      `json:"exception"`
	Kin            bool          `json:"kin"` // somebody here has declared kin among the people
	Rules          string        `json:"rules"`
	Trace          []policy.Step `json:"trace"`
}

// CheckOut is one register's answer.
type CheckOut struct {
	policy.Check
	Label string `json:"source_label"`
}

// Proposal is the proposal that stands. An approval restates Version and AmountFen.
type Proposal struct {
	Version   int64     `json:"version"` // zero once it was decided on
	By        string    `json:"by"`
	At        string    `json:"at"`
	AmountFen money.Fen `json:"amount_fen"`
	Persons   int       `json:"persons"`
	Months    int       `json:"months"`
	Rail      string    `json:"rail"`
	Authority string    `json:"authority"`
	Exception []string  `json:"exception"`
	Rules     string    `json:"rules"`
	// Posting is where its posting (公示) stands; none where it need not be posted.
	Posting *PostingOut `json:"posting,omitempty"`
}

// PostingOut is where the posting of a proposal stands.
type PostingOut struct {
	State      string `json:"state"` // waiting, posted, disputed, upheld or over
	StateLabel string `json:"state_label"`
	Until      string `json:"until,omitempty"` // first instant after it
	Edition    string `json:"edition,omitempty"`
	Objections int    `json:"objections"` // that wait for an answer
}

// Award is the decision.
type Award struct {
	ID        string    `json:"id"`
	AmountFen money.Fen `json:"amount_fen"`
	By        string    `json:"by"`
	At        string    `json:"at"`
}

// Payment is where the money of one award is.
type Payment struct {
	Award      string    `json:"award"`
	State      string    `json:"state"`
	StateLabel string    `json:"state_label"`
	AmountFen  money.Fen `json:"amount_fen"`
	PaidFen    money.Fen `json:"paid_fen"`
	Rail       string    `json:"rail"`
	Attempts   int       `json:"attempts"`
	PaidAt     string    `json:"paid_at,omitempty"`
}

// ReceiptOut is what the person said about the money.
type ReceiptOut struct {
	Award  string `json:"award"`
	Answer string `json:"answer"`
	At     string `json:"at"`
}

// Moment is one event as staff see it.
type Moment struct {
	At     string      `json:"at"`
	Noun   string      `json:"noun"`
	Kind   string      `json:"kind"`
	By     string      `json:"by"`
	Reason string      `json:"reason,omitempty"`
	Rules  string      `json:"rules,omitempty"`
	Facts  event.Facts `json:"facts,omitempty"`
	Note   string      `json:"note,omitempty"` // what a member of staff wrote, or the person who objects
}

// show is one application, whole. Whoever may not see it is told that there is
// none, and leaves a mark (X003).
func show(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Case, error) {
	id := call.Path("id")
	if !ident.Valid(id) {
		return Case{}, application.ErrNotFound
	}
	if _, _, err := d.acting(ctx, call.Principal.ID); err != nil {
		return Case{}, err
	}
	a, err := application.Get(ctx, d.Table, id)
	if err != nil {
		return Case{}, err
	}
	k, err := d.sit(ctx, call.Principal.ID, a, wish{action: staff.ReadApplication})
	if err != nil {
		return Case{}, d.tell(ctx, err)
	}
	return k.look(ctx)
}

func (k desk) look(ctx context.Context) (Case, error) {
	d, a := k.deps, k.app
	c := Case{ID: a.ID, Version: a.Version, Track: string(a.Track), State: string(a.State), StateLabel: a.State.Label(),
		Township: string(a.Township), Place: string(a.Place), PlaceName: d.name(a.Place, k.at), County: string(a.County),
		Cause: string(a.Cause), CauseLabel: a.Cause.Chinese(), Relation: string(a.Relation), AcceptedAt: clock(a.AcceptedAt),
		Deadline: deadline(a.Deadline, k.at), NextAction: string(next(a)), NextLabel: steps[next(a)],
		Actions: k.actions(), Holds: []HoldReason{}, Payouts: []Payment{}, Receipts: []ReceiptOut{}, Events: []Moment{}, People: []Masked{}}
	p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
	if err != nil {
		return c, err
	}
	for _, role := range p.Roles() {
		who, _ := p.Person(role)
		c.People = append(c.People, Masked{role, who.Name.Masked(), who.Paper.Kind().Chinese(), who.Paper.Masked(), who.Phone.Masked()})
	}
	c.AccountTail, c.AccountHolder = p.Account.Tail4(), p.Holder
	seen := []reading.Field{reading.Name, reading.Paper, reading.Phone, reading.Account, reading.Finding, reading.Notes}
	// The story is for those who decide on it, not for those who count.
	if len(k.who.Holds(k.at, staff.Clerk, staff.Reviewer, staff.Approver)) > 0 {
		c.Story = p.Story.Reveal()
		seen = append(seen, reading.Story)
	}
	if err := k.shows(ctx, httpapi.Shown{}, seen...); err != nil {
		return c, err
	}
	if c.Findings, err = k.findings(ctx); err != nil {
		return c, err
	}
	if q := a.Proposal; q != nil {
		c.Proposal = &Proposal{0, q.By.ID, clock(q.At), q.AmountFen, q.Persons, q.Months, q.Rail, string(q.Authority), append([]string{}, q.Exception...), q.Rules, nil}
		if a.State == application.Proposed {
			c.Proposal.Version = a.Version
		}
		if c.Proposal.Posting, err = k.posting(ctx); err != nil {
			return c, err
		}
	}
	if w := a.Award; w != nil {
		c.Award = &Award{w.ID, w.AmountFen, w.By.ID, clock(w.At)}
		m, err := payout.Get(ctx, d.Table, payout.Key(a.ID, w.ID))
		if err != nil && !errors.Is(err, payout.ErrNotFound) {
			return c, err
		}
		if err == nil {
			c.Payouts = append(c.Payouts, Payment{w.ID, string(m.State), m.State.Label(), m.Award.AmountFen, m.PaidFen, string(m.Award.Rail), len(m.Attempts), clock(m.PaidAt)})
		}
	}
	found, err := inspection.Of(ctx, d.Table, a.ID)
	if err != nil {
		return c, err
	}
	c.Inspections = d.findingsOut(found)
	for _, h := range a.Holds {
		if h.Lifted == nil {
			c.Holds = append(c.Holds, HoldReason{h.ID, h.Code, h.Owner, clock(h.Due)})
		}
	}
	for _, r := range a.Receipts {
		c.Receipts = append(c.Receipts, ReceiptOut{r.Award, r.Answer, clock(r.At)})
	}
	c.Events, err = k.history(ctx)
	return c, err
}

// posting is where the posting of the case's proposal stands; nil for none.
func (k desk) posting(ctx context.Context) (*PostingOut, error) {
	p, err := disclosure.PostingOf(ctx, k.deps.Table, k.app)
	if errors.Is(err, disclosure.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	standing, until, err := p.Stands(ctx, k.deps.Table, k.at)
	if err != nil {
		return nil, err
	}
	out := &PostingOut{State: string(standing), StateLabel: standing.Label(), Edition: p.Edition, Objections: p.Open}
	if !until.IsZero() {
		out.Until = clock(until)
	}
	return out, nil
}

// actions is what the caller may do with the case now.
func (k desk) actions() []string {
	may := []string{}
	for _, action := range []staff.Action{staff.Visit, staff.Propose, staff.Approve, staff.Refuse, staff.Explain, staff.Review, staff.Hold,
		staff.ReleaseHold, staff.RequestPayee, staff.HandOutCash, staff.RequestThaw} {
		r := staff.Request{Action: action, Staff: k.who, At: k.at, Within: k.deps.within(k.app.Township, k.at), County: k.app.County, Application: &k.app}
		if p := k.app.Proposal; p != nil && action == staff.Approve {
			r.Authority, r.Earlier = p.Authority, []string{p.By.ID, p.By.Person}
		}
		if staff.Authorize(r).Allow && (action != staff.ReleaseHold || k.app.Held()) {
			may = append(may, string(action))
		}
	}
	return may
}

// findings is what was found, with the trace worked out again from the very
// rules it was made under (D03).
func (k desk) findings(ctx context.Context) (*Findings, error) {
	f := k.app.Findings
	if f == nil {
		return nil, nil
	}
	out := &Findings{At: clock(f.At), Checks: []CheckOut{}, Classes: []string{}, Persons: f.Persons, Months: f.Months, AmountFen: f.AmountFen,
		Authority: string(f.Authority), AuthorityLabel: f.Authority.Chinese(), Exception: append([]string{}, f.Exception...),
		Kin: len(f.Kin) > 0, Rules: f.Rules, Trace: []policy.Step{}}
	for _, check := range f.Checks {
		out.Checks = append(out.Checks, CheckOut{check, policy.SourceChinese(check.Source)})
	}
	for _, class := range f.Classes {
		out.Classes = append(out.Classes, class.Chinese())
	}
	rules, ok := k.deps.Book.ByFingerprint(f.Rules)
	if !ok {
		return out, nil // rules that this program no longer ships; the events tell
	}
	c, err := k.deps.office().Open(ctx, k.app)
	if errors.Is(err, policy.ErrNoRules) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	c.Rules = rules
	out.Trace = c.Weigh(0, 0).Trace
	if p := k.app.Proposal; p != nil {
		out.Trace = c.Weigh(p.AmountFen, p.Months).Trace
	}
	return out, nil
}

// history is everything that happened, with the notes of staff and what was
// objected opened.
func (k desk) history(ctx context.Context) ([]Moment, error) {
	events, err := event.Of(ctx, k.deps.Table, application.Partition(k.app.ID))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(events, func(a, b event.Event) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		return strings.Compare(a.Noun, b.Noun)
	})
	moments := []Moment{}
	for _, e := range events {
		m := Moment{At: clock(e.At), Noun: e.Noun, Kind: e.Kind, By: string(e.Actor.Kind) + ":" + e.Actor.ID,
			Reason: e.Reason, Rules: e.Rules, Facts: e.Facts}
		if e.Actor.Kind == event.Citizen {
			m.By = string(event.Citizen) // the account is nobody's business here
		}
		if e.Actor.Kind == event.Staff || e.Kind == "appealed" {
			note, err := application.OpenNote(ctx, k.deps.Box, e)
			if err != nil {
				return nil, err
			}
			m.Note = note.Reveal()
		}
		moments = append(moments, m)
	}
	return moments, nil
}
