package verify_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/verify"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/shared/work"
)

// rig is verify before a real exchange over real HTTP.
type rig struct {
	t     *testing.T
	world *world.World
	deps  verify.Deps
	asked *counter
	logs  *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) move(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// counter counts what was asked, and can do something meanwhile. Registers that
// answer later are there only when slow is set.
type counter struct {
	verify.Registers
	slow  bool
	mu    sync.Mutex
	asked []exchange.Question
	while func()
}

func (c *counter) Sources() []exchange.Source {
	return slices.DeleteFunc(slices.Clone(c.Registers.Sources()), func(s exchange.Source) bool { return s.Async && !c.slow })
}

func (c *counter) Ask(ctx context.Context, q exchange.Question) exchange.Answer {
	c.mu.Lock()
	c.asked = append(c.asked, q)
	while := c.while
	c.while = nil
	c.mu.Unlock()
	if while != nil {
		while()
	}
	return c.Registers.Ask(ctx, q)
}

func (c *counter) take() []exchange.Question {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.asked
	c.asked = nil
	return all
}

func newRig(t *testing.T, scenario string) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 23, 10, 0, 0, 0, calendar.Zone), logs: &bytes.Buffer{}}
	keys := world.LocalKeys("verify")
	o := world.Options{Keys: keys, Seed: "verify", Now: r.clock}
	if scenario != "" {
		s, err := world.ParseScenario([]byte(scenario))
		if err != nil {
			t.Fatal(err)
		}
		o.Scenario = s
	}
	var err error
	if r.world, err = world.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.world.Handler())
	t.Cleanup(func() { _ = r.world.Close(); server.Close() })
	xc := keys.ExchangeConfig(server.URL, server.Client(), r.clock, rand.Reader)
	xc.Sleep = func(context.Context, time.Duration) error { return nil }
	client, err := exchange.New(xc)
	if err != nil {
		t.Fatal(err)
	}
	r.asked = &counter{Registers: client}
	files, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	book, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	t.Cleanup(func() { mem.Close() })
	r.deps = verify.Deps{Table: mem, Box: seal.NewBox(files, rand.Reader), Blind: files.Blind(), Book: book, Registers: r.asked,
		Now: r.clock, Log: slog.New(slog.NewTextHandler(r.logs, nil))}
	return r
}

