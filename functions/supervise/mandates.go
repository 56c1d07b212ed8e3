package supervise

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/mandate"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// RowIn is one row of a list of measures. Number is the list's own.
type RowIn struct {
	Number string      `json:"number" api:"required,max=64"`
	Kind   string      `json:"kind" api:"required,enum=measure|rectification|clue|accountability"`
	Title  string      `json:"title" api:"required,min=2,max=200"`
	Unit   string      `json:"unit" api:"required,max=12"`
	Due    string      `json:"due" api:"required,max=10"` // the last day
	About  string      `json:"about" api:"max=64"`
	Source string      `json:"source" api:"max=64"`
	Text   redact.Text `json:"text" api:"max=4000,lines"`
}

// TellIn is a list of a supervision body. With SkipBad the good rows are taken and
// the bad ones named in the answer; without it one bad row refuses the list.
type TellIn struct {
	Body    string  `json:"body" api:"required,max=12"`
	List    string  `json:"list" api:"required,max=100"`
	SkipBad bool    `json:"skip_bad"`
	Rows    []RowIn `json:"rows" api:"required,min=1,max=200"`
}

// Told says what became of a list.
type Told struct {
	New   int      `json:"new"`
	Known int      `json:"known"` // there already, whatever has become of them
	Bad   []BadRow `json:"bad"`
	IDs   []string `json:"ids"` // of the good rows, in order
}

// BadRow is a row that was not taken, counted from 0.
type BadRow struct {
	Row    int          `json:"row"`
	Fields fault.Fields `json:"fields"`
}

// longest is how far ahead a day may lie: a campaign lasts no longer.
const longest = 3 * 366

func (d Deps) row(ctx context.Context, in TellIn, i int, body civil.DivisionCode, by event.Actor, now time.Time) (mandate.Mandate, fault.Fields, error) {
	var f fault.Fields
	row, at, today := in.Rows[i], fmt.Sprintf("/rows/%d", i), calendar.Today(now)
	unit, err := civil.ParseDivision(row.Unit)
	if _, known := d.Tree.Find(unit, today); err != nil || !known || !d.Tree.Within(unit, body, today) {
		f.Add(at+"/unit", "unit", "责任单位应当在本监督机构的辖区之内。")
	}
	due, err := civil.ParseDay(row.Due)
	if err != nil || due.Before(today) || today.AddDays(longest).Before(due) {
		f.Add(at+"/due", "out-of-range", "完成日期应为今天以后、三年之内，写成 2026-12-31。")
	}
	kind := mandate.Kind(row.Kind)
	if (row.About != "") != (kind == mandate.Accountability) {
		f.Add(at+"/about", "about", "责任追究须写明是哪名工作人员，其他事项不写。")
	} else if row.About != "" {
		if _, err := staff.Get(ctx, d.Table, row.About); errors.Is(err, staff.ErrNotFound) {
			f.Add(at+"/about", "officer", "没有这名工作人员。")
		} else if err != nil {
			return mandate.Mandate{}, nil, err
		}
	}
	m := mandate.New(mandate.ID(body, in.List, row.Number), kind, row.Title, row.Number, body, unit, due.AddDays(1).Start(calendar.Zone).Add(-time.Second), by, now)
	m.About, m.Source = row.About, row.Source
	return m, f, nil
}

