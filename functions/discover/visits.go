package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/discovery"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// ListIn asks for a walk's worth of doors.
type ListIn struct {
	Township string `json:"township" api:"required,max=12"`
	Most     int64  `json:"most" api:"required,min=1,max=40"`
}

// DoorOut is one door: who lives there and what has happened. It is shown to
// whoever goes there, and every showing is written down.
type DoorOut struct {
	Signal     string `json:"signal"`
	Kind       string `json:"kind"`
	KindLabel  string `json:"kind_label"`
	Place      string `json:"place"`
	PlaceName  string `json:"place_name"`
	HappenedOn string `json:"happened_on"`
	Due        string `json:"due"`
	Visits     int    `json:"visits"`
	Name       string `json:"name"`
	Phone      string `json:"phone,omitempty"`
	Address    string `json:"address,omitempty"`
	Lat        int64  `json:"lat_e5,omitempty"`
	Lon        int64  `json:"lon_e5,omitempty"`
}

// ListOut is a list in the order to walk it: what is overdue or cannot wait first,
// each part by the shortest way. It is the caller's until the end of tomorrow.
type ListOut struct {
	Doors  []DoorOut `json:"doors"`
	Until  string    `json:"until"`
	Others int       `json:"applied_meanwhile"` // signals that ended because their person had applied
}