func (r *rig) person(role string) application.Person {
	r.t.Helper()
	p, ok := r.world.Cast("320400", role)
	if !ok {
		r.t.Fatalf("nobody plays %s", role)
	}
	paper, err := civil.ParsePaper(civil.IDCard, p.IDNumber, calendar.Today(r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	return application.Person{Name: civil.StoredName(p.Name), Paper: paper}
}

// submit files for role, with others of the cast as members; all agree.
func (r *rig) submit(role string, members ...string) string {
	r.t.Helper()
	p := application.Particulars{Subject: r.person(role), Account: civil.StoredAccount("6217000000000000020")}
	doc := application.Authorisation().SHA256
	agree := []application.Agreement{{Role: "subject", Document: doc}}
	for i, m := range members {
		p.Members = append(p.Members, application.Member{Person: r.person(m), Kinship: application.Spouse})
		agree = append(agree, application.Agreement{Role: application.RoleMember(i), Document: doc})
	}
	return r.file(p, agree)
}

func (r *rig) file(p application.Particulars, agree []application.Agreement) string {
	r.t.Helper()
	now := r.clock()
	day := calendar.Today(now)
	township, _ := division.Shipped().TownshipOf("320402005000", day)
	county, _ := division.Shipped().CountyOf("320402005000", day)
	s := application.Submission{ID: application.SubmissionID("acc", ident.Random().New()), Account: "acc", Track: application.Emergency,
		Place: township.Code, Township: township.Code, County: county.Code, Cause: policy.Fire, Relation: application.Self, Particulars: p,
		Consents: agree, At: now, Day: day, HoldDue: now.Add(time.Hour),
		Deadline: application.Deadline{Kind: application.ToDecide, From: now, At: now.Add(24 * time.Hour)}}
	_, err := application.Submit(r.t.Context(), r.deps.Table, r.deps.Blind, r.deps.Box, s, application.Request{},
		func(application.Application, event.Event) (application.With[struct{}], error) {
			return application.With[struct{}]{}, nil
		})
	if err != nil {
		r.t.Fatal(err)
	}
	return s.ID
}

func (r *rig) message(id string) queue.Message {
	k := application.Key(id)
	return queue.Message{ID: "m", Queue: "verify", Attempt: 1, Body: work.Message{PK: k.PK, SK: k.SK}.Encode()}
}

func (r *rig) run(id string) error { return verify.Handle(r.deps)(r.t.Context(), r.message(id)) }

func (r *rig) must(id string) application.Application {
	r.t.Helper()
	if err := r.run(id); err != nil {
		r.t.Fatal(err)
	}
	return r.get(id)
}

func (r *rig) get(id string) application.Application {
	r.t.Helper()
	a, err := application.Get(r.t.Context(), r.deps.Table, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) event(id string, kind string) event.Event {
	r.t.Helper()
	page, err := r.deps.Table.Query(r.t.Context(), table.Query{PK: application.Partition(id), Reverse: true}.Prefix(event.Prefix))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, item := range page.Items {
		if e, err := event.Decode(item); err == nil && e.Kind == kind {
			return e
		}
	}
	r.t.Fatalf("no %s event", kind)
	return event.Event{}
}

func holds(a application.Application) []string {
	var codes []string
	for _, h := range a.Holds {
		codes = append(codes, h.Code)
	}
	return codes
}

func outcomes(a application.Application, source string) []policy.CheckOutcome {
	var all []policy.CheckOutcome
	for _, c := range a.Findings.Checks {
		if c.Source == source {
			all = append(all, c.Outcome)
		}
	}
	return all
}

func TestEveryRoleOfTheCast(t *testing.T) {
	t.Parallel()
	for role, c := range map[string]struct {
		members []string
		holds   []string
		classes []policy.RecipientClass
		kin     []string
		persons int
	}{
		"plain":         {persons: 1},
		"deceased":      {holds: []string{policy.HoldIdentityMismatch, policy.HoldDeathRecord}, persons: 1},
		"wrong_name":    {holds: []string{policy.HoldIdentityMismatch, policy.HoldAdverseRecord}, persons: 1},
		"unregistered":  {holds: []string{policy.HoldIdentityMismatch}, persons: 1},
		"dibao":         {members: []string{"dibao_spouse", "dibao_child"}, classes: []policy.RecipientClass{policy.Dibao}, persons: 3},
		"tekun":         {classes: []policy.RecipientClass{policy.Tekun}, persons: 1},
		"kin_of_clerk":  {kin: []string{"320400-clerk-1"}, persons: 1},
		"helped_before": {holds: []string{policy.HoldAdverseRecord}, persons: 1}, // the region asks to look first
		"well_paid":     {persons: 1},                                            // money is no reason on the emergency track
		"migrant":       {persons: 1},
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.asked.slow = true
			id := r.submit(role, c.members...)
			a := r.must(id)
			if a.State != application.Verified || a.Version != 2 {
				t.Fatalf("%s at version %d", a.State, a.Version)
			}
			f := a.Findings
			perPerson := 10
			if c.classes != nil {
				perPerson += len(gated)
			}
			if !slices.Equal(holds(a), c.holds) || !slices.Equal(f.Classes, c.classes) || !slices.Equal(f.Kin, c.kin) || f.Persons != c.persons {
				t.Errorf("holds %v, classes %v, kin %v, persons %d", holds(a), f.Classes, f.Kin, f.Persons)
			}
			if !f.AmountFen.Payable() || f.Rules == "" || len(f.Checks) != perPerson*c.persons {
				t.Errorf("drafted %s under %q from %d checks", f.AmountFen, f.Rules, len(f.Checks))
			}
			if c.kin != nil && f.Authority == policy.Township {
				t.Error("kin of staff is decided by the township")
			}
			for _, h := range a.Holds {
				if h.Owner == "" || !h.Due.After(r.clock()) || h.Placed.Kind != event.System {
					t.Errorf("hold %+v", h)
				}
			}
			e := r.event(id, "verified")
			if e.Rules != f.Rules || e.Actor.Kind != event.System || !strings.Contains(e.Facts.Text("trace"), "社会救助法") {
				t.Errorf("event %+v", e.Facts)
			}
		})
	}
}

func TestARetryAsksOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t, `
[[rule]]
service = "exchange"
op = "death"
effect = "status"
status = 500
nth = [1, 2, 3]
`)
	id := r.submit("plain")
	a := r.must(id)
	first := r.asked.take()
	if len(first) != 8 || a.State != application.Verified || a.Held() {
		t.Fatalf("asked %d, %s, holds %v", len(first), a.State, holds(a))
	}
	if got := outcomes(a, policy.SourceDeath); !slices.Equal(got, []policy.CheckOutcome{policy.Unavailable}) {
		t.Fatalf("death says %v", got)
	}
	a = r.must(id)
	again := r.asked.take()
	if len(again) != 1 || again[0].Source != "death" {
		t.Fatalf("asked again %d", len(again))
	}
	i := slices.IndexFunc(first, func(q exchange.Question) bool { return q.Source == "death" })
	if again[0].Number != first[i].Number {
		t.Error("the same question goes out under another number")
	}
	if got := outcomes(a, policy.SourceDeath); !slices.Equal(got, []policy.CheckOutcome{policy.HitClear}) || a.Version != 3 {
		t.Errorf("then %v at version %d", got, a.Version)
	}
	if r.must(id).Version != 3 || len(r.asked.take()) != 0 {
		t.Error("a message that comes again changes something")
	}
}

