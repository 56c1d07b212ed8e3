package envelope_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// office is an office with one standing approval: 3,300 yuan for people on
// dibao, 1,100 at most for each, for three days.
type office struct {
	*firstaidtest.Office
	id string
}

func open(t *testing.T, edits ...func([]byte) []byte) *office {
	t.Helper()
	if len(edits) == 0 {
		edits = []func([]byte) []byte{firstaidtest.StandingApprovals}
	}
	o := &office{Office: firstaidtest.New(t, edits...), id: "e1"}
	e := envelope.New(envelope.Envelope{ID: o.id, Township: firstaidtest.Township, County: firstaidtest.County, Class: policy.Dibao,
		PersonFen: 1100_00, TotalFen: 3300_00, Until: o.Now().AddDate(0, 0, 3)}, o.staff("320400-approver-1").Actor(), o.Now())
	o.write(e, "asked")
	e, err := e.Approve(o.staff("320400-county-1").Actor(), o.Now())
	if err != nil {
		t.Fatal(err)
	}
	o.write(e, "approved")
	return o
}

func (o *office) write(e envelope.Envelope, kind string) {
	o.T.Helper()
	writes, err := e.Writes(kind, e.Asked, o.Now(), nil, nil)
	if err == nil {
		err = o.Store.Transact(context.Background(), writes...)
	}
	if err != nil {
		o.T.Fatal(err)
	}
}

// brake is one person's pull.
func (o *office) brake(kind brake.Kind, target string) {
	o.T.Helper()
	b, err := brake.New(brake.Brake{ID: "b", Kind: kind, Target: target, Division: firstaidtest.Township}, o.staff("320400-supervisor-1").Actor(), o.Now())
	if err != nil {
		o.T.Fatal(err)
	}
	board, err := brake.Read(context.Background(), o.Store, "b")
	if err == nil {
		err = brake.Commit(context.Background(), o.Store, board, b, b.Event("pulled", b.Pulled.By, o.Now()))
	}
	if err != nil {
		o.T.Fatal(err)
	}
}

func (o *office) staff(id string) staff.Staff {
	o.T.Helper()
	s, err := staff.Get(context.Background(), o.Store, id)
	if err != nil {
		o.T.Fatal(err)
	}
	return s
}

func (o *office) envelope() envelope.Envelope {
	o.T.Helper()
	e, err := envelope.Get(context.Background(), o.Store, firstaidtest.Township, o.id)
	if err != nil {
		o.T.Fatal(err)
	}
	return e
}

func dibao(f *application.Findings) { f.Classes = []policy.RecipientClass{policy.Dibao} }

// verified is an application of somebody on dibao, with its findings.
func (o *office) verified(change ...func(*application.Submission)) string {
	return o.Verify(o.Apply(o.Person(), change...).ID, dibao).ID
}

func (o *office) release(id string) bool {
	o.T.Helper()
	ok, err := envelope.Release(context.Background(), o.Office.Office, o.Calendar, id, o.Now())
	if err != nil {
		o.T.Fatal(err)
	}
	return ok
}

// What a model holds no envelope releases: the hold and its reason are written
// instead, once, and people decide.
func TestAModelKeepsACaseFromBeingReleased(t *testing.T) {
	t.Parallel()
	o := open(t)
	bill := func(s *application.Submission) {
		s.Particulars.Expenses = []application.Expense{{Invoice: redact.New("FP-1")}}
	}
	if !o.release(o.verified(bill)) {
		t.Fatal("the first with the bill is not released")
	}
	id := o.verified(bill)
	left := o.envelope().LeftFen
	for range 2 {
		if o.release(id) {
			t.Error("released")
		}
	}
	a := o.Read(id)
	if a.State != application.Verified || len(a.Holds) != 1 || a.Holds[0].Code != "MODEL_INVOICE_TWICE" || a.Version != 3 || o.envelope().LeftFen != left {
		t.Errorf("%s at version %d, holds %+v", a.State, a.Version, a.Holds)
	}
	found, err := inspection.Of(t.Context(), o.Store, id)
	if err != nil || len(found) != 1 || found[0].Hold != a.Holds[0].ID {
		t.Errorf("found %+v %v", found, err)
	}
}