// tell takes a list. Each row is a transaction of its own, under an id that the
// list's number makes: a list that broke off half way is brought again.
func tell(ctx context.Context, d Deps, call httpapi.Call[TellIn]) (Told, error) {
	now, in := d.Now(), call.Body
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Told{}, err
	}
	body, err := civil.ParseDivision(in.Body)
	if err != nil {
		return Told{}, mandate.ErrNotFound
	}
	if err := d.may(who, staff.TellMandate, body); err != nil {
		return Told{}, err
	}
	out := Told{Bad: []BadRow{}, IDs: []string{}}
	var good []mandate.Mandate
	var words []redact.Text
	var all fault.Fields
	seen := map[string]bool{}
	for i := range in.Rows {
		m, f, err := d.row(ctx, in, i, body, who.Actor(), now)
		if err != nil {
			return Told{}, err
		}
		if seen[m.ID] {
			f.Add(fmt.Sprintf("/rows/%d/number", i), "duplicate", "同一份清单里这个编号出现了两次。")
		}
		seen[m.ID] = true
		if len(f) > 0 {
			all = append(all, f...)
			out.Bad = append(out.Bad, BadRow{i, f})
			continue
		}
		good, words = append(good, m), append(words, in.Rows[i].Text)
	}
	if !in.SkipBad {
		if err := all.Err(); err != nil {
			return Told{}, err
		}
	}
	for i, m := range good {
		out.IDs = append(out.IDs, m.ID)
		switch _, err := mandate.Get(ctx, d.Table, m.ID); {
		case err == nil:
			out.Known++
			continue
		case !errors.Is(err, mandate.ErrNotFound):
			return Told{}, err
		}
		e := m.Event("told", who.Actor(), now)
		e.Trace = call.Trace
		if e, err = application.SealNote(ctx, d.Box, e, words[i]); err != nil {
			return Told{}, err
		}
		switch err := mandate.Commit(ctx, d.Table, m, e, who.Checks()...); {
		case errors.Is(err, mandate.ErrMovedOn):
			if _, twin := mandate.Get(ctx, d.Table, m.ID); twin != nil {
				return Told{}, err // it was not a twin: whoever tells has changed
			}
			out.Known++
		case err != nil:
			return Told{}, err
		default:
			out.New++
		}
	}
	return out, nil
}

// MandateOut is a mandate as lists and answers show it.
type MandateOut struct {
	ID         string   `json:"id"`
	Version    int64    `json:"version"`
	Kind       string   `json:"kind"`
	KindLabel  string   `json:"kind_label"`
	State      string   `json:"state"`
	StateLabel string   `json:"state_label"`
	Number     string   `json:"number"`
	Title      string   `json:"title"`
	Unit       string   `json:"unit"`
	UnitName   string   `json:"unit_name"`
	Due        string   `json:"due"`
	Overdue    bool     `json:"overdue"`
	ToldBy     string   `json:"told_by"`
	AnsweredBy string   `json:"answered_by,omitempty"`
	Proof      []string `json:"proof,omitempty"`
	Returns    int      `json:"returns"`
	ClosedBy   string   `json:"closed_by,omitempty"`
	Outcome    string   `json:"outcome,omitempty"`
	AgainAt    string   `json:"again_at,omitempty"`
	LookedBy   string   `json:"looked_by,omitempty"`
	Lasting    *bool    `json:"lasting,omitempty"`
}

func (d Deps) out(m mandate.Mandate) MandateOut {
	by := func(h *mandate.Hand) string {
		if h == nil {
			return ""
		}
		return h.By.ID
	}
	waits := m.State == mandate.Open || m.State == mandate.Answered
	return MandateOut{ID: m.ID, Version: m.Version, Kind: string(m.Kind), KindLabel: m.Kind.Label(), State: string(m.State), StateLabel: m.State.Label(),
		Number: m.Number, Title: m.Title, Unit: string(m.Unit), UnitName: d.name(m.Unit), Due: clock(m.Due), Overdue: waits && d.Now().After(m.Due),
		ToldBy: m.Told.By.ID, AnsweredBy: by(m.Answer), Proof: m.Proof, Returns: m.Returns, ClosedBy: by(m.Close), Outcome: m.Outcome,
		AgainAt: clock(m.AgainAt), LookedBy: by(m.Look), Lasting: m.Lasting}
}

// Mandates is a page of a list, by day.
type Mandates struct {
	Mandates []MandateOut `json:"mandates"`
	Next     string       `json:"next,omitempty"`
}