// gated are the registers that are asked only about those who draw support.
var gated = []string{"real_estate", "vehicle", "business", "household_move"}

// What people own and whom they moved to is asked only about those whom the register
// of low income says to draw support, once it has said so, and holds nobody up.
func TestArt70OwnershipIsAskedOnlyOfThoseWhoDrawSupport(t *testing.T) {
	t.Parallel()
	about := func(r *rig) (sources []string) {
		for _, q := range r.asked.take() {
			if slices.Contains(gated, q.Source) {
				sources = append(sources, q.Source)
			}
		}
		slices.Sort(sources)
		return sources
	}
	all := slices.Sorted(slices.Values(gated))
	for _, role := range []string{"well_paid", "dibao_with_car"} {
		r := newRig(t, "")
		r.must(r.submit(role))
		if got := about(r); role == "well_paid" && got != nil || role == "dibao_with_car" && !slices.Equal(got, all) {
			t.Errorf("%s: asked %v", role, got)
		}
	}
	// The register of low income is down: nothing is asked after it and nothing waits;
	// when it answers, the rest is asked, once.
	r := newRig(t, "[[rule]]\nservice = \"exchange\"\nop = \"low_income\"\neffect = \"status\"\nstatus = 500\n")
	id := r.submit("dibao_with_car")
	if a := r.must(id); about(r) != nil || a.State != application.Verified || a.Held() {
		t.Errorf("%s, holds %v", a.State, holds(a))
	}
	r.world.Load(world.Scenario{})
	r.move(10 * time.Minute)
	r.must(id)
	if got := about(r); !slices.Equal(got, all) {
		t.Errorf("later asked %v", got)
	}
	r.must(id)
	if got := about(r); got != nil {
		t.Errorf("asked again %v", got)
	}
	// They are down: the case goes on without them.
	r = newRig(t, "[[rule]]\nservice = \"exchange\"\nop = \"vehicle\"\neffect = \"status\"\nstatus = 500\n")
	a := r.must(r.submit("dibao_with_car"))
	if got := outcomes(a, policy.SourceVehicle); a.State != application.Verified || a.Held() || !slices.Equal(got, []policy.CheckOutcome{policy.Unavailable}) {
		t.Errorf("%s, holds %v, vehicle %v", a.State, holds(a), got)
	}
}