func TestItReleasesAtNightAndOnHolidays(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Pass(40 * time.Hour) // Sunday, half past one in the morning
	id := o.verified()
	if !o.release(id) {
		t.Fatal("not released")
	}
	a := o.Read(id)
	if a.State != application.Approved || a.Award.By.Kind != event.System || a.Award.By.ID != "envelope#e1" || a.Deadline.Kind != application.ToExplain {
		t.Errorf("got %+v", a)
	}
	p, err := payout.Get(t.Context(), o.Store, payout.Key(id, "01"))
	if err != nil || p.State != payout.Due || p.Award.Envelope != "e1" || p.Award.AmountFen != 1100_00 {
		t.Errorf("payout %+v %v", p, err)
	}
	if b := o.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != 1100_00 {
		t.Errorf("reserved %v", b.Of(fund.Reserved))
	}
	if e := o.envelope(); e.LeftFen != 2200_00 {
		t.Errorf("left %v", e.LeftFen)
	}
	for _, e := range o.Events(application.Partition(id)) {
		if e.Kind == "released" && (e.Facts.Text("asked_by") != "320400-approver-1" || e.Facts.Text("approved_by") != "320400-county-1") {
			t.Errorf("the two who approved are not named: %+v", e.Facts)
		}
	}
	r, err := envelope.GetReview(t.Context(), o.Store, id, "01")
	if err != nil || !r.Due.Equal(time.Date(2026, 11, 24, 0, 0, 0, 0, o.Now().Location())) {
		t.Errorf("review %+v %v", r, err)
	}
	if o.release(id) {
		t.Error("released twice")
	}
}

func TestWhatItNeverReleases(t *testing.T) {
	t.Parallel()
	off := func(text []byte) []byte { return text }
	for name, tc := range map[string]struct {
		edit func([]byte) []byte
		make func(o *office) string
	}{
		"nobody_of_another_class":        {nil, func(o *office) string { return o.Verify(o.Apply(o.Person()).ID).ID }},
		"nothing_when_the_rules_say_off": {off, func(o *office) string { return o.verified() }},
		"nothing_for_another_cause": {nil, func(o *office) string {
			return o.verified(func(s *application.Submission) { s.Cause = policy.JobLoss })
		}},
		"nothing_in_another_township": {nil, func(o *office) string { return o.verified(firstaidtest.In(firstaidtest.Sibling)) }},
		"nothing_that_somebody_else_asks_for": {nil, func(o *office) string {
			return o.verified(func(s *application.Submission) {
				agent := o.Person()
				s.Relation, s.Particulars.Applicant = application.Relative, &agent
			})
		}},
		"nothing_without_an_account": {nil, func(o *office) string {
			return o.verified(func(s *application.Submission) { s.Particulars.Account, s.Particulars.Holder = civil.Account{}, "" })
		}},
		"nothing_before_verification": {nil, func(o *office) string { return o.Apply(o.Person()).ID }},
		"nothing_with_a_mismatch": {nil, func(o *office) string {
			return o.Verify(o.Apply(o.Person()).ID, dibao, func(f *application.Findings) {
				f.Checks = []policy.Check{{Source: policy.SourceIdentity, Outcome: policy.Mismatch}}
			}).ID
		}},
		"nothing_with_a_hold_that_was_lifted": {nil, func(o *office) string {
			id := o.verified()
			var h application.Hold
			o.Change(id, "held", func(a application.Application) (application.Application, error) {
				h = application.NewHold(a.ID, a.Version, application.HoldStaff, event.Actor{Kind: event.System, ID: "x"}, o.Now(), o.Now())
				next, _, err := a.PlaceHold(h)
				return next, err
			})
			o.Change(id, "hold_lifted", func(a application.Application) (application.Application, error) {
				return a.LiftHold(h.ID, o.staff("320400-approver-1").Actor(), o.Now())
			})
			return id
		}},
		"nothing_for_kin_of_staff": {nil, func(o *office) string {
			return o.Verify(o.Apply(o.Person()).ID, dibao, func(f *application.Findings) { f.Kin = []string{"320400-clerk-1"} }).ID
		}},
		"nothing_for_the_one_who_asked_for_it": {nil, func(o *office) string {
			id := o.verified()
			s := o.staff("320400-approver-1")
			if err := staff.Declare(t.Context(), o.Store, s, []string{o.Read(id).Subject}, s.Actor(), o.Now()); err != nil {
				t.Fatal(err)
			}
			return id
		}},
		"nothing_for_the_one_who_asked_for_it_under_a_new_blind_key": {nil, func(o *office) string {
			o.RotateBlind()
			return o.Verify(o.Apply(o.Holder("320402197804139034")).ID, dibao).ID // approver-1
		}},
		"nothing_after_an_earlier_award": {nil, func(o *office) string {
			who := o.Person()
			first := o.Verify(o.Apply(who).ID, dibao).ID
			if !o.release(first) {
				t.Error("the first was not released")
			}
			return o.Verify(o.Apply(who, func(s *application.Submission) { s.Cause = policy.Injury }).ID, dibao).ID
		}},
		"nothing_above_the_cap_for_one_person": {nil, func(o *office) string {
			e := o.envelope()
			e.PersonFen, e.Version = 1099_99, e.Version+1
			o.write(e, "lowered")
			return o.verified()
		}},
		"nothing_while_the_township_is_braked": {nil, func(o *office) string { o.brake(brake.Division, ""); return o.verified() }},
		"nothing_while_the_bank_is_braked":     {nil, func(o *office) string { o.brake(brake.Rail, "bank"); return o.verified() }},
		"nothing_while_who_asked_for_it_is_stopped": {nil, func(o *office) string {
			o.brake(brake.Officer, "320400-approver-1")
			return o.verified()
		}},
		"nothing_while_who_approved_it_is_stopped": {nil, func(o *office) string {
			o.brake(brake.Officer, "320400-county-1")
			return o.verified()
		}},
		"nothing_after_its_end": {nil, func(o *office) string {
			o.Pass(72 * time.Hour)
			return o.verified()
		}},
		"nothing_after_its_closing": {nil, func(o *office) string {
			e, err := o.envelope().Close(o.staff("320400-approver-1").Actor())
			if err != nil {
				t.Fatal(err)
			}
			o.write(e, "closed")
			return o.verified()
		}},
		"nothing_to_an_account_of_another_person": {nil, func(o *office) string {
			account := func(s *application.Submission) { s.Particulars.Account = o.Account(888) }
			if !o.release(o.verified(account)) {
				t.Error("the first was not released")
			}
			return o.verified(account)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o *office
			if tc.edit != nil {
				o = open(t, tc.edit)
			} else {
				o = open(t)
			}
			id := tc.make(o)
			left, state := o.envelope().LeftFen, o.Read(id).State
			if o.release(id) || o.Read(id).Award != nil || o.Read(id).State != state || o.envelope().LeftFen != left {
				t.Errorf("released: %+v", o.Read(id))
			}
		})
	}
}

