package discover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// PersonIn is who a signal is about.
type PersonIn struct {
	Name    redact.Text `json:"name" api:"required,max=120"`
	Paper   PaperIn     `json:"paper" api:"required"`
	Phone   redact.Text `json:"phone" api:"max=40"`
	Address redact.Text `json:"address" api:"max=200"`
	// Lat and Lon are in units of 10⁻⁵ degree; both 0 when nobody knows.
	Lat int64 `json:"lat_e5" api:"min=-9000000,max=9000000"`
	Lon int64 `json:"lon_e5" api:"min=-18000000,max=18000000"`
}

// PaperIn is an identity paper as typed; with kind "none" there is no number.
type PaperIn struct {
	Kind   string      `json:"kind" api:"required,max=40"`
	Number redact.Text `json:"number" api:"max=60"`
}

// RowIn is one row of a list of signs of hardship. Number is the source's own, so
// that a list that is handed in twice changes nothing.
type RowIn struct {
	Number     string   `json:"number" api:"required,max=64"`
	Kind       string   `json:"kind" api:"required,enum=medical_bill|fire|hotline|disability|job_loss|bereavement"`
	Place      string   `json:"place" api:"required,max=12"`
	HappenedOn string   `json:"happened_on" api:"required,max=10"`
	Person     PersonIn `json:"person" api:"required"`
}

// SignalsIn is a list from one source. With SkipBad the good rows are taken and the
// bad ones named in the answer; without it one bad row refuses the list.
type SignalsIn struct {
	Source  string  `json:"source" api:"required,max=60"`
	SkipBad bool    `json:"skip_bad"`
	Rows    []RowIn `json:"rows" api:"required,min=1,max=200"`
}

// Imported says what became of a list.
type Imported struct {
	New     int      `json:"new"`     // rows that are open signals now
	Known   int      `json:"known"`   // rows that were there already
	Applied int      `json:"applied"` // new rows whose person has applied already
	Bad     []BadRow `json:"bad"`
}

// BadRow is a row that was not taken, counted from 0.
type BadRow struct {
	Row    int          `json:"row"`
	Fields fault.Fields `json:"fields"`
}

// SignalOut is a signal as a list shows it: who it is about stays sealed.
type SignalOut struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	KindLabel   string `json:"kind_label"`
	Place       string `json:"place"`
	PlaceName   string `json:"place_name"`
	HappenedOn  string `json:"happened_on"`
	Due         string `json:"due"`
	Overdue     bool   `json:"overdue"`
	Visits      int    `json:"visits"`
	LastFinding string `json:"last_finding,omitempty"`
	Taken       bool   `json:"taken"`
}

// Signals is a page of a township's open signals, the most urgent first.
type Signals struct {
	Signals []SignalOut `json:"signals"`
	Next    string      `json:"next,omitempty"`
}

// appliedBefore is how long before a hardship an application may have been accepted
// and still be about it: registers are slower than people.
const appliedBefore = 30 * 24 * time.Hour

// row reads one row; what is wrong with it is in the fields.
func (d Deps) row(who staff.Staff, source string, in RowIn, at string, now time.Time) (discovery.Signal, discovery.Person, fault.Fields, error) {
	var f fault.Fields
	today := calendar.Today(now)
	place, township, ok := d.township(in.Place, now)
	if ok {
		err := d.may(who, staff.ImportSignals, township, now)
		if err != nil && fault.Of(err).Kind != fault.NotFound {
			return discovery.Signal{}, discovery.Person{}, nil, err
		}
		ok = err == nil
	}
	if !ok {
		f.Add(at+"/place", "place-unknown", "您的辖区里没有这个村（社区）或乡镇（街道）。")
	}
	day, err := civil.ParseDay(in.HappenedOn)
	if err != nil || day.After(today) || day.AddDays(366).Before(today) {
		f.Add(at+"/happened_on", "out-of-range", "日期应为过去一年之内，写成 2026-11-28。")
	}
	p := d.person(&f, at+"/person", in.Person, today)
	return discovery.New(discovery.SignalID(source, in.Number), source, discovery.Kind(in.Kind), township, place, day, now), p, f, nil
}

func (d Deps) person(f *fault.Fields, at string, in PersonIn, today civil.Day) discovery.Person {
	p := application.ReadPerson(f, at, in.Name, in.Paper.Kind, in.Paper.Number, in.Phone, today)
	return discovery.Person{Person: p, Address: in.Address, Spot: discovery.Spot{Lat: int32(in.Lat), Lon: int32(in.Lon)}}
}

