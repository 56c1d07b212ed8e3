package application_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// Check-digit-valid synthetic numbers (domain.md 4.3); they may belong to
// somebody, so they appear in tests only.
const (
	adultNumber   = "320402198507090013"
	spouseNumber  = "320411195803120021"
	childNumber   = "320404201405010032"
	toddlerNumber = "120112202101010069"
	agentNumber   = "511702197602280059"
)

var (
	t0  = time.Date(2026, 11, 22, 10, 0, 0, 0, calendar.Zone)
	day = calendar.Today(t0)
)

// bench is a store, keys and a submission to change.
type bench struct {
	t     *testing.T
	store table.Store
	box   *seal.Box
	blind *seal.Blind
}

func newBench(t *testing.T) *bench {
	t.Helper()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	t.Cleanup(func() { mem.Close() })
	return &bench{t, mem, seal.NewBox(keys, rand.Reader), keys.Blind()}
}

func person(t *testing.T, name, number string) application.Person {
	t.Helper()
	n, err := civil.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := civil.ParsePaper(civil.IDCard, number, day)
	if err != nil {
		t.Fatal(err)
	}
	return application.Person{Name: n, Paper: p}
}

// submission is a family of three whose father asks for himself.
func (b *bench) submission(key string) application.Submission {
	account, err := civil.ParseAccount("6228480000000000018")
	if err != nil {
		b.t.Fatal(err)
	}
	p := application.Particulars{
		Subject: person(b.t, "张三", adultNumber),
		Members: []application.Member{
			{Person: person(b.t, "李四", spouseNumber), Kinship: application.Spouse},
			{Person: person(b.t, "张小", childNumber), Kinship: application.Child},
		},
		Address: redact.New("天宁街道某小区1号"), Story: redact.New("昨夜家中失火"), Account: account,
	}
	doc := application.Authorisation().SHA256
	return application.Submission{
		ID: application.SubmissionID("acc", key), Account: "acc", Track: application.Emergency,
		Place: "320402005001", Township: "320402005000", County: "320402000000", Cause: policy.Fire,
		Relation: application.Self, Particulars: p, At: t0, Day: day, Trace: "trace",
		Consents: []application.Agreement{{Role: "subject", Document: doc}, {Role: "members/0", Document: doc}, {Role: "members/1", Document: doc}},
		Deadline: application.Deadline{Kind: application.ToDecide, From: t0, At: t0.Add(24 * time.Hour)},
		HoldDue:  t0.Add(12 * time.Hour),
	}
}

type receipt struct {
	ID string `json:"id"`
}

func (b *bench) ask(key, body string) application.Request {
	return application.Asked(b.blind, "key-"+key, "digest-"+body, 201)
}

func (b *bench) submit(s application.Submission, req application.Request) (application.Answer, error) {
	return application.Submit(b.t.Context(), b.store, b.blind, b.box, s, req,
		func(a application.Application, _ event.Event) (application.With[receipt], error) {
			return application.With[receipt]{Out: receipt{a.ID}}, nil
		})
}

func (b *bench) accepted() application.Application {
	b.t.Helper()
	s := b.submission("one")
	if _, err := b.submit(s, b.ask("one", "one")); err != nil {
		b.t.Fatal(err)
	}
	return b.get(s.ID)
}