func TestD04SickRegistersNeverBlockOrRefuse(t *testing.T) {
	t.Parallel()
	r := newRig(t, "[[rule]]\nservice = \"exchange\"\neffect = \"status\"\nstatus = 503\n")
	a := r.must(r.submit("plain"))
	if a.State != application.Verified || a.Held() || !a.Findings.AmountFen.Payable() {
		t.Errorf("%s, holds %v, drafted %s", a.State, holds(a), a.Findings.AmountFen)
	}
}

func TestArt70NobodyIsLookedUpWithoutTheirConsent(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	p := application.Particulars{Subject: r.person("dibao"), Members: []application.Member{{Person: r.person("dibao_spouse"), Kinship: application.Spouse}}}
	id := r.file(p, []application.Agreement{{Role: "subject", Document: application.Authorisation().SHA256}})
	a := r.must(id)
	for _, q := range r.asked.take() {
		if q.ID.Reveal() != p.Subject.Paper.Reveal() {
			t.Fatal("somebody who did not agree was looked up")
		}
		if q.Case != id || q.LegalBasis == "" || q.Consent != application.Authorisation().SHA256 || q.Operator == "" {
			t.Error("a lookup lacks case, basis, consent or operator")
		}
	}
	if got := outcomes(a, policy.SourceDeath); !slices.Equal(got, []policy.CheckOutcome{policy.HitClear, policy.NotAuthorised}) {
		t.Errorf("death says %v", got)
	}
	nobody := r.file(application.Particulars{Subject: r.person("tekun")}, nil)
	r.must(nobody)
	if len(r.asked.take()) != 0 {
		t.Error("a case without any consent was looked up")
	}
}

func TestWhoHasNoIdentityCardWaitsForAPersonOrNot(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	agree := []application.Agreement{{Role: "subject", Document: application.Authorisation().SHA256}}
	none := application.Particulars{Subject: application.Person{Name: civil.StoredName("张三"), Paper: civil.StoredPaper(civil.NoPaper, "")}}
	if a := r.must(r.file(none, agree)); !slices.Equal(holds(a), []string{application.HoldNoIdentity}) {
		t.Errorf("without a paper: %v", holds(a))
	}
	passport := application.Particulars{Subject: application.Person{Name: civil.StoredName("John"), Paper: civil.StoredPaper(civil.Passport, "E12345678")}}
	if a := r.must(r.file(passport, agree)); a.Held() {
		t.Errorf("with a passport: %v", holds(a))
	}
	child := application.Particulars{Subject: r.person("dibao_child"), Members: []application.Member{{Person: r.person("dibao"), Kinship: application.Parent}},
		Account: civil.StoredAccount("6217000000000000020"), Holder: "members/0"}
	if a := r.must(r.file(child, agree)); !slices.Equal(holds(a), []string{application.HoldGuardian}) {
		t.Errorf("a guardian's account: %v", holds(a))
	}
	if len(r.asked.take()) != 8+len(gated) {
		t.Error("only the child can be looked up")
	}
}

func TestRegistersThatContradictEachOtherCallAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t, "[[rule]]\nservice = \"exchange\"\nop = \"marriage\"\neffect = \"answer\"\nresult = \"mismatch\"\n")
	if a := r.must(r.submit("plain")); !slices.Contains(holds(a), verification.HoldContradiction) {
		t.Errorf("holds %v", holds(a))
	}
}