// takeList puts open signals on the caller's list. Taken one by one, each under the
// condition that nobody else has it: if we die half way, what was taken is given
// again to whoever asks again, and to others after tomorrow.
func takeList(ctx context.Context, d Deps, call httpapi.Call[ListIn]) (ListOut, error) {
	now, in := d.Now(), call.Body
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return ListOut{}, err
	}
	_, township, ok := d.township(in.Township, now)
	if !ok {
		return ListOut{}, discovery.ErrNotFound
	}
	if err := d.may(who, staff.VisitDoors, township, now); err != nil {
		return ListOut{}, hidden(err)
	}
	until := calendar.Today(now).AddDays(2).Start(calendar.Zone)
	out := ListOut{Doors: []DoorOut{}, Until: clock(until)}
	var taken []discovery.Signal
	var people []discovery.Person
	q := table.Query{Index: table.ByWork, PK: discovery.List(township), Limit: 100}
	for len(taken) < int(in.Most) {
		page, err := d.Table.Query(ctx, q)
		if err != nil {
			return ListOut{}, err
		}
		for _, item := range page.Items {
			if len(taken) == int(in.Most) {
				break
			}
			s, p, got, err := d.takeOne(ctx, who, item.Key, now, until)
			if err != nil {
				return ListOut{}, err
			}
			if s.State == discovery.Applied {
				out.Others++
			}
			if got {
				taken, people = append(taken, s), append(people, p)
			}
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	for _, i := range walk(taken, people, now) {
		s, p := taken[i], people[i]
		if err := httpapi.Show(ctx, httpapi.Shown{Case: discovery.Noun + "-" + s.ID, Fields: []string{string(reading.Name), string(reading.Phone), string(reading.Address)},
			Role: string(staff.Clerk), Office: d.name(township, now), Purpose: "visit", Whole: true, Reason: "visit"}); err != nil {
			return ListOut{}, err
		}
		out.Doors = append(out.Doors, DoorOut{Signal: s.ID, Kind: string(s.Kind), KindLabel: s.Kind.Label(), Place: string(s.Place), PlaceName: d.name(s.Place, now),
			HappenedOn: s.HappenedOn.String(), Due: clock(s.Due), Visits: s.Visits, Name: p.Name.Reveal(), Phone: p.Phone.Reveal(), Address: p.Address.Reveal(),
			Lat: int64(p.Spot.Lat), Lon: int64(p.Spot.Lon)})
	}
	return out, nil
}

// takeOne puts one signal on the list of who, when it is free and still open. A
// person who applied meanwhile needs no visit: the signal ends. Losing a race for
// it is no error, it is somebody else's then.
func (d Deps) takeOne(ctx context.Context, who staff.Staff, key table.Key, now, until time.Time) (s discovery.Signal, p discovery.Person, got bool, err error) {
	item, found, err := d.Table.Get(ctx, key)
	if err != nil || !found {
		return s, p, false, err
	}
	if s, err = discovery.Decode(item); err != nil || !s.Free(who.ID, now) {
		return s, p, false, err
	}
	if p, err = s.Who(ctx, d.Box); err != nil {
		return s, p, false, err
	}
	a, applied, err := d.applied(ctx, s, p)
	if err != nil {
		return s, p, false, err
	}
	next, kind := s, "applied"
	if applied {
		next, err = s.Match(a.ID)
	} else {
		next, err = s.Take(who.ID, now, until)
		kind = "taken"
	}
	if err != nil {
		return s, p, false, err
	}
	writes, err := next.Writes(next.Event(kind, who.Actor(), now))
	if err != nil {
		return s, p, false, err
	}
	err = moved(d.Table.Transact(ctx, append(writes, who.Checks()...)...))
	if errors.Is(err, discovery.ErrMovedOn) {
		return s, p, false, nil
	}
	return next, p, err == nil && !applied, err
}

// walk is the order of a list: first what is overdue or is due by tomorrow.
func walk(signals []discovery.Signal, people []discovery.Person, now time.Time) []int {
	var order []int
	for _, urgent := range []bool{true, false} {
		var at []int
		var spots []discovery.Spot
		for i, s := range signals {
			if s.Due.Before(now.Add(24*time.Hour)) == urgent {
				at, spots = append(at, i), append(spots, people[i].Spot)
			}
		}
		for _, j := range discovery.Order(spots) {
			order = append(order, at[j])
		}
	}
	return order
}

// RecordIn is one visit as a device wrote it down. A visit to a door that was on no
// list says where it was and who lives there instead of naming a signal.
type RecordIn struct {
	Number  int64     `json:"number" api:"required,min=1"`
	Signal  string    `json:"signal" api:"max=64"`
	Place   string    `json:"place" api:"max=12"`
	Person  *PersonIn `json:"person"`
	At      time.Time `json:"at" api:"required"`
	Finding string    `json:"finding" api:"required,enum=needs_help|no_need|nobody_home|moved|died|declined"`
	Needs   []string  `json:"needs" api:"max=8,each=20"`
	// Consent is the digest of the words that the person agreed to.
	Consent string      `json:"consent_sha256" api:"max=64"`
	Story   redact.Text `json:"story" api:"max=1000,lines"`
}

// RecordsIn is what a device sends when there is a signal again.
type RecordsIn struct {
	Device  string     `json:"device" api:"required,min=16,max=40"`
	Records []RecordIn `json:"records" api:"required,min=1,max=50"`
}

// RecordOut is what became of one record: stored, known (sent before), or refused,
// for the reasons in Fields or Code.
type RecordOut struct {
	Number      int64        `json:"number"`
	Result      string       `json:"result"`
	Code        string       `json:"code,omitempty"`
	Fields      fault.Fields `json:"fields,omitempty"`
	Signal      string       `json:"signal,omitempty"`
	Application string       `json:"application,omitempty"`
}

// RecordsOut answers record by record, in order, so that one bad record keeps back
// no other. Missing are numbers that never reached us and are to be sent again.
type RecordsOut struct {
	Records []RecordOut `json:"records"`
	Missing []int64     `json:"missing"`
}

// What became of a record.
const (
	stored  = "stored"
	known   = "known"
	refused = "refused"
)

// late is how long a record may have waited on a device, and early how far a
// device's clock may be ahead of ours.
const (
	late  = 60 * 24 * time.Hour
	early = 10 * time.Minute
)

// record takes what a device wrote down. Each record is one transaction; sent
// twice, out of order or by two requests at once it is stored once.
func record(ctx context.Context, d Deps, call httpapi.Call[RecordsIn]) (RecordsOut, error) {
	who, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return RecordsOut{}, err
	}
	if !ident.Valid(call.Body.Device) {
		var f fault.Fields
		f.Add("/device", "invalid", "设备编号不正确，请重新安装程序。")
		return RecordsOut{}, f.Err()
	}
	out := RecordsOut{Records: []RecordOut{}}
	for i, in := range call.Body.Records {
		one, err := d.keep(ctx, call.Request, who, call.Body.Device, in, fmt.Sprintf("/records/%d", i))
		if err != nil {
			return RecordsOut{}, err
		}
		out.Records = append(out.Records, one)
	}
	out.Missing, err = discovery.Missing(ctx, d.Table, who.ID, call.Body.Device)
	return out, err
}

// tries is how often a record is tried again when its signal moved meanwhile.
const tries = 5