func (b *bench) get(id string) application.Application {
	b.t.Helper()
	a, err := application.Get(b.t.Context(), b.store, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) items(pk string) []table.Item {
	b.t.Helper()
	page, err := b.store.Query(context.Background(), table.Query{PK: pk})
	if err != nil {
		b.t.Fatal(err)
	}
	return page.Items
}

var citizen = event.Actor{Kind: event.Citizen, ID: "acc"}

// note is the simplest change: it records that something happened.
func note(at time.Time) func(application.Application) (application.Step[receipt], error) {
	return func(a application.Application) (application.Step[receipt], error) {
		n, err := a.Note()
		return application.Step[receipt]{Next: n, Event: n.Event("visited", citizen, at), Out: receipt{fmt.Sprint(n.Version)}}, err
	}
}

func TestASubmissionIsStoredWholeAndWithoutPersonalData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	if a.Version != 1 || a.State != application.Accepted || !a.AcceptedAt.Equal(t0) || a.Payee == "" || len(a.People) != 3 || a.People[0] != a.Subject {
		t.Fatalf("stored %+v", a)
	}
	p, v, err := application.OpenParticulars(t.Context(), b.store, b.box, a.ID)
	if err != nil || v != 1 {
		t.Fatal(v, err)
	}
	want := b.submission("one").Particulars
	if p.Subject != want.Subject || len(p.Members) != 2 || p.Members[1] != want.Members[1] || p.Account != want.Account || p.Story != want.Story || p.Address != want.Address {
		t.Error("particulars do not come back as they went in")
	}
	consents, err := application.Consents(t.Context(), b.store, a.ID)
	if err != nil || len(consents) != 3 {
		t.Fatal(len(consents), err)
	}
	signers := map[application.Signer]int{}
	for ref, c := range consents {
		signers[c.Signer]++
		if c.Person != ref || c.Text == application.PaperText || c.Account != "acc" {
			t.Errorf("consent %+v", c)
		}
	}
	if signers[application.Own] != 1 || signers[application.Family] != 1 || signers[application.Guardian] != 1 {
		t.Errorf("signers %v", signers)
	}
	secrets := []string{adultNumber, spouseNumber, childNumber, "张三", "李四", "失火", "6228480000000000018", "天宁街道某小区"}
	for _, item := range b.items(application.Partition(a.ID)) {
		text := item.Key.PK + item.Key.SK + string(item.Body) + fmt.Sprint(item.Places)
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s holds personal data in the clear", item.Key.SK)
			}
		}
	}
}

func TestX041DoubleTapGivesOneCaseAndTheSameBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.submit(b.submission("k"), b.ask("k", "body"))
	if err != nil || first.Replayed || first.Status != 201 {
		t.Fatal(first, err)
	}
	for range 3 {
		again, err := b.submit(b.submission("k"), b.ask("k", "body"))
		if err != nil || !again.Replayed || string(again.Body) != string(first.Body) || again.Status != 201 {
			t.Fatalf("again %s %v", again.Body, err)
		}
	}
}

func TestX042SameKeyOtherBodyIs422(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.submit(b.submission("k"), b.ask("k", "body")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.submit(b.submission("k"), b.ask("k", "other")); !errors.Is(err, application.ErrReused) {
		t.Errorf("submit: %v", err)
	}
	id := b.submission("k").ID
	if _, err := application.Change(t.Context(), b.store, id, b.ask("n", "a"), note(t0)); err != nil {
		t.Fatal(err)
	}
	if _, err := application.Change(t.Context(), b.store, id, b.ask("n", "b"), note(t0)); !errors.Is(err, application.ErrReused) {
		t.Errorf("change: %v", err)
	}
}

func TestX043FiftyAtOnceMakeOneCase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wg sync.WaitGroup
	answers := make([]application.Answer, 50)
	errs := make([]error, 50)
	for i := range answers {
		wg.Go(func() { answers[i], errs[i] = b.submit(b.submission("k"), b.ask("k", "body")) })
	}
	wg.Wait()
	fresh := 0
	for i, a := range answers {
		if errs[i] != nil {
			t.Fatalf("twin %d: %v", i, errs[i])
		}
		if !a.Replayed {
			fresh++
		}
		if string(a.Body) != string(answers[0].Body) {
			t.Fatalf("twin %d got another body", i)
		}
	}
	if fresh != 1 {
		t.Errorf("%d of them were first", fresh)
	}
	events := 0
	for _, item := range b.items(application.Partition(b.submission("k").ID)) {
		if event.Is(item.Key) {
			events++
		}
	}
	if events != 1 {
		t.Errorf("%d events", events)
	}
}

func TestFiftyChangesAtOnceAreFiftyVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.accepted().ID
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 50 {
		wg.Go(func() {
			for { // ErrMovedOn asks the caller to try again
				_, err := application.Change(context.Background(), b.store, id, b.ask(fmt.Sprint(i), "x"), note(t0))
				if errors.Is(err, application.ErrMovedOn) {
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				}
				return
			}
		})
	}
	wg.Wait()
	if a := b.get(id); done != 50 || a.Version != 51 || len(a.Requests) != 51 {
		t.Errorf("%d done, version %d, %d requests", done, a.Version, len(a.Requests))
	}
}