func TestAnApplicationThatMovesMeanwhileIsVerifiedAsItIsThen(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	doc := application.Authorisation().SHA256
	p := application.Particulars{Subject: r.person("dibao"), Members: []application.Member{{Person: r.person("dibao_spouse"), Kinship: application.Spouse}}}
	id := r.file(p, []application.Agreement{{Role: "subject", Document: doc}})
	r.asked.while = func() { // the spouse agrees while the registers are being asked
		_, err := application.Change(context.Background(), r.deps.Table, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
			n, err := a.Supplement(a.Subject, a.People, a.Payee, r.clock())
			if err != nil {
				return application.Step[struct{}]{}, err
			}
			c, _ := a.Consent(r.deps.Blind, p, application.Agreement{Role: "members/0", Document: doc}, "acc", r.clock(), calendar.Today(r.clock()))
			w, err := c.Put(id)
			return application.Step[struct{}]{Next: n, Event: n.Event("consented", event.Actor{Kind: event.Citizen, ID: "acc"}, r.clock()), Also: []table.Write{w}}, err
		})
		if err != nil {
			t.Error(err)
		}
	}
	a := r.must(id)
	if a.State != application.Verified || a.Version != 3 {
		t.Errorf("%s at version %d", a.State, a.Version)
	}
	if got := outcomes(a, policy.SourceDeath); !slices.Equal(got, []policy.CheckOutcome{policy.HitClear, policy.HitClear}) {
		t.Errorf("findings from before the consent: %v", got)
	}
	if n := len(r.asked.take()); n != 2*(8+len(gated)) {
		t.Errorf("asked %d times", n)
	}
}

func TestAWithdrawnApplicationIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	id := r.submit("plain")
	_, err := application.Change(t.Context(), r.deps.Table, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		n, err := a.Withdraw()
		return application.Step[struct{}]{Next: n, Event: n.Event("withdrawn", event.Actor{Kind: event.Citizen, ID: "acc"}, r.clock())}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := r.must(id); a.Version != 2 || len(r.asked.take()) != 0 {
		t.Error("somebody who withdrew was looked up")
	}
}

// propose makes one officer propose, so that what comes after is late.
func (r *rig) propose(id string) {
	r.t.Helper()
	_, err := application.Change(r.t.Context(), r.deps.Table, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		by := event.Actor{Kind: event.Staff, ID: "clerk-1", Person: "b1.clerk"}
		n, err := a.Propose(application.Proposal{By: by, At: r.clock(), AmountFen: a.Findings.AmountFen, Payee: a.Payee})
		return application.Step[struct{}]{Next: n, Event: n.Event("proposed", by, r.clock())}, err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// silence: no register answers anybody.
const silence = "[[rule]]\nservice = \"exchange\"\neffect = \"status\"\nstatus = 500\n"

func TestLateAnswersAreNotedAndTheDecisionStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role string
		held bool
	}{
		"nothing of note":        {"plain", false},
		"a death stops what can": {"deceased", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, silence)
			id := r.submit(c.role)
			r.must(id)
			r.propose(id)
			r.world.Load(world.Scenario{})
			before := r.get(id)
			a := r.must(id)
			if a.State != application.Proposed || a.Version != before.Version+1 || a.Proposal.AmountFen != before.Proposal.AmountFen || a.Held() != c.held {
				t.Errorf("%s at version %d, held %v", a.State, a.Version, a.Held())
			}
			if e := r.event(id, "answered_late"); e.Facts.Text("trace") == "" {
				t.Error("nobody can read what came late")
			}
			if again := r.must(id); again.Version != a.Version {
				t.Error("noted twice")
			}
		})
	}
}