// list is what a unit has to answer, or everything that a supervision body told.
func list(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Mandates, error) {
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Mandates{}, err
	}
	of, action, q := call.Query("unit"), staff.ReadMandates, table.Query{Index: table.ByWork}
	if body := call.Query("body"); body != "" {
		of, action, q.Index = body, staff.ReadBodyMandates, table.ByOwner
	}
	code, err := civil.ParseDivision(of)
	if err != nil {
		return Mandates{}, mandate.ErrNotFound
	}
	if err := d.may(who, action, code); err != nil {
		return Mandates{}, err
	}
	if q.PK = mandate.UnitList(code); q.Index == table.ByOwner {
		q.PK = mandate.BodyList(code)
	}
	q.Limit, q.After = 50, table.Cursor(call.Query("after"))
	var f fault.Fields
	if text := call.Query("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > 100 {
			f.Add("?limit", "out-of-range", "每页 1 至 100 条。")
			return Mandates{}, f.Err()
		}
	}
	page, err := d.Table.Query(ctx, q)
	if errors.Is(err, table.ErrInvalid) {
		f.Add("?after", "invalid", "请从第一页重新开始。")
		return Mandates{}, f.Err()
	}
	if err != nil {
		return Mandates{}, err
	}
	out := Mandates{Mandates: []MandateOut{}, Next: string(page.Next)}
	for _, item := range page.Items {
		m, err := mandate.Decode(item)
		if err != nil {
			return Mandates{}, err
		}
		out.Mandates = append(out.Mandates, d.out(m))
	}
	return out, nil
}

// Step is what was done to a thing, as its page tells it.
type Step struct {
	Version int64  `json:"version"`
	Kind    string `json:"kind"`
	At      string `json:"at"`
	By      string `json:"by"`
	Text    string `json:"text,omitempty"`
}

// Page is a mandate with everything that was done to it.
type Page struct {
	MandateOut
	Steps []Step `json:"steps"`
}

func show(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Page, error) {
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Page{}, err
	}
	m, err := mandate.Get(ctx, d.Table, call.Path("mandate"))
	if err != nil {
		return Page{}, err
	}
	if err := d.may(who, staff.ReadMandates, m.Unit); err != nil {
		return Page{}, err
	}
	steps, err := d.steps(ctx, mandate.Partition(m.ID), mandate.Noun)
	return Page{d.out(m), steps}, err
}

// steps is everything that was done to a thing, as its events have it.
func (d Deps) steps(ctx context.Context, partition, noun string) ([]Step, error) {
	steps := []Step{}
	q := table.Query{PK: partition}.Prefix(event.Prefix + noun + "#")
	for item, err := range table.All(ctx, d.Table, q) {
		if err != nil {
			return nil, err
		}
		e, err := event.Decode(item)
		if err != nil {
			return nil, err
		}
		text, err := application.OpenNote(ctx, d.Box, e)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{e.Version, e.Kind, clock(e.At), e.Actor.ID, text.Reveal()})
	}
	return steps, nil
}

// AnswerIn is what a unit did, and what proves it: SHA-256 of documents.
type AnswerIn struct {
	Version int64       `json:"version" api:"required,min=1"`
	Text    redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
	Proof   []string    `json:"proof" api:"max=20,each=64"`
}

// WordsIn is a step that needs words alone.
type WordsIn struct {
	Version int64       `json:"version" api:"required,min=1"`
	Text    redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
}

// ClosureIn closes a mandate.
type ClosureIn struct {
	Version int64       `json:"version" api:"required,min=1"`
	Outcome string      `json:"outcome" api:"required,max=40"`
	Text    redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
}

// LookIn is what a second look found.
type LookIn struct {
	Version int64       `json:"version" api:"required,min=1"`
	Lasting bool        `json:"lasting"`
	Text    redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
}

var digest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

func reply(ctx context.Context, d Deps, call httpapi.Call[AnswerIn]) (httpapi.Reply[MandateOut], error) {
	var f fault.Fields
	for i, p := range call.Body.Proof {
		if !digest().MatchString(p) {
			f.Add(fmt.Sprintf("/proof/%d", i), "digest", "请填写材料的 SHA-256（64 位小写十六进制）。")
		}
	}
	if err := f.Err(); err != nil {
		return httpapi.Reply[MandateOut]{}, err
	}
	action := func(m mandate.Mandate) staff.Action {
		if m.Kind == mandate.Clue {
			return staff.CloseMandate // a clue is verified by the supervision body itself
		}
		return staff.AnswerMandate
	}
	return step(ctx, d, call.Request, call.Body.Version, call.Body.Text, action, "answered", func(m mandate.Mandate, by event.Actor, now time.Time) (mandate.Mandate, error) {
		return m.Reply(by, call.Body.Proof, now)
	})
}

func closing(mandate.Mandate) staff.Action { return staff.CloseMandate }