func TestX044TheKeyOfAnotherAccountIsIndependent(t *testing.T) {
	t.Parallel()
	first, again := application.SubmissionID("acc", "k"), application.SubmissionID("acc", "k")
	if first != again || first == application.SubmissionID("other", "k") {
		t.Error("ids are not scoped by account")
	}
}

func TestX047ThirteenMonthsLaterTheAnswerIsTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.submit(b.submission("k"), b.ask("k", "body"))
	if err != nil {
		t.Fatal(err)
	}
	id := b.submission("k").ID
	if _, err := application.Change(t.Context(), b.store, id, application.Request{}, note(t0)); err != nil {
		t.Fatal(err)
	}
	late := b.submission("k")
	late.At = t0.AddDate(0, 13, 0)
	again, err := b.submit(late, b.ask("k", "body"))
	if err != nil || !again.Replayed || string(again.Body) != string(first.Body) {
		t.Fatal(again, err)
	}
	if a := b.get(id); !a.AcceptedAt.Equal(t0) || a.Version != 2 {
		t.Error("a repeat moved the legal clock")
	}
}

func TestARepeatSurvivesARotationOfTheBlindKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, err := seal.OpenKeyFile(dir+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, embedded.Memory(), seal.NewBox(keys, rand.Reader), keys.Blind()}
	if _, err := b.submit(b.submission("k"), b.ask("k", "body")); err != nil {
		t.Fatal(err)
	}
	if err := keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	b.blind = keys.Blind()
	if again, err := b.submit(b.submission("k"), b.ask("k", "body")); err != nil || !again.Replayed {
		t.Errorf("repeat: %v", err)
	}
	other := b.submission("second")
	if _, err := b.submit(other, b.ask("second", "body")); !errors.Is(err, application.ErrDuplicate) {
		t.Errorf("after a rotation the same person may ask twice: %v", err)
	}
}