// Whoever asked may die, or be overtaken, between keeping a register's answer and
// weighing it: the next run weighs it although it asks nobody.
func TestALateDeathIsWeighedWhoeverAsked(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 7; at++ {
		for _, done := range []bool{false, true} {
			r := newRig(t, silence)
			id := r.submit("deceased")
			r.must(id)
			r.propose(id)
			r.world.Load(world.Scenario{})
			before := r.get(id)
			inner := r.deps.Table
			r.deps.Table = &lossy{Store: inner, at: at, done: done}
			first := r.run(id)
			r.deps.Table = inner
			a := r.must(id)
			if !a.Held() || a.Version != before.Version+1 {
				t.Errorf("write %d stored %v (%v): held %v at version %d", at, done, first, a.Held(), a.Version)
			}
		}
	}
}

func TestOldAnswersAreAskedForAgainUnderANewNumber(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	id := r.submit("plain")
	r.must(id)
	first := r.asked.take()
	r.move(100 * time.Hour) // death is fresh for 72 h, kin and earlier aid for 24 h
	a := r.must(id)
	again := r.asked.take()
	var sources []string
	for _, q := range again {
		sources = append(sources, q.Source)
		if slices.ContainsFunc(first, func(o exchange.Question) bool { return o.Number == q.Number }) {
			t.Errorf("%s: the old number brings the old answer", q.Source)
		}
	}
	slices.Sort(sources)
	if !slices.Equal(sources, []string{"death", "earlier_aid", "near_relative"}) || a.Version != 3 {
		t.Errorf("asked again %v, version %d", sources, a.Version)
	}
}

func TestAsyncRegistersAreAskedAgainLater(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.asked.slow = true
	var sent []time.Duration
	r.deps.Later = sender(func(q string, d time.Duration) error { sent = append(sent, d); return errors.New("lost") })
	id := r.submit("unemployed")
	a := r.must(id)
	if got := outcomes(a, policy.SourceUnemployment); !slices.Equal(got, []policy.CheckOutcome{policy.Pending}) || len(sent) != 1 || sent[0] != verify.Again {
		t.Fatalf("%v, sent %v", got, sent)
	}
	r.move(verify.Again)
	a = r.must(id)
	if got := outcomes(a, policy.SourceUnemployment); !slices.Equal(got, []policy.CheckOutcome{policy.HitClear}) || len(sent) != 1 {
		t.Errorf("%v, sent %v", got, sent)
	}
}

type sender func(string, time.Duration) error

func (s sender) Send(_ context.Context, q string, _ []byte, d time.Duration) error { return s(q, d) }

func TestKinAndReleaseAreAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	released := 0
	r.deps.Release = func(context.Context, string) (bool, error) { released++; return true, nil }
	r.deps.Kin = func(_ context.Context, people []string) ([]string, error) { return []string{"320400-clerk-2"}, nil }
	a := r.must(r.submit("plain"))
	if !slices.Equal(a.Findings.Kin, []string{"320400-clerk-2"}) || a.Findings.Authority == policy.Township || released != 1 {
		t.Errorf("kin %v, authority %s, released %d", a.Findings.Kin, a.Findings.Authority, released)
	}
	trouble := errors.New("table down")
	r.deps.Kin = func(context.Context, []string) ([]string, error) { return nil, trouble }
	id := r.submit("tekun")
	if err := r.run(id); !errors.Is(err, trouble) || r.get(id).State != application.Accepted {
		t.Error("findings without knowing the kin")
	}
}