// However many come at once, the total is never passed.
func TestTheTotalIsNeverPassed(t *testing.T) {
	t.Parallel()
	o := open(t)
	var ids []string
	for range 8 {
		ids = append(ids, o.verified())
	}
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			if _, err := envelope.Release(context.Background(), o.Office.Office, o.Calendar, id, o.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		o.release(id) // what lost a race
	}
	released := 0
	for _, id := range ids {
		if o.Read(id).Award != nil {
			released++
		}
	}
	if released != 3 || o.envelope().LeftFen != 0 {
		t.Errorf("%d released, %v left", released, o.envelope().LeftFen)
	}
	if b := o.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Reserved) != 3300_00 {
		t.Errorf("reserved %v", b.Of(fund.Reserved))
	}
	moved := money.Fen(0)
	for _, e := range o.Events(envelope.Partition(firstaidtest.Township)) {
		if e.Noun == "release" {
			moved += e.Facts.Fen("amount_fen")
		}
	}
	if moved != 3300_00 {
		t.Errorf("the events tell of %v", moved)
	}
}

// A release that read the envelope while it was open must not land once it is closed.
func TestAReleaseDoesNotCrossTheClosing(t *testing.T) {
	t.Parallel()
	o := open(t)
	id := o.verified()
	gate := &closing{Store: o.Store, before: func() {
		e, err := o.envelope().Close(o.staff("320400-county-1").Actor())
		if err != nil {
			t.Error(err)
		}
		o.write(e, "closed")
	}}
	first := o.Office.Office
	first.Table = gate
	ok, err := envelope.Release(t.Context(), first, o.Calendar, id, o.Now())
	if ok || err != nil || o.Read(id).Award != nil {
		t.Errorf("released %t %v", ok, err)
	}
}