func (d Deps) keep(ctx context.Context, r httpapi.Request, who staff.Staff, device string, in RecordIn, at string) (RecordOut, error) {
	out := RecordOut{Number: in.Number, Result: refused}
	sent, err := json.Marshal(struct {
		RecordIn
		Name, Paper, Phone, Address, Words string // what prints as redacted
	}{in, reveal(in.Person, func(p *PersonIn) redact.Text { return p.Name }), reveal(in.Person, func(p *PersonIn) redact.Text { return p.Paper.Number }),
		reveal(in.Person, func(p *PersonIn) redact.Text { return p.Phone }), reveal(in.Person, func(p *PersonIn) redact.Text { return p.Address }), in.Story.Reveal()})
	if err != nil {
		return out, err
	}
	rec := discovery.Record{Device: device, Number: in.Number, Staff: who.ID, At: in.At, HeardAt: d.Now(), Finding: discovery.Finding(in.Finding),
		Needs: in.Needs, Consent: in.Consent, Sum: d.Blind.Ref("visit", string(sent))}
	for range tries {
		switch kept, there, err := rec.Kept(ctx, d.Table); {
		case errors.Is(err, discovery.ErrDiffers):
			out.Code = discovery.ErrDiffers.Code
			return out, nil
		case err != nil:
			return out, err
		case there:
			out.Result, out.Signal, out.Application = known, kept.Signal, kept.Opened
			return out, nil
		}
		s, p, fresh, f, err := d.door(ctx, who, device, in, at, r.Trace)
		if err != nil {
			return out, err
		}
		f = append(f, d.judge(in, at)...)
		if len(f) > 0 {
			out.Fields = f
			return out, nil
		}
		rec.Signal = s.ID
		opened, err := d.visited(ctx, r, who, s, p, fresh, rec, in)
		if errors.Is(err, discovery.ErrMovedOn) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.Result, out.Signal, out.Application = stored, s.ID, opened
		return out, nil
	}
	return out, table.ErrBusy
}

func reveal(p *PersonIn, of func(*PersonIn) redact.Text) string {
	if p == nil {
		return ""
	}
	text := of(p)
	return text.Reveal()
}

// judge says what is wrong with a record beyond its form.
func (d Deps) judge(in RecordIn, at string) (f fault.Fields) {
	if now := d.Now(); in.At.After(now.Add(early)) || in.At.Before(now.Add(-late)) {
		f.Add(at+"/at", "out-of-range", "走访时间不能晚于现在，也不能早于六十天前。")
	}
	for i, n := range in.Needs {
		if !slices.Contains(discovery.Needs(), n) {
			f.Add(fmt.Sprintf("%s/needs/%d", at, i), "not-allowed", "没有这一类困难。")
		}
	}
	if in.Consent != "" && in.Consent != application.Authorisation().SHA256 {
		f.Add(at+"/consent_sha256", "document-unknown", "授权书已更新，请让本人重新阅读后再同意。")
	}
	if in.Consent != "" && discovery.Finding(in.Finding) != discovery.NeedsHelp {
		f.Add(at+"/consent_sha256", "not-allowed", "只有确有困难并且本人同意，才代为申请。")
	}
	return f
}

// door is the signal that a record is about, or for a door on no list a new one;
// fresh tells which.
func (d Deps) door(ctx context.Context, who staff.Staff, device string, in RecordIn, at, trace string) (s discovery.Signal, p discovery.Person, fresh bool, f fault.Fields, err error) {
	now := d.Now()
	if in.Signal != "" {
		if in.Person != nil || in.Place != "" {
			f.Add(at+"/person", "not-allowed", "名单上的线索不用再填地点和人员。")
			return s, p, false, f, nil
		}
		if s, err = discovery.Get(ctx, d.Table, in.Signal); err == nil {
			err = d.may(who, staff.VisitDoors, s.Township, now)
		}
		if err != nil && fault.Of(err).Kind == fault.NotFound {
			f.Add(at+"/signal", "signal-not-found", "没有找到这条线索。")
			return s, p, false, f, nil
		}
		if err != nil {
			return s, p, false, nil, err
		}
		p, err = s.Who(ctx, d.Box)
		return s, p, false, nil, err
	}
	if in.Person == nil {
		f.Add(at+"/person", "required", "名单以外的走访，请填写是谁。")
	} else {
		p = d.person(&f, at+"/person", *in.Person, calendar.Today(now))
	}
	place, township, ok := d.township(in.Place, now)
	if ok {
		err = d.may(who, staff.VisitDoors, township, now)
		if err != nil && fault.Of(err).Kind != fault.NotFound {
			return s, p, false, nil, err
		}
		ok = err == nil
	}
	if !ok {
		f.Add(at+"/place", "place-unknown", "您的辖区里没有这个村（社区）或乡镇（街道）。")
	}
	if len(f) > 0 {
		return s, p, false, f, nil
	}
	s = discovery.New(ident.Derive(discovery.Noun, who.ID, device, fmt.Sprint(in.Number)), string(discovery.DoorVisit), discovery.DoorVisit, township, place,
		calendar.Today(in.At), now)
	s.Trace = trace
	s, err = s.About(ctx, d.Box, d.Blind, p)
	return s, p, true, nil, err
}