// importSignals takes a list. Each row is a transaction of its own under an id that
// the source's number makes, so a list that broke off half way is handed in again.
func importSignals(ctx context.Context, d Deps, call httpapi.Call[SignalsIn]) (Imported, error) {
	now, in := d.Now(), call.Body
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Imported{}, err
	}
	out := Imported{Bad: []BadRow{}}
	type good struct {
		signal discovery.Signal
		person discovery.Person
	}
	var rows []good
	var all fault.Fields
	seen := map[string]bool{}
	for i, row := range in.Rows {
		at := fmt.Sprintf("/rows/%d", i)
		s, p, f, err := d.row(who, in.Source, row, at, now)
		if err != nil {
			return Imported{}, err
		}
		if seen[s.ID] {
			f.Add(at+"/number", "duplicate", "同一份名单里这个编号出现了两次。")
		}
		seen[s.ID] = true
		if len(f) > 0 {
			all = append(all, f...)
			out.Bad = append(out.Bad, BadRow{i, f})
			continue
		}
		rows = append(rows, good{s, p})
	}
	if !in.SkipBad {
		if err := all.Err(); err != nil {
			return Imported{}, err
		}
	}
	for _, r := range rows {
		s, known, err := d.take(ctx, who, r.signal, r.person, call.Trace)
		if err != nil {
			return Imported{}, err
		}
		switch {
		case known:
			out.Known++
		case s.State == discovery.Applied:
			out.Applied++
		default:
			out.New++
		}
	}
	return out, nil
}

// take stores a new signal, joined against applications; known is true when it was
// there, whatever has become of it.
func (d Deps) take(ctx context.Context, who staff.Staff, s discovery.Signal, p discovery.Person, trace string) (discovery.Signal, bool, error) {
	switch kept, err := discovery.Get(ctx, d.Table, s.ID); {
	case err == nil:
		return kept, true, nil
	case !errors.Is(err, discovery.ErrNotFound):
		return s, false, err
	}
	s, err := s.About(ctx, d.Box, d.Blind, p)
	if err != nil {
		return s, false, err
	}
	s.Trace = trace
	kind := "received"
	if a, found, err := d.applied(ctx, s, p); err != nil {
		return s, false, err
	} else if found {
		s.State, s.Application, kind = discovery.Applied, a.ID, "applied"
	}
	writes, err := s.Writes(s.Event(kind, who.Actor(), s.At))
	if err != nil {
		return s, false, err
	}
	err = d.Table.Transact(ctx, append(writes, who.Checks()...)...)
	if _, twin := table.FailedOn(err, discovery.Key(s.ID)); twin {
		return s, true, nil
	}
	return s, false, moved(err)
}

// applied is the application that the person behind s made about what happened.
func (d Deps) applied(ctx context.Context, s discovery.Signal, p discovery.Person) (application.Application, bool, error) {
	refs := application.PersonRefs(d.Blind, p.Paper, s.ID)
	return application.Applied(ctx, d.Table, refs, s.HappenedOn.Start(calendar.Zone).Add(-appliedBefore))
}

// moved names a condition that did not hold.
func moved(err error) error {
	if _, failed := errors.AsType[*table.ConditionError](err); failed {
		return discovery.ErrMovedOn.Because(err)
	}
	return err
}

func listSignals(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Signals, error) {
	now := d.Now()
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Signals{}, err
	}
	_, township, ok := d.township(call.Query("township"), now)
	if !ok {
		return Signals{}, discovery.ErrNotFound
	}
	if err := d.may(who, staff.ReadSignals, township, now); err != nil {
		return Signals{}, hidden(err)
	}
	limit := 50
	if text := call.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			var f fault.Fields
			f.Add("?limit", "out-of-range", "每页 1 至 100 条。")
			return Signals{}, f.Err()
		}
	}
	page, err := d.Table.Query(ctx, table.Query{Index: table.ByWork, PK: discovery.List(township), Limit: limit, After: table.Cursor(call.Query("after"))})
	if errors.Is(err, table.ErrInvalid) {
		var f fault.Fields
		f.Add("?after", "invalid", "请从第一页重新开始。")
		return Signals{}, f.Err()
	}
	if err != nil {
		return Signals{}, err
	}
	out := Signals{Signals: []SignalOut{}, Next: string(page.Next)}
	for _, item := range page.Items {
		s, err := discovery.Decode(item)
		if err != nil {
			return Signals{}, err
		}
		out.Signals = append(out.Signals, SignalOut{ID: s.ID, Kind: string(s.Kind), KindLabel: s.Kind.Label(), Place: string(s.Place),
			PlaceName: d.name(s.Place, now), HappenedOn: s.HappenedOn.String(), Due: clock(s.Due), Overdue: now.After(s.Due), Visits: s.Visits,
			LastFinding: s.Finding, Taken: s.Taken != "" && now.Before(s.TakenUntil)})
	}
	return out, nil
}

// hidden makes what is out of scope look absent.
func hidden(err error) error {
	if errors.Is(err, application.ErrNotFound) {
		return discovery.ErrNotFound
	}
	return err
}

// name is a place with what it stands in.
func (d Deps) name(code civil.DivisionCode, now time.Time) string {
	return d.Tree.FullName(code, calendar.Today(now))
}