// Nor when it is braked in between.
func TestAReleaseDoesNotCrossABrake(t *testing.T) {
	t.Parallel()
	o := open(t)
	id := o.verified()
	first := o.Office.Office
	first.Table = &closing{Store: o.Store, before: func() { o.brake(brake.Division, "") }}
	ok, err := envelope.Release(t.Context(), first, o.Calendar, id, o.Now())
	if ok || err != nil || o.Read(id).Award != nil {
		t.Errorf("released %t %v", ok, err)
	}
}

type closing struct {
	table.Store
	before func()
}

func (c *closing) Transact(ctx context.Context, writes ...table.Write) error {
	if f := c.before; f != nil {
		c.before = nil
		f()
	}
	return c.Store.Transact(ctx, writes...)
}

// The store fails at every call of a release in turn, without and with the write
// having happened: the message comes again, and one award is there.
func TestTheStoreFailsAtEveryStepOfARelease(t *testing.T) {
	t.Parallel()
	for _, lose := range []bool{false, true} {
		o := open(t)
		for n := 1; ; n++ {
			o.raise()
			id := o.verified()
			f := &failing{Store: o.Store, at: n, lose: lose}
			first := o.Office.Office
			first.Table = f
			ok, err := envelope.Release(t.Context(), first, o.Calendar, id, o.Now())
			if f.calls < n {
				if !ok || err != nil || n < 6 {
					t.Errorf("after %d calls: %t %v", f.calls, ok, err)
				}
				break
			}
			if err == nil {
				t.Errorf("call %d: the trouble is not told", n)
			}
			o.release(id)
			if a := o.Read(id); a.Award == nil || o.envelope().LeftFen != 2200_00 {
				t.Fatalf("call %d: %+v, %v left", n, a.Award, o.envelope().LeftFen)
			}
		}
	}
}

// raise fills the envelope up again.
func (o *office) raise() {
	e := o.envelope()
	e.LeftFen, e.Version = e.TotalFen, e.Version+1
	o.write(e, "filled")
}

type failing struct {
	table.Store
	mu        sync.Mutex // what models look at is read at once
	calls, at int
	lose      bool
}

func (f *failing) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.at
}

func (f *failing) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if f.fails() {
		return table.Item{}, false, table.ErrBusy
	}
	return f.Store.Get(ctx, key)
}

func (f *failing) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if f.fails() {
		return table.Page{}, table.ErrBusy
	}
	return f.Store.Query(ctx, q)
}

func (f *failing) Transact(ctx context.Context, writes ...table.Write) error {
	if !f.fails() {
		return f.Store.Transact(ctx, writes...)
	}
	if !f.lose {
		return table.ErrBusy
	}
	if err := f.Store.Transact(ctx, writes...); err != nil {
		return err
	}
	return table.ErrUnknown
}