// visited stores one visit. Where the person is in need and agrees, the application
// on their behalf, the visit and the end of the signal are one transaction: if we
// die before it the device sends again, and after it the person has applied.
func (d Deps) visited(ctx context.Context, r httpapi.Request, who staff.Staff, s discovery.Signal, p discovery.Person, fresh bool, rec discovery.Record, in RecordIn) (opened string, err error) {
	by := who.Actor()
	writes := func(end discovery.State, opened string) ([]table.Write, error) {
		next := s
		if fresh {
			next.Version = 0 // Visit makes the first version of it
		}
		next = next.Visit(rec.Finding, end, opened)
		kept, err := next.Writes(next.Event("visited", by, rec.HeardAt))
		if err != nil {
			return nil, err
		}
		rec.Opened = opened
		e, err := application.SealNote(ctx, d.Box, rec.Event(next, by), in.Story)
		if err != nil {
			return nil, err
		}
		told, err := rec.Writes(e)
		return append(append(kept, told...), who.Checks()...), err
	}
	alone := func(end discovery.State, opened string) (string, error) {
		all, err := writes(end, opened)
		if err != nil {
			return "", err
		}
		return opened, moved(d.Table.Transact(ctx, all...))
	}
	if rec.Consent == "" || s.State != discovery.Open {
		return alone("", "")
	}
	if a, found, err := d.applied(ctx, s, p); err != nil {
		return "", err
	} else if found { // meanwhile: the visit is kept, and the signal says so
		return alone(discovery.Applied, a.ID)
	}
	sub, err := d.submission(r, who, s, p, rec, in)
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("%s-%d", rec.Device, rec.Number)
	_, err = application.Submit(ctx, d.Table, d.Blind, d.Box, sub, application.Asked(d.Blind, key, rec.Sum, http.StatusCreated),
		func(a application.Application, e event.Event) (application.With[RecordOut], error) {
			also, err := writes(discovery.Helped, a.ID)
			if err != nil {
				return application.With[RecordOut]{}, err
			}
			told, err := notice.Owe(notice.FiledForYou, e)
			if err != nil {
				return application.With[RecordOut]{}, err
			}
			if !p.Phone.Empty() {
				also = append(also, told)
			}
			return application.With[RecordOut]{Facts: event.Facts{"source": "door_visit", "signal": s.ID}, Also: also,
				Out: RecordOut{Number: rec.Number, Result: stored, Signal: s.ID, Application: a.ID}}, nil
		})
	if errors.Is(err, table.ErrBusy) || errors.Is(err, table.ErrUnknown) {
		if _, there, again := rec.Kept(ctx, d.Table); again == nil && there {
			return sub.ID, nil // it was ours that got through
		}
		return "", discovery.ErrMovedOn.Because(err)
	}
	return sub.ID, err
}

// submission is the application of the person behind s, filed by who.
func (d Deps) submission(r httpapi.Request, who staff.Staff, s discovery.Signal, p discovery.Person, rec discovery.Record, in RecordIn) (application.Submission, error) {
	now := rec.HeardAt
	today := calendar.Today(now)
	rules, err := d.Book.Rules(s.Township, today)
	if err != nil {
		return application.Submission{}, err
	}
	county, ok := d.Tree.CountyOf(s.Place, today)
	if !ok {
		return application.Submission{}, fmt.Errorf("discover: %s is in no county", s.Place)
	}
	account := application.OutreachAccount(who.ID)
	due := rules.DecisionDue(now)
	sub := application.Submission{ID: application.SubmissionID(account, fmt.Sprintf("%s-%d", rec.Device, rec.Number)), Account: account,
		Track: application.Emergency, Place: s.Place, Township: s.Township, County: county.Code, Cause: s.Kind.Cause(), Relation: application.Outreach,
		Particulars: application.Particulars{Subject: p.Person, Address: p.Address, Story: in.Story},
		Consents:    []application.Agreement{{Role: application.RoleSubject, Document: rec.Consent}},
		Deadline:    application.Deadline{Kind: application.ToDecide, From: now, At: due.At, Provisional: due.Provisional},
		HoldDue:     rules.HoldDue(now).At, Filer: who.Actor(), Trace: r.Trace, At: now, Day: today}
	return sub, nil
}
