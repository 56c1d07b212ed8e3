package supervise

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/indicator"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/sampling"
	"github.com/doudi-aid/doudi/shared/staff"
)

// maxPopulation bounds what one draw reads: a city's month, not its decade.
const maxPopulation = 20_000

// SampleIn asks for a draw among what was paid to people who applied on the days
// from From to To.
type SampleIn struct {
	Division   string `json:"division" api:"required,max=12"`
	From       string `json:"from" api:"required,max=10"`
	To         string `json:"to" api:"required,max=10"`
	Confidence int64  `json:"confidence_percent" api:"required"`
	Margin     int64  `json:"margin_percent" api:"required"`
}

// PickOut is one case that was drawn.
type PickOut struct {
	Application string `json:"application"`
	Result      string `json:"result,omitempty"`
	By          string `json:"by,omitempty"`
	At          string `json:"at,omitempty"`
}

// SampleOut is a draw and what came of it. With Seed and Digest anybody who has the
// list of the paid can draw again.
type SampleOut struct {
	ID         string         `json:"id"`
	Version    int64          `json:"version"`
	Division   string         `json:"division"`
	Place      string         `json:"place"`
	From       string         `json:"from"`
	To         string         `json:"to"`
	Confidence int            `json:"confidence_percent"`
	Margin     int            `json:"margin_percent"`
	Population int            `json:"population"`
	Digest     string         `json:"population_sha256"`
	Seed       string         `json:"seed"`
	DrawnBy    string         `json:"drawn_by"`
	DrawnAt    string         `json:"drawn_at"`
	Asked      int            `json:"asked"` // who was reached
	Wrong      int            `json:"wrong"` // findings among them
	Tally      map[string]int `json:"tally"`
	Picks      []PickOut      `json:"picks"`
}

func (d Deps) sampleOut(s sampling.Sample) SampleOut {
	out := SampleOut{ID: s.ID, Version: s.Version, Division: string(s.Division), Place: d.name(s.Division), From: s.From.String(), To: s.To.String(),
		Confidence: s.Confidence, Margin: s.Margin, Population: s.Population, Digest: s.Digest, Seed: s.Seed, DrawnBy: s.By.ID, DrawnAt: clock(s.At),
		Tally: map[string]int{}, Picks: []PickOut{}}
	for _, p := range s.Picks {
		out.Picks = append(out.Picks, PickOut{p.Application, string(p.Result), p.By.ID, clock(p.At)})
	}
	for r, n := range s.Tally() {
		if r == "" {
			continue
		}
		out.Tally[string(r)] = n
		if r != sampling.Unreached {
			out.Asked += n
		}
		if r.Wrong() {
			out.Wrong += n
		}
	}
	return out
}

// drawSample draws. The id is derived from the request, so that a request that comes
// again finds the draw and makes no second one: nobody draws until they like it.
func drawSample(ctx context.Context, d Deps, call httpapi.Call[SampleIn]) (SampleOut, error) {
	now, in := d.Now(), call.Body
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return SampleOut{}, err
	}
	place, err := civil.ParseDivision(in.Division)
	if err != nil {
		return SampleOut{}, sampling.ErrNotFound
	}
	if err := d.may(who, staff.DrawSample, place); err != nil {
		return SampleOut{}, unseen(err)
	}
	id := ident.Derive(sampling.Noun, call.RequestKey())
	switch s, err := sampling.Get(ctx, d.Table, id); {
	case err == nil:
		return d.sampleOut(s), nil
	case !errors.Is(err, sampling.ErrNotFound):
		return SampleOut{}, err
	}
	s := sampling.Sample{ID: id, Version: 1, Division: place, Confidence: int(in.Confidence), Margin: int(in.Margin), By: who.Actor(), At: now}
	if s.From, s.To, err = period(in.From, in.To, calendar.Today(now)); err != nil {
		return SampleOut{}, err
	}
	var f fault.Fields
	if !slices.Contains(sampling.Confidences(), s.Confidence) {
		f.Add("/confidence_percent", "not-allowed", "置信水平为 90、95 或 99。")
	}
	if s.Margin < sampling.MinMargin || s.Margin > sampling.MaxMargin {
		f.Add("/margin_percent", "out-of-range", "误差范围为 3 至 20。")
	}
	if err := f.Err(); err != nil {
		return SampleOut{}, err
	}
	paid, err := d.paid(ctx, place, s.From, s.To)
	if err != nil {
		return SampleOut{}, err
	}
	n, err := sampling.Size(len(paid), s.Confidence, s.Margin)
	if err != nil {
		return SampleOut{}, sampling.ErrEmpty
	}
	seed := make([]byte, 32)
	if _, err := io.ReadFull(d.Random, seed); err != nil {
		return SampleOut{}, err
	}
	s.Population, s.Digest, s.Seed = len(paid), sampling.Digest(paid), hex.EncodeToString(seed)
	for _, application := range sampling.Draw(seed, paid, n) {
		s.Picks = append(s.Picks, sampling.Pick{Application: application})
	}
	e := s.Event("drawn", who.Actor(), now)
	e.Trace = call.Trace
	switch err := sampling.Commit(ctx, d.Table, s, e, who.Checks()...); {
	case errors.Is(err, sampling.ErrMovedOn): // a twin of this request drew first
		if s, err = sampling.Get(ctx, d.Table, id); err != nil {
			return SampleOut{}, sampling.ErrMovedOn
		}
	case err != nil:
		return SampleOut{}, err
	}
	return d.sampleOut(s), nil
}