func TestWhoMayOpenAndClose(t *testing.T) {
	t.Parallel()
	asked := event.Actor{Kind: event.Staff, ID: "a", Person: "p"}
	at := firstaidtest.Start
	e := envelope.New(envelope.Envelope{ID: "e", TotalFen: 1, Until: at.Add(time.Hour)}, asked, at)
	for name, tc := range map[string]struct {
		by   event.Actor
		at   time.Time
		want error
	}{
		"another_person":          {event.Actor{Kind: event.Staff, ID: "b", Person: "q"}, at, nil},
		"the_same_account":        {asked, at, application.ErrSamePerson},
		"that_account_of_another": {event.Actor{Kind: event.Staff, ID: "a", Person: "q"}, at, application.ErrSamePerson},
		"the_same_person":         {event.Actor{Kind: event.Staff, ID: "b", Person: "p"}, at, application.ErrSamePerson},
		"somebody_not_known":      {event.Actor{Kind: event.Staff, ID: "b"}, at, application.ErrSamePerson},
		"a_machine":               {event.Actor{Kind: event.System, ID: "b", Person: "q"}, at, application.ErrSamePerson},
		"after_it_would_be_over":  {event.Actor{Kind: event.Staff, ID: "b", Person: "q"}, at.Add(time.Hour), envelope.ErrOver},
	} {
		if _, err := e.Approve(tc.by, tc.at); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if e.Running(at) {
		t.Error("it runs before it is approved")
	}
	closed, err := e.Close(asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := closed.Close(asked); !errors.Is(err, envelope.ErrState) {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := closed.Approve(event.Actor{Kind: event.Staff, ID: "b", Person: "q"}, at); !errors.Is(err, envelope.ErrState) {
		t.Errorf("opened after closing: %v", err)
	}
	for _, s := range []envelope.State{envelope.Asked, envelope.Open, envelope.Closed} {
		if s.Label() == "" {
			t.Errorf("%s has no name", s)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	o := open(t)
	if _, err := envelope.Get(t.Context(), o.Store, firstaidtest.Sibling, o.id); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := envelope.GetReview(t.Context(), o.Store, "none", "01"); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := envelope.Release(t.Context(), o.Office.Office, o.Calendar, "none", o.Now()); !errors.Is(err, application.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	bad := table.Item{Key: table.Key{PK: "x", SK: "REVIEW#1"}, Body: []byte("{")}
	if _, err := envelope.DecodeReview(bad); err == nil {
		t.Error("a broken review was read")
	}
	if _, err := envelope.Decode(bad); err == nil || envelope.Is(bad.Key) || !envelope.IsReview(bad.Key) {
		t.Error("a broken envelope was read")
	}
}

func TestTheRulesLimitAnEnvelope(t *testing.T) {
	t.Parallel()
	limits := policy.StandingApproval{Classes: []policy.RecipientClass{policy.Dibao}, PerAwardFen: 1000_00, TotalFen: 9000_00, Days: 7}
	now := firstaidtest.Start
	good := envelope.Envelope{Class: policy.Dibao, PersonFen: 1000_00, TotalFen: 9000_00, Until: now.AddDate(0, 0, 7)}
	if got := good.Problems(limits, now); len(got) != 0 {
		t.Errorf("at the limits: %v", got)
	}
	for pointer, change := range map[string]func(*envelope.Envelope){
		"/class":      func(e *envelope.Envelope) { e.Class = policy.NearDibao },
		"/person_fen": func(e *envelope.Envelope) { e.PersonFen++ },
		"/total_fen":  func(e *envelope.Envelope) { e.TotalFen++ },
		"/until":      func(e *envelope.Envelope) { e.Until = e.Until.Add(1) },
	} {
		e := good
		change(&e)
		if got := e.Problems(limits, now); len(got) != 1 || got[0] != pointer {
			t.Errorf("past %s: %v", pointer, got)
		}
	}
	over := good
	over.Until, over.TotalFen = now, 999_99
	if got := over.Problems(limits, now); len(got) != 2 {
		t.Errorf("over at once, and smaller than one release: %v", got)
	}
}

func TestAReviewIsDoneOnce(t *testing.T) {
	t.Parallel()
	o := open(t)
	id := o.verified()
	if !o.release(id) {
		t.Fatal("not released")
	}
	r, err := envelope.GetReview(t.Context(), o.Store, id, "01")
	if err != nil {
		t.Fatal(err)
	}
	by := o.staff("320400-clerk-1").Actor()
	done, err := r.Done("ok", by)
	if err == nil {
		err = o.Store.Transact(t.Context(), done)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err = envelope.GetReview(t.Context(), o.Store, id, "01")
	if err != nil || r.Finding != "ok" || r.By.ID != by.ID {
		t.Errorf("got %+v %v", r, err)
	}
	if _, err := r.Done("problem", by); !errors.Is(err, envelope.ErrState) {
		t.Errorf("done twice: %v", err)
	}
	page, err := o.Store.Query(t.Context(), table.Query{Index: table.ByWork, PK: application.WorkList(firstaidtest.Township)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		if envelope.IsReview(item.Key) {
			t.Error("a review that was done is still a task")
		}
	}
}

// An envelope may be as small as one release, and runs until its last fen and its
// last moment, not longer.
func TestTheEdgesOfAnEnvelope(t *testing.T) {
	t.Parallel()
	now := firstaidtest.Start
	limits := policy.StandingApproval{Classes: []policy.RecipientClass{policy.Dibao}, PerAwardFen: 1000_00, TotalFen: 9000_00, Days: 7}
	good := envelope.Envelope{Class: policy.Dibao, PersonFen: 1000_00, TotalFen: 1000_00, Until: now.Add(1)}
	if got := good.Problems(limits, now); len(got) != 0 {
		t.Errorf("as large as one release, for a moment: %v", got)
	}
	for pointer, change := range map[string]func(*envelope.Envelope){
		"/person_fen": func(e *envelope.Envelope) { e.PersonFen = 0 },
		"/total_fen":  func(e *envelope.Envelope) { e.TotalFen = 999_99 },
		"/until":      func(e *envelope.Envelope) { e.Until = now },
	} {
		e := good
		change(&e)
		if got := e.Problems(limits, now); !slices.Equal(got, []string{pointer}) {
			t.Errorf("%s: %v", pointer, got)
		}
	}
	open := envelope.Envelope{State: envelope.Open, LeftFen: 1, Until: now.Add(1)}
	if !open.Running(now) || open.Running(now.Add(1)) {
		t.Error("it runs until its end, and its end is over")
	}
	for name, change := range map[string]func(*envelope.Envelope){
		"asked":  func(e *envelope.Envelope) { e.State = envelope.Asked },
		"closed": func(e *envelope.Envelope) { e.State = envelope.Closed },
		"empty":  func(e *envelope.Envelope) { e.LeftFen = 0 },
	} {
		e := open
		change(&e)
		if e.Running(now) {
			t.Errorf("%s, and it runs", name)
		}
	}
}

// Whoever is asked has a day, and may approve until the last moment of what is asked.
func TestTheCountyIsAskedForADay(t *testing.T) {
	t.Parallel()
	now := firstaidtest.Start
	first, second := event.Actor{Kind: event.Staff, ID: "a", Person: "p"}, event.Actor{Kind: event.Staff, ID: "b", Person: "q"}
	e := envelope.New(envelope.Envelope{ID: "e", Township: firstaidtest.Township, TotalFen: 9000_00, Until: now.Add(time.Hour)}, first, now)
	if got, err := e.Approve(second, e.Until.Add(-1)); err != nil || got.State != envelope.Open || got.LeftFen != 9000_00 || got.Version != 2 {
		t.Errorf("approved in the last moment: %+v %v", got, err)
	}
	writes, err := e.Writes("asked", first, now, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	item := writes[0].(table.Put).Item
	if want := work.Stamp(now.Add(24 * time.Hour)); len(item.Places) != 1 || item.Places[0].SK != want {
		t.Errorf("the task stands at %+v, not at %s", item.Places, want)
	}
}

// The last release may take what is left to the last fen, and not one more.
func TestTheLastFenOfAnEnvelope(t *testing.T) {
	t.Parallel()
	for left, want := range map[money.Fen]bool{1100_00: true, 1099_99: false} {
		o := open(t)
		e := o.envelope()
		e.LeftFen, e.Version = left, e.Version+1
		o.write(e, "lowered")
		if got := o.release(o.verified()); got != want || want && o.envelope().LeftFen != 0 {
			t.Errorf("of %v: released %v, %v left", left, got, o.envelope().LeftFen)
		}
	}
}

// An envelope that is only asked for, or closed, or stopped, does not stand in the
// way of another of the township.
func TestOneEnvelopeDoesNotHideAnother(t *testing.T) {
	t.Parallel()
	o := open(t)
	for id, kind := range map[string]envelope.State{"a-asked": envelope.Asked, "b-closed": envelope.Closed} { // both before e1
		e := envelope.New(envelope.Envelope{ID: id, Township: firstaidtest.Township, County: firstaidtest.County, Class: policy.Dibao,
			PersonFen: 1100_00, TotalFen: 3300_00, Until: o.Now().AddDate(0, 0, 3)}, o.staff("320400-approver-1").Actor(), o.Now())
		o.write(e, "asked")
		if kind == envelope.Asked {
			continue
		}
		e, err := e.Approve(o.staff("320400-county-1").Actor(), o.Now())
		if err != nil {
			t.Fatal(err)
		}
		o.write(e, "approved")
		if e, err = e.Close(e.Asked); err != nil {
			t.Fatal(err)
		}
		o.write(e, "closed")
	}
	if !o.release(o.verified()) || o.envelope().LeftFen != 2200_00 {
		t.Errorf("not released; %v left", o.envelope().LeftFen)
	}
}

// Where no envelope runs nobody's particulars are opened to find that out.
func TestNothingIsOpenedForNothing(t *testing.T) {
	t.Parallel()
	o := open(t)
	e, err := o.envelope().Close(o.staff("320400-county-1").Actor())
	if err != nil {
		t.Fatal(err)
	}
	o.write(e, "closed")
	id := o.verified()
	f := &failing{Store: o.Store}
	first := o.Office.Office
	first.Table = f
	if ok, err := envelope.Release(t.Context(), first, o.Calendar, id, o.Now()); ok || err != nil || f.calls != 2 { // the case, the envelopes
		t.Errorf("released %v after %d looks, %v", ok, f.calls, err)
	}
}