func sendBack(ctx context.Context, d Deps, call httpapi.Call[WordsIn]) (httpapi.Reply[MandateOut], error) {
	return step(ctx, d, call.Request, call.Body.Version, call.Body.Text, closing, "returned", func(m mandate.Mandate, by event.Actor, _ time.Time) (mandate.Mandate, error) {
		return m.Return(by)
	})
}

func settle(ctx context.Context, d Deps, call httpapi.Call[ClosureIn]) (httpapi.Reply[MandateOut], error) {
	return step(ctx, d, call.Request, call.Body.Version, call.Body.Text, closing, "closed", func(m mandate.Mandate, by event.Actor, now time.Time) (mandate.Mandate, error) {
		return m.Settle(by, call.Body.Outcome, now)
	})
}

func lookAgain(ctx context.Context, d Deps, call httpapi.Call[LookIn]) (httpapi.Reply[MandateOut], error) {
	return step(ctx, d, call.Request, call.Body.Version, call.Body.Text, closing, "looked_again", func(m mandate.Mandate, by event.Actor, now time.Time) (mandate.Mandate, error) {
		return m.LookAgain(by, call.Body.Lasting, now)
	})
}

// step is one change of a mandate. The version that the caller read and the caller's
// own grants are conditions of the write; the same request finds its answer.
func step(ctx context.Context, d Deps, r httpapi.Request, version int64, text redact.Text, action func(mandate.Mandate) staff.Action, kind string,
	to func(mandate.Mandate, event.Actor, time.Time) (mandate.Mandate, error)) (httpapi.Reply[MandateOut], error) {
	var none httpapi.Reply[MandateOut]
	now := d.Now()
	who, err := d.acting(ctx, r.Principal.ID)
	if err != nil {
		return none, err
	}
	m, err := mandate.Get(ctx, d.Table, r.Path("mandate"))
	if err != nil {
		return none, err
	}
	if err := d.may(who, action(m), m.Unit); err != nil {
		return none, err
	}
	if again, err := d.answered(ctx, m, r); err != nil || again.Body != nil {
		return again, err
	}
	if m.Version != version {
		return none, mandate.ErrMovedOn
	}
	next, err := to(m, who.Actor(persons(m)...), now)
	if err != nil {
		return none, err
	}
	out, err := httpapi.Fresh(201, d.out(next))
	if err != nil {
		return none, err
	}
	e, err := application.SealNote(ctx, d.Box, next.Event(kind, who.Actor(persons(m)...), now), text)
	if err != nil {
		return none, err
	}
	e.Trace = r.Trace
	e.Request = &event.Request{Key: r.RequestKey(), Digest: d.Blind.Ref("request", r.Digest()), Status: out.Status, Answer: out.Body}
	err = mandate.Commit(ctx, d.Table, next, e, who.Checks()...)
	if errors.Is(err, mandate.ErrMovedOn) {
		if twin, again := d.answered(ctx, m, r); again == nil && twin.Body != nil {
			return twin, nil
		}
	}
	if err != nil {
		return none, err
	}
	return out, nil
}

// persons are those who had a hand in m, as it knows them.
func persons(m mandate.Mandate) (refs []string) {
	for _, h := range []*mandate.Hand{&m.Told, m.Answer, m.Close, m.Look} {
		if h != nil {
			refs = append(refs, h.By.Person)
		}
	}
	return refs
}

// answered is the answer that a request about a mandate got before; without a body when
// it is new.
func (d Deps) answered(ctx context.Context, m mandate.Mandate, r httpapi.Request) (httpapi.Reply[MandateOut], error) {
	return answered[MandateOut](ctx, d, mandate.Partition(m.ID), mandate.Noun, m.ID, r)
}

// answered is the answer that a request about one thing got before, as the thing's
// events keep it; without a body when it is new.
func answered[Out any](ctx context.Context, d Deps, partition, noun, id string, r httpapi.Request) (httpapi.Reply[Out], error) {
	var none httpapi.Reply[Out]
	asked, found, err := event.Asked(ctx, d.Table, partition, noun, id, r.RequestKey())
	if err != nil || !found {
		return none, err
	}
	if asked.Digest != d.Blind.Ref("request", r.Digest()) {
		return none, application.ErrReused
	}
	return httpapi.Again[Out](asked.Status, asked.Answer), nil
}