func TestASecondOpenApplication(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.accepted()
	t.Run("of the same account is a conflict that points to the first", func(t *testing.T) {
		_, err := b.submit(b.submission("two"), b.ask("two", "two"))
		if !errors.Is(err, application.ErrDuplicate) || !strings.Contains(fmt.Sprint(errFields(err)), first.ID) {
			t.Errorf("%v", err)
		}
	})
	s := b.submission("three")
	s.ID, s.Account = application.SubmissionID("neighbour", "three"), "neighbour"
	t.Run("of another account is accepted and held", func(t *testing.T) {
		answer, err := b.submit(s, b.ask("three", "three"))
		if err != nil || answer.Status != 201 {
			t.Fatal(err)
		}
		a := b.get(s.ID)
		if len(a.Holds) != 1 || a.Holds[0].Code != application.HoldDuplicate || a.Holds[0].Owner == "" || !a.Holds[0].Due.After(t0) {
			t.Errorf("holds %+v", a.Holds)
		}
		if strings.Contains(string(answer.Body), first.ID) {
			t.Error("another caller's case leaks")
		}
	})
	t.Run("for another cause is its own", func(t *testing.T) {
		s := b.submission("four")
		s.Cause = policy.SuddenIllness
		if _, err := b.submit(s, b.ask("four", "four")); err != nil || b.get(s.ID).Held() {
			t.Error(err)
		}
	})
	t.Run("after the first was withdrawn takes its place", func(t *testing.T) {
		_, err := application.Change(t.Context(), b.store, first.ID, application.Request{}, func(a application.Application) (application.Step[receipt], error) {
			n, err := a.Withdraw()
			return application.Step[receipt]{Next: n, Event: n.Event("withdrawn", citizen, t0)}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		s := b.submission("five")
		if _, err := b.submit(s, b.ask("five", "five")); err != nil || b.get(s.ID).Held() {
			t.Error(err)
		}
	})
}

func TestTwoAccountsAtOnceForOnePersonLeaveOneWithoutAHold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		account := fmt.Sprintf("acc%d", i)
		s := b.submission("k")
		s.ID, s.Account = application.SubmissionID(account, "k"), account
		ids[i] = s.ID
		wg.Go(func() {
			for { // a busy store asks the caller to try again
				_, err := b.submit(s, b.ask(account, "k"))
				if errors.Is(err, table.ErrBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	free := 0
	for _, id := range ids {
		if !b.get(id).Held() {
			free++
		}
	}
	if free != 1 {
		t.Errorf("%d of 8 could be paid", free)
	}
}

func errFields(err error) []string {
	var out []string
	for _, f := range faultFields(err) {
		out = append(out, f.Pointer+" "+f.Code+" "+f.Detail)
	}
	return out
}

// trouble is a store whose n-th transaction is lost on its way there, or whose
// answer is lost on its way back.
type trouble struct {
	table.Store
	mu     sync.Mutex
	fail   map[int]string // by transaction, from 1: "lost", "stored", "moved"
	seen   int
	beside func() // what another process does just before a "moved" one
}

func (s *trouble) Transact(ctx context.Context, writes ...table.Write) error {
	s.mu.Lock()
	s.seen++
	how := s.fail[s.seen]
	s.mu.Unlock()
	switch how {
	case "lost":
		return table.ErrUnknown
	case "stored":
		if err := s.Store.Transact(ctx, writes...); err != nil {
			return err
		}
		return table.ErrUnknown
	case "moved":
		s.beside()
	case "busy":
		return table.ErrBusy
	}
	return s.Store.Transact(ctx, writes...)
}

func TestEveryWriteMayBeLostOrLostButStored(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"lost", "stored"} {
		t.Run("submit "+how, func(t *testing.T) {
			b := newBench(t)
			b.store = &trouble{Store: b.store, fail: map[int]string{1: how}}
			answer, err := b.submit(b.submission("k"), b.ask("k", "body"))
			if err != nil || !strings.Contains(string(answer.Body), b.submission("k").ID) {
				t.Fatal(string(answer.Body), err)
			}
			if b.get(b.submission("k").ID).Version != 1 {
				t.Error("submitted twice")
			}
		})
		for _, key := range []string{"", "asked"} {
			t.Run("change "+how+" "+key, func(t *testing.T) {
				b := newBench(t)
				id := b.accepted().ID
				b.store = &trouble{Store: b.store, fail: map[int]string{1: how}}
				req := application.Request{}
				if key != "" {
					req = b.ask(key, "x")
				}
				answer, err := application.Change(t.Context(), b.store, id, req, note(t0))
				if err != nil || string(answer.Body) != `{"id":"2"}` || b.get(id).Version != 2 {
					t.Errorf("%s %v, version %d", answer.Body, err, b.get(id).Version)
				}
			})
		}
	}
	t.Run("always lost is indeterminate and never a lie", func(t *testing.T) {
		b := newBench(t)
		id := b.accepted().ID
		lost := map[int]string{1: "lost", 2: "lost", 3: "lost", 4: "lost", 5: "lost"}
		b.store = &trouble{Store: b.store, fail: lost}
		if _, err := application.Change(t.Context(), b.store, id, b.ask("n", "x"), note(t0)); !errors.Is(err, table.ErrUnknown) {
			t.Error(err)
		}
		b.store = &trouble{Store: b.store, fail: lost}
		s := b.submission("z")
		s.Cause = policy.Injury
		if _, err := b.submit(s, b.ask("z", "x")); !errors.Is(err, table.ErrUnknown) {
			t.Error(err)
		}
	})
	t.Run("busy is said at once", func(t *testing.T) {
		b := newBench(t)
		id := b.accepted().ID
		b.store = &trouble{Store: b.store, fail: map[int]string{1: "busy", 2: "busy"}}
		if _, err := application.Change(t.Context(), b.store, id, b.ask("n", "x"), note(t0)); !errors.Is(err, table.ErrBusy) {
			t.Error(err)
		}
		s := b.submission("z")
		s.Cause = policy.Injury
		if _, err := b.submit(s, b.ask("z", "x")); !errors.Is(err, table.ErrBusy) {
			t.Error(err)
		}
	})
}

func TestAChangeStartsAgainFromTheNewState(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.accepted().ID
	inner := b.store
	s := &trouble{Store: inner, fail: map[int]string{1: "moved"}}
	s.beside = func() {
		if _, err := application.Change(t.Context(), inner, id, application.Request{}, note(t0)); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := application.Change(t.Context(), s, id, b.ask("n", "x"), note(t0.Add(time.Hour)))
	if err != nil || string(answer.Body) != `{"id":"3"}` {
		t.Fatal(string(answer.Body), err)
	}
	s = &trouble{Store: inner, beside: s.beside, fail: map[int]string{1: "moved", 2: "moved", 3: "moved", 4: "moved", 5: "moved"}}
	if _, err := application.Change(t.Context(), s, id, b.ask("m", "x"), note(t0.Add(time.Hour))); !errors.Is(err, application.ErrMovedOn) {
		t.Errorf("moved for ever: %v", err)
	}
}

func TestAFailedConditionMayHaveAName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.accepted().ID
	taken := table.Key{PK: "MARKER", SK: "M"}
	put := table.Put{Item: table.Item{Key: taken, Version: 1}}
	if err := b.store.Transact(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("marker is taken")
	runs := 0
	_, err := application.Change(t.Context(), b.store, id, b.ask("n", "x"), func(a application.Application) (application.Step[receipt], error) {
		runs++
		step, err := note(t0)(a)
		step.Also = []table.Write{put}
		step.Lost = func(e *table.ConditionError) error {
			if _, ok := e.On(taken); ok {
				return mine
			}
			return nil
		}
		return step, err
	})
	if !errors.Is(err, mine) || runs != 1 || b.get(id).Version != 1 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

func TestAStepThatSkipsAVersionIsADefect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.accepted().ID
	_, err := application.Change(t.Context(), b.store, id, application.Request{}, func(a application.Application) (application.Step[receipt], error) {
		return application.Step[receipt]{Next: a, Event: a.Event("visited", citizen, t0)}, nil
	})
	if err == nil || b.get(id).Version != 1 {
		t.Error("a step without a new version was stored")
	}
	if _, err := application.Change(t.Context(), b.store, "absent", application.Request{}, note(t0)); !errors.Is(err, application.ErrNotFound) {
		t.Error(err)
	}
}

func TestX116ParticularsMovedToAnotherCaseDoNotOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	other := b.submission("other")
	other.Cause = policy.Injury
	if _, err := b.submit(other, b.ask("other", "x")); err != nil {
		t.Fatal(err)
	}
	item, _, err := b.store.Get(t.Context(), table.Key{PK: application.Partition(a.ID), SK: "PARTICULARS"})
	if err != nil {
		t.Fatal(err)
	}
	item.Key.PK = application.Partition(other.ID)
	item.Version = 2
	if err := b.store.Transact(t.Context(), table.Replace{Item: item}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := application.OpenParticulars(t.Context(), b.store, b.box, other.ID); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opened: %v", err)
	}
	if _, _, err := application.OpenParticulars(t.Context(), b.store, b.box, "absent"); !errors.Is(err, application.ErrNotFound) {
		t.Error(err)
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	a := application.Application{ID: "x", State: application.Accepted}
	body, err := json.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"holds":[{"lifted":{}}],"award":{"amount_fen":9e99}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := application.Decode(table.Item{Key: table.Key{PK: "APP#x", SK: "HEAD"}, Version: 3, Body: body})
		if err != nil {
			return
		}
		if a.Version != 3 {
			t.Error("the version is the item's, not the body's")
		}
		_, _, _ = a.Deadline.Next()
		_ = a.Held()
		if _, err := json.Marshal(a); err != nil {
			t.Error(err)
		}
	})
}

// A hold that somebody lifted was about the people and the account of that day.
func TestALookCountsForWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	guardian := application.Hold{ID: "h1", Code: application.HoldGuardian, Owner: "clerk", Lifted: &application.Lift{By: event.Actor{Kind: event.Staff, ID: "reviewer-1", Person: "r"}}}
	a := application.Application{ID: "a", Version: 3, State: application.Verified, Subject: "s", People: []string{"s", "m"}, Payee: "p", Holds: []application.Hold{guardian}}
	for name, c := range map[string]struct {
		people []string
		payee  string
		again  bool
	}{
		"nothing_changed": {a.People, a.Payee, false},
		"another_person":  {[]string{"s", "x"}, a.Payee, true},
		"other_places":    {[]string{"m", "s"}, a.Payee, true},
		"another_account": {a.People, "q", true},
	} {
		n, err := a.Supplement(a.Subject, c.people, c.payee, t0)
		if err != nil {
			t.Fatal(err)
		}
		n, err = n.WithFindings(application.Findings{}, []application.Hold{{ID: "h2", Code: application.HoldGuardian, Owner: "clerk"}})
		if err != nil || n.Held() != c.again || application.LookedAt(a.Holds, application.HoldGuardian) != true {
			t.Errorf("%s: held %v, %v", name, n.Held(), err)
		}
	}
}
