package decide

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// SideOut is what one side says of a payment.
type SideOut struct {
	AmountFen money.Fen `json:"amount_fen"`
	At        string    `json:"at,omitempty"`
	Payee     string    `json:"payee,omitempty"` // keyed digest: the same for the same payee, and says no more
	Number    string    `json:"number,omitempty"`
	Statement string    `json:"statement,omitempty"`
	Line      int       `json:"line,omitempty"`
}

// BreakOut is one thing that does not match, with what the four sides said.
type BreakOut struct {
	ID          string   `json:"id"`
	Version     int64    `json:"version"`
	Class       string   `json:"class"`
	ClassLabel  string   `json:"class_label"`
	State       string   `json:"state"`
	StateLabel  string   `json:"state_label"`
	Source      string   `json:"source"`
	Day         string   `json:"day"`
	Division    string   `json:"division"`
	Place       string   `json:"place"`
	Rail        string   `json:"rail,omitempty"`
	Application string   `json:"application,omitempty"`
	Award       string   `json:"award,omitempty"`
	Reference   string   `json:"reference,omitempty"`
	Rule        string   `json:"rule,omitempty"`
	Row         string   `json:"row,omitempty"`
	Since       string   `json:"since"`
	AgeHours    int64    `json:"age_hours"`
	Owner       string   `json:"owner"`
	Escalated   bool     `json:"escalated"`
	Decision    *SideOut `json:"decision,omitempty"`
	Ledger      *SideOut `json:"ledger,omitempty"`
	Statement   *SideOut `json:"statement,omitempty"`
	Treasury    *SideOut `json:"treasury,omitempty"`
	// Gone is the SHA-256 of a statement that does not show the break any more.
	Gone       string `json:"gone,omitempty"`
	ProposedBy string `json:"proposed_by,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Evidence   string `json:"evidence,omitempty"`
	ClosedBy   string `json:"closed_by,omitempty"`
	ClosedAt   string `json:"closed_at,omitempty"`
}

// BreaksOut is the open breaks of the caller's divisions, the oldest first.
type BreaksOut struct {
	Breaks []BreakOut `json:"breaks"`
}

// BreakIn says why a break is none any more.
type BreakIn struct {
	Version  int64  `json:"version" api:"required,min=1"`
	Reason   string `json:"reason" api:"required,enum=provider_corrected|our_side_completed|money_recovered|statement_error|not_ours|data_restored|other"`
	Evidence string `json:"evidence" api:"required,min=64,max=64"` // SHA-256 of the paper
	Note     string `json:"note,omitempty" api:"max=1000,lines"`
}

func sideOut(s *reconciliation.Side) *SideOut {
	if s == nil {
		return nil
	}
	out := &SideOut{AmountFen: s.AmountFen, Payee: s.Payee, Number: s.Number, Statement: s.Statement, Line: s.Line}
	if !s.At.IsZero() {
		out.At = clock(s.At)
	}
	return out
}

func (d Deps) breakOut(b reconciliation.Break, now time.Time) BreakOut {
	out := BreakOut{ID: b.ID, Version: b.Version, Class: string(b.Class), ClassLabel: b.Class.Label(), State: string(b.State), StateLabel: b.State.Label(),
		Source: b.Source, Day: b.Day.String(), Division: string(b.Division), Place: d.name(b.Division, now), Rail: string(b.Rail),
		Application: b.Application, Award: b.Award, Reference: b.Reference, Rule: b.Rule, Row: b.Row, Since: clock(b.Since),
		AgeHours: int64(b.Age(now) / time.Hour), Owner: b.Owner, Escalated: !b.Told.IsZero(), Gone: b.Gone,
		Decision: sideOut(b.Columns.Decision), Ledger: sideOut(b.Columns.Ledger), Statement: sideOut(b.Columns.Rail), Treasury: sideOut(b.Columns.Treasury)}
	if p := b.Proposed; p != nil {
		out.ProposedBy, out.Reason, out.Evidence = p.By.ID, p.Reason, p.Evidence
	}
	if c := b.Closed; c != nil {
		out.ClosedBy, out.ClosedAt, out.Reason, out.Evidence = c.By.ID, clock(c.At), c.Reason, c.Evidence
	}
	return out
}

// listBreaks is the open breaks in the caller's divisions and below, the oldest
// first; of one class, or older than some hours, when asked so.
func listBreaks(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (BreaksOut, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return BreaksOut{}, err
	}
	roots := who.Where(now, staff.ListBreaks, d.around(now))
	if code := call.Query("division"); code != "" {
		root, err := d.permitted(ctx, who, staff.ListBreaks, civil.DivisionCode(code), now)
		if err != nil {
			return BreaksOut{}, err
		}
		roots = []civil.DivisionCode{root}
	}
	class, hours := call.Query("class"), 0
	if text := call.Query("hours"); text != "" {
		if hours, err = strconv.Atoi(text); err != nil || hours < 0 || hours > 24*3660 {
			return BreaksOut{}, ErrPage
		}
	}
	if class != "" && !slices.Contains(reconciliation.Classes(), reconciliation.Class(class)) {
		return BreaksOut{}, ErrPage
	}
	open := []reconciliation.Break{}
	err = reconciliation.Look(ctx, d.Table, d.below(roots, now), func(b reconciliation.Break) {
		if (class == "" || string(b.Class) == class) && b.Age(now) >= time.Duration(hours)*time.Hour {
			open = append(open, b)
		}
	})
	if err != nil {
		return BreaksOut{}, err
	}
	slices.SortStableFunc(open, func(a, b reconciliation.Break) int { return a.Since.Compare(b.Since) })
	out := BreaksOut{Breaks: []BreakOut{}}
	for _, b := range open[:min(len(open), mostBreaks)] {
		out.Breaks = append(out.Breaks, d.breakOut(b, now))
	}
	return out, nil
}

// mostBreaks bounds one answer. The oldest come first, so none is hidden for ever.
const mostBreaks = 500

// broken is a break that who may see; out of scope looks absent.
func (d Deps) broken(ctx context.Context, who staff.Staff, action staff.Action, id string, now time.Time) (reconciliation.Break, error) {
	b, err := reconciliation.Get(ctx, d.Table, id)
	if err != nil {
		return b, err
	}
	var earlier []event.Actor
	if action != staff.ListBreaks {
		earlier = append(earlier, b.People...)
	}
	if action == staff.AgreeBreak && b.Proposed != nil {
		earlier = append(earlier, b.Proposed.By)
	}
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(b.Division, now),
		County: d.county(b.Division, now), Earlier: event.Names(earlier...)})
	if err := decision.Err(); err != nil {
		switch {
		case errors.Is(err, application.ErrNotFound):
			err = reconciliation.ErrNotFound
		case errors.Is(err, application.ErrSamePerson):
			err = reconciliation.ErrPerson
		}
		return b, d.tell(ctx, &denied{err, who, action, application.Application{Township: b.Division}, decision.Policies})
	}
	return b, nil
}

func showBreak(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (BreakOut, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return BreakOut{}, err
	}
	b, err := d.broken(ctx, who, staff.ListBreaks, call.Path("break"), now)
	if err != nil {
		return BreakOut{}, err
	}
	return d.breakOut(b, now), nil
}

// proposeBreak is the first of two people: why it is none any more, with evidence.
func proposeBreak(ctx context.Context, d Deps, call httpapi.Call[BreakIn]) (httpapi.Reply[BreakOut], error) {
	return closing(ctx, d, call.Request, staff.ProposeBreak, "proposed", call.Body.Version, call.Body.Note,
		func(b reconciliation.Break, by event.Actor, now time.Time) (reconciliation.Break, error) {
			return b.Propose(reconciliation.Hand{By: by, At: now, Reason: call.Body.Reason, Evidence: call.Body.Evidence})
		})
}

// agreeBreak is the second: the break is closed. No line of the ledger moves.
func agreeBreak(ctx context.Context, d Deps, call httpapi.Call[Restated]) (httpapi.Reply[BreakOut], error) {
	return closing(ctx, d, call.Request, staff.AgreeBreak, "closed", call.Body.Version, "",
		func(b reconciliation.Break, by event.Actor, now time.Time) (reconciliation.Break, error) {
			return b.Agree(by, now)
		})
}

// closing is one step of one person towards the end of a break. The member of
// staff and the brakes are conditions of the write.
func closing(ctx context.Context, d Deps, call httpapi.Request, action staff.Action, kind string, version int64, note string,
	to func(reconciliation.Break, event.Actor, time.Time) (reconciliation.Break, error)) (httpapi.Reply[BreakOut], error) {
	var none httpapi.Reply[BreakOut]
	now := d.Now()
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	b, err := d.broken(ctx, who, staff.ListBreaks, call.Path("break"), now)
	if err != nil {
		return none, err
	}
	e := b.Event(kind, who.Actor(), now)
	again, err := answered[BreakOut](ctx, d, e.PK, reconciliation.Noun, b.ID, call)
	if err != nil || again.Body != nil {
		return again, err
	}
	if b, err = d.broken(ctx, who, action, b.ID, now); err != nil {
		return none, err
	}
	if err := d.recent(action, call.SignedIn, now); err != nil {
		return none, err
	}
	if b.Version != version {
		return none, reconciliation.ErrMovedOn
	}
	var persons []string
	for _, p := range b.People {
		persons = append(persons, p.Person)
	}
	if b.Proposed != nil {
		persons = append(persons, b.Proposed.By.Person)
	}
	by := who.Actor(persons...)
	next, err := to(b, by, now)
	if err != nil {
		return none, err
	}
	reply, err := httpapi.Fresh(201, d.breakOut(next, now))
	if err != nil {
		return none, err
	}
	e = next.Event(kind, by, now)
	if e, err = application.SealNote(ctx, d.Box, e, redact.New(note)); err != nil {
		return none, err
	}
	hand := next.Proposed
	if next.Closed != nil {
		hand = next.Closed
	}
	e.Reason, e.Facts["evidence"], e.Trace = hand.Reason, hand.Evidence, call.Trace
	e.Request = &event.Request{Key: call.RequestKey(), Digest: d.Blind.Ref("request", call.Digest()), Status: reply.Status, Answer: reply.Body}
	if err := reconciliation.Commit(ctx, d.Table, next, e, append(who.Checks(), board.Check())...); err != nil {
		if errors.Is(err, reconciliation.ErrMovedOn) {
			if twin, again := answered[BreakOut](ctx, d, e.PK, reconciliation.Noun, b.ID, call); again == nil && twin.Body != nil {
				return twin, nil
			}
		}
		return none, err
	}
	return reply, nil
}

// StatementIn is a statement that somebody brings. SHA256 is of the file as it
// was received, so that what was sent is what was meant.
type StatementIn struct {
	Source  string      `json:"source" api:"required,max=20"`
	Day     string      `json:"day" api:"required,max=10"`
	SHA256  string      `json:"sha256" api:"required,min=64,max=64"`
	Content redact.Text `json:"content_base64" api:"required,max=4100000"`
}

// StatementOut is what there is of one source's day.
type StatementOut struct {
	Source    string         `json:"source"`
	Day       string         `json:"day"`
	State     string         `json:"state"`
	Label     string         `json:"state_label"`
	Issue     int            `json:"issue"` // above 1 it was restated
	SHA256    string         `json:"sha256,omitempty"`
	Verified  bool           `json:"verified"` // it came from the provider, signed
	By        string         `json:"by,omitempty"`
	At        string         `json:"at,omitempty"`
	Code      string         `json:"code,omitempty"` // why the last try brought nothing
	Tries     int            `json:"tries"`
	Lines     int            `json:"lines"`
	LinesFen  money.Fen      `json:"lines_fen"`
	Booked    int            `json:"booked"`
	BookedFen money.Fen      `json:"booked_fen"`
	Breaks    []ClassCounted `json:"breaks"`
}

// ClassCounted is how many breaks of a class a comparison found.
type ClassCounted struct {
	Class string `json:"class"`
	Count int    `json:"count"`
}

// StatementsOut is the latest days of every source, the newest first.
type StatementsOut struct {
	Statements []StatementOut `json:"statements"`
}

func statementOut(h reconciliation.Head) StatementOut {
	out := StatementOut{Source: h.Source, Day: h.Day.String(), State: string(h.Standing), Label: h.Standing.Label(), Issue: h.Issue, SHA256: h.Digest,
		Verified: h.Verified, By: h.By.ID, Code: h.Code, Tries: h.Tries, Breaks: []ClassCounted{}}
	if !h.At.IsZero() {
		out.At = clock(h.At)
	}
	if c := h.Counted; c != nil {
		out.Lines, out.LinesFen, out.Booked, out.BookedFen = c.Lines, c.LinesFen, c.Booked, c.BookedFen
		for _, class := range reconciliation.Classes() {
			if n := c.Breaks[class]; n > 0 {
				out.Breaks = append(out.Breaks, ClassCounted{string(class), n})
			}
		}
	}
	return out
}

// shownDays is how many days back listStatements looks.
const shownDays = 10

// listStatements is for whoever wants to know whether reconciliation sees.
func listStatements(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (StatementsOut, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return StatementsOut{}, err
	}
	if _, err := d.permitted(ctx, who, staff.ListBreaks, civil.DivisionCode(call.Query("division")), now); err != nil {
		return StatementsOut{}, err
	}
	out := StatementsOut{Statements: []StatementOut{}}
	for n := range shownDays {
		day := reconciliation.LastReady(now).AddDays(-n)
		for _, s := range d.Office.Sources {
			h, err := reconciliation.Statement(ctx, d.Table, s.Name, day)
			if err != nil {
				return out, err
			}
			if h.Version > 0 {
				out.Statements = append(out.Statements, statementOut(h))
			}
		}
	}
	return out, nil
}

// bringStatement takes a file for an account that nobody can be asked about. It
// is stored as it was received and held against our books at once; what it says is
// a reason to ask about a payment and never moves one.
func bringStatement(ctx context.Context, d Deps, call httpapi.Call[StatementIn]) (httpapi.Reply[StatementOut], error) {
	var none httpapi.Reply[StatementOut]
	now, in := d.Now(), call.Body
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	if _, err := d.permitted(ctx, who, staff.BringStatement, d.Office.Region, now); err != nil {
		return none, err
	}
	var bad fault.Fields
	day, err := civil.ParseDay(in.Day)
	if err != nil {
		bad.Add("/day", "day", "日期应为“2026-11-22”的形式。")
	}
	if _, ok := d.Office.Sources.Find(in.Source); !ok {
		bad.Add("/source", "source", "没有这个对账账户。")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(in.Content.Reveal())
	if err != nil {
		bad.Add("/content_base64", "base64", "文件内容不是base64。")
	} else if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != in.SHA256 {
		bad.Add("/sha256", "digest", "文件内容与校验值不符，请重新选择文件。")
	}
	if err := bad.Err(); err != nil {
		return none, err
	}
	key := reconciliation.StatementKey(in.Source, day)
	again, err := answered[StatementOut](ctx, d, key.PK, reconciliation.StatementNoun, in.Source+"-"+day.String(), call.Request)
	if err != nil || again.Body != nil {
		return again, err
	}
	var reply httpapi.Reply[StatementOut]
	var made error
	from := reconciliation.From{By: who.Actor(), Event: func(h reconciliation.Head, e *event.Event) {
		reply, made = httpapi.Fresh(201, statementOut(h))
		e.Trace = call.Trace
		e.Request = &event.Request{Key: call.RequestKey(), Digest: d.Blind.Ref("request", call.Digest()), Status: reply.Status, Answer: reply.Body}
	}}
	from.Also = append(append(from.Also, who.Checks()...), board.Check())
	h, fresh, err := d.Office.Receive(ctx, in.Source, day, raw, from)
	if errors.Is(err, reconciliation.ErrMovedOn) {
		if twin, again := answered[StatementOut](ctx, d, key.PK, reconciliation.StatementNoun, in.Source+"-"+day.String(), call.Request); again == nil && twin.Body != nil {
			return twin, nil
		}
	}
	if err = errors.Join(err, made); err != nil {
		return none, err
	}
	if !fresh {
		return httpapi.Fresh(201, statementOut(h)) // it is there: the same twice changes nothing
	}
	return reply, nil
}