// paid are the applications in place whose money arrived, each once.
func (d Deps) paid(ctx context.Context, place civil.DivisionCode, from, to civil.Day) ([]string, error) {
	seen := map[string]bool{}
	search := indicator.Search{Question: indicator.Question{Division: place, From: from, To: to}, Indicator: indicator.Paid, Limit: indicator.MostCases}
	for {
		cases, next, err := indicator.Reader{Table: d.Table, Tree: d.Tree, Now: d.Now}.Cases(ctx, search)
		if err != nil {
			return nil, err
		}
		for _, c := range cases {
			if c.Application != "" {
				seen[c.Application] = true
			}
		}
		if len(seen) > maxPopulation {
			return nil, sampling.ErrTooMany
		}
		if next == "" {
			break
		}
		search.After = next
	}
	var ids []string
	for id := range seen {
		ids = append(ids, id)
	}
	return ids, nil
}

// period reads the days of a draw: past ones, a year at most.
func period(from, to string, today civil.Day) (a, b civil.Day, err error) {
	var f fault.Fields
	if a, err = civil.ParseDay(from); err != nil {
		f.Add("/from", "day", "日期写成 2026-11-01。")
	}
	if b, err = civil.ParseDay(to); err != nil {
		f.Add("/to", "day", "日期写成 2026-11-30。")
	}
	if len(f) == 0 && (b.Before(a) || today.Before(b) || a.AddDays(366).Before(b)) {
		f.Add("/to", "out-of-range", "截止日期应在开始日期之后、今天之前，最长一年。")
	}
	return a, b, f.Err()
}

// unseen makes what is out of scope look absent.
func unseen(err error) error {
	if errors.Is(err, application.ErrNotFound) {
		return sampling.ErrNotFound
	}
	return err
}

func showSample(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (SampleOut, error) {
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return SampleOut{}, err
	}
	s, err := sampling.Get(ctx, d.Table, call.Path("sample"))
	if err != nil {
		return SampleOut{}, err
	}
	if err := d.may(who, staff.ReadSample, s.Division); err != nil {
		return SampleOut{}, unseen(err)
	}
	return d.sampleOut(s), nil
}

// ResultIn is what one of the drawn said.
type ResultIn struct {
	Application string      `json:"application" api:"required,max=40"`
	Result      string      `json:"result" api:"required,enum=right|wrong_amount|not_received|not_applied|paid_someone|unreached"`
	Text        redact.Text `json:"text" api:"max=2000,lines"`
}

// tries is how often a result is tried again when somebody entered another meanwhile.
const tries = 8

// sayResult enters a result. Several people call at once, so one that was overtaken
// is tried again; the same result of the same person is no second one.
func sayResult(ctx context.Context, d Deps, call httpapi.Call[ResultIn]) (SampleOut, error) {
	in := call.Body
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return SampleOut{}, err
	}
	for range tries {
		s, err := sampling.Get(ctx, d.Table, call.Path("sample"))
		if err != nil {
			return SampleOut{}, err
		}
		if err := d.may(who, staff.DrawSample, s.Division); err != nil {
			return SampleOut{}, unseen(err)
		}
		out, err := d.say(ctx, who, s, in, call.Trace)
		if !errors.Is(err, sampling.ErrMovedOn) {
			return out, err
		}
	}
	return SampleOut{}, sampling.ErrMovedOn
}

func (d Deps) say(ctx context.Context, who staff.Staff, s sampling.Sample, in ResultIn, trace string) (SampleOut, error) {
	now := d.Now()
	next, err := s.Say(in.Application, sampling.Result(in.Result), who.Actor(), now)
	if errors.Is(err, sampling.ErrSaid) {
		i := slices.IndexFunc(s.Picks, func(p sampling.Pick) bool { return p.Application == in.Application })
		if p := s.Picks[i]; p.By.ID == who.ID && p.Result == sampling.Result(in.Result) && now.Sub(p.At) < time.Hour {
			return d.sampleOut(s), nil
		}
	}
	if err != nil {
		return SampleOut{}, err
	}
	e := next.Event("said", who.Actor(), now)
	e.Facts = event.Facts{"application": in.Application, "result": in.Result}
	e.Trace = trace
	if e, err = application.SealNote(ctx, d.Box, e, in.Text); err != nil {
		return SampleOut{}, err
	}
	if err := sampling.Commit(ctx, d.Table, next, e, who.Checks()...); err != nil {
		return SampleOut{}, err
	}
	return d.sampleOut(next), nil
}