// Kin declared before the blind key changed are found from a case filed after.
func TestDeclaredKinAreFoundAcrossARotation(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	first, err1 := seal.NewBlindKey(1, bytes.Repeat([]byte{1}, seal.BlindKeyBytes))
	second, err2 := seal.NewBlindKey(2, bytes.Repeat([]byte{2}, seal.BlindKeyBytes))
	old, err3 := seal.NewBlind(first)
	both, err4 := seal.NewBlind(first, second)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	declare := func(id string, kin application.Person) {
		s, err := staff.Staff{ID: id, Active: true}.WithPapers(t.Context(), r.deps.Box, old, r.person("tekun").Paper, []civil.Paper{kin.Paper})
		if err == nil {
			err = staff.Appoint(t.Context(), r.deps.Table, s, event.Actor{Kind: event.System, ID: "registry"}, r.clock())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	declare("320400-kin", r.person("plain"))
	declare("320400-other", r.person("dibao"))
	r.deps.Blind = both
	r.deps.Kin = func(ctx context.Context, people []string) ([]string, error) {
		return staff.KinOf(ctx, r.deps.Table, people)
	}
	a := r.must(r.submit("plain"))
	if !strings.HasPrefix(a.Subject, "b2.") || !slices.Equal(a.Findings.Kin, []string{"320400-kin"}) || a.Findings.Authority == policy.Township {
		t.Errorf("subject %s, kin %v, authority %s", a.Subject, a.Findings.Kin, a.Findings.Authority)
	}
}

// lossy loses the answer of one transaction, stored or not.
type lossy struct {
	table.Store
	mu   sync.Mutex
	at   int
	done bool
	n    int
}

func (l *lossy) Transact(ctx context.Context, w ...table.Write) error {
	l.mu.Lock()
	l.n++
	hit := l.n == l.at
	l.mu.Unlock()
	if !hit {
		return l.Store.Transact(ctx, w...)
	}
	if l.done {
		if err := l.Store.Transact(ctx, w...); err != nil {
			return err
		}
	}
	return table.ErrUnknown
}

func TestK05ToK07EveryWriteMayBeLostAndTheNextRunFinishes(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 7; at++ {
		for _, done := range []bool{false, true} {
			r := newRig(t, "")
			id := r.submit("plain")
			inner := r.deps.Table
			r.deps.Table = &lossy{Store: inner, at: at, done: done}
			first := r.run(id)
			r.deps.Table = inner
			if err := r.run(id); err != nil {
				t.Fatalf("write %d stored %v: then %v", at, done, err)
			}
			a := r.get(id)
			if a.State != application.Verified || a.Version != 2 {
				t.Errorf("write %d stored %v (%v): %s at version %d", at, done, first, a.State, a.Version)
			}
		}
	}
}

func TestMessagesThatMeanNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	h := verify.Handle(r.deps)
	if err := h(t.Context(), queue.Message{Body: []byte("{}")}); err == nil {
		t.Error("a message without a key is taken")
	}
	if err := h(t.Context(), r.message("absent")); err != nil {
		t.Error(err)
	}
	id := r.submit("plain")
	other := work.Message{PK: application.Partition(id), SK: "PARTICULARS"}.Encode()
	if err := h(t.Context(), queue.Message{Body: other}); err != nil || len(r.asked.take()) != 0 {
		t.Error("a message about another item starts lookups")
	}
}

func TestP01NothingPersonalInLogsKeysOrEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	id := r.submit("dibao", "dibao_spouse", "dibao_child")
	r.must(id)
	var secrets []string
	for _, role := range []string{"dibao", "dibao_spouse", "dibao_child"} {
		p := r.person(role)
		secrets = append(secrets, p.Name.Reveal(), p.Paper.Reveal())
	}
	page, err := r.deps.Table.Query(t.Context(), table.Query{PK: application.Partition(id)})
	if err != nil {
		t.Fatal(err)
	}
	out := r.logs.String()
	for _, item := range page.Items {
		out += item.Key.SK + string(item.Body)
	}
	for _, s := range append(secrets, "2024-05", "married") {
		if strings.Contains(out, s) {
			t.Errorf("%q is in the clear", s)
		}
	}
	checks, err := verification.Load(t.Context(), r.deps.Table, r.deps.Box, id)
	if err != nil || len(checks) != 3*(8+len(gated)) {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	for k, c := range checks {
		if c.Consent == "" || c.Basis == "" || c.FetchedAt.IsZero() || c.Evidence == "" {
			t.Errorf("%s lacks its reasons", k.SK)
		}
	}
}
