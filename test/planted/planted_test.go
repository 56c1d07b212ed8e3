// Package planted puts known fraud and honest cases that look like it, people whom
// nobody helps, and an operator who alters the record into one whole local system,
// over HTTP, and says which finding answers which plant. All of it is one file,
// planted.toml; whoever adds a model plants something for it there. A plant that
// nothing answers is a hole; a clean case that is held is harm done to somebody in
// need, and an honest item that is named discredits the check: they fail as loudly.
package planted

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/cmd/doudi/audit"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// scenario is the whole file.
type scenario struct {
	Plants     []plant     `toml:"plant"`
	Clean      []plant     `toml:"clean"`
	Omissions  []omission  `toml:"omission"`
	Found      []omission  `toml:"found"` // who applied, or needs nothing
	Tamperings []tampering `toml:"tampering"`
	Gaps       []gap       `toml:"gap"`
}

// gap is a pattern that nothing here answers, and why.
type gap struct {
	Of      string `toml:"of"`
	Pattern string `toml:"pattern"`
	Why     string `toml:"why"`
	WhyEn   string `toml:"why_en"`
}

// plant is one story: cases in order, of which the last is looked at.
type plant struct {
	Name    string `toml:"name"`
	Of      string `toml:"of"`
	Pattern string `toml:"pattern"`
	// Finding is the model that must answer, Effect what it must do; a clean case
	// has neither.
	Finding string `toml:"finding"`
	Effect  string `toml:"effect"`
	// Paid: what was found holds nothing, and the money arrives.
	Paid  bool   `toml:"paid"`
	Cases []step `toml:"case"`
}

// step is one case: who asks, with what, and what is done with it.
type step struct {
	Who       string   `toml:"who"`  // a role of the world's cast, or "fresh"
	Same      bool     `toml:"same"` // the person of the step before
	Region    string   `toml:"region"`
	Township  string   `toml:"township"`
	Cause     string   `toml:"cause"`
	Relation  string   `toml:"relation"`
	Rows      int      `toml:"rows"` // what the same account files on that day, this one included
	Townships []string `toml:"townships"`
	Phone     string   `toml:"phone"`
	Filer     string   `toml:"filer"` // the WeChat account that files; each has its own when it is none
	Device    string   `toml:"device"`
	Bill      string   `toml:"bill"`
	Diagnosis string   `toml:"diagnosis"`
	Settles   string   `toml:"settles"` // what the medical settlement knows of them
	Proposer  string   `toml:"proposer"`
	Approver  string   `toml:"approver"`
	Undecided bool     `toml:"undecided"`
	Refused   string   `toml:"refused"` // the code with which the approval does not go through
	// ChangesAccount is "before_proposal" or "after_proposal".
	ChangesAccount string `toml:"changes_account"`
	// AccountOfFirst: they name the account of the first person of the plant.
	AccountOfFirst bool `toml:"account_of_first"`
	// Dies: a death is registered after somebody proposed an amount.
	Dies bool `toml:"dies_after_proposal"`
}

func read(t *testing.T) scenario {
	t.Helper()
	raw, err := os.ReadFile("planted.toml")
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	meta, err := toml.Decode(string(raw), &s)
	if err != nil || len(meta.Undecoded()) > 0 {
		t.Fatalf("planted.toml: %v, unknown %v", err, meta.Undecoded())
	}
	return s
}

// field is the whole system with everybody signed in whom the stories need.
type field struct {
	*stage.Stage
	outside caller.Caller

	witness *witness

	mu    sync.Mutex
	staff map[string]caller.Caller
	rules strings.Builder // of the world: what registers say of people made here
}

func open(t *testing.T) *field {
	t.Helper()
	dir := t.TempDir()
	key, err := audit.InitWitness(rand.Reader, dir, "jjw.example.cn", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := stage.Open(context.Background(), "", func(o *local.Options) {
		o.SweepEvery, o.Log, o.Witnesses = time.Second, io.Discard, []string{key.Public()}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	var about struct{ Key string }
	if err := s.Caller.Do(t.Context(), http.MethodGet, "/v1/log", "", nil, &about); err != nil {
		t.Fatal(err)
	}
	counts, err := evidence.NewWitness(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Witness: audit.Witness{URL: s.URL, HTTP: s.Caller.HTTP, Dir: dir, Key: key, Log: s.Evidence.Verifier, Now: time.Now},
		pins: audit.Pins{Key: s.Evidence.Verifier, Witnesses: []note.Verifier{counts}, Copy: dir}, of: s.System, key: about.Key}
	return &field{Stage: s, witness: w, outside: caller.Caller{Base: s.WorldURL, HTTP: s.Caller.HTTP}, staff: map[string]caller.Caller{}}
}

func (f *field) officer(t *testing.T, region, id string) caller.Caller {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	key := region + "-" + id
	c, ok := f.staff[key]
	if !ok {
		var err error
		if c, err = f.Caller.SignIn(t.Context(), "/v1/staff/sessions", "staff:"+id, region); err != nil {
			t.Fatal(err)
		}
		f.staff[key] = c
	}
	return c
}

// person is one of the cast, or somebody new.
func (f *field) person(t *testing.T, region, role string) (p world.Person) {
	t.Helper()
	if role == "fresh" {
		if err := f.outside.Do(t.Context(), http.MethodPost, "/world/people", "", map[string]string{"region": region}, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	var all struct {
		People []world.Person `json:"people"`
	}
	if err := f.outside.Do(t.Context(), http.MethodGet, "/world/people?region="+region, "", nil, &all); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all.People, func(p world.Person) bool { return p.Role == role })
	if i < 0 {
		t.Fatalf("the world has no %s in %s", role, region)
	}
	return all.People[i]
}

// settle has the medical settlement know a bill of p's.
func (f *field) settle(t *testing.T, p world.Person, bill string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(&f.rules, "[[rule]]\nservice = \"exchange\"\nop = \"medical_settlement\"\nperson = %q\neffect = \"answer\"\nresult = \"found\"\nfacts = {settled = \"yes\", invoices = %q}\n", p.Name, bill)
	if err := f.outside.Send(t.Context(), http.MethodPost, "/world/scenario", nil, []byte(f.rules.String())); err != nil {
		t.Fatal(err)
	}
}

type doc = map[string]any

func who(p world.Person, phone string) doc {
	return doc{"name": p.Name, "paper": doc{"kind": "id_card", "number": p.IDNumber}, "phone": phone}
}

// form is the application of one step.
func (f *field) form(s step, p world.Person, account string) doc {
	phone := p.Phone
	if s.Phone != "" {
		phone = s.Phone
	}
	b := doc{"track": "emergency", "place": p.Village, "cause": "fire", "relation": "self", "subject": who(p, phone),
		"payee": doc{"account": account}, "consents": []doc{{"person": "subject", "document_sha256": f.Consent, "agreed": true}}}
	for key, v := range map[string]string{"cause": s.Cause, "place": s.Township, "relation": s.Relation, "device": s.Device} {
		if v != "" {
			b[key] = v
		}
	}
	if s.Bill != "" {
		bill := doc{"kind": "medical", "invoice": s.Bill, "amount_fen": 380_000}
		if s.Diagnosis != "" {
			bill["diagnosis"] = s.Diagnosis
		}
		b["expenses"] = []doc{bill}
	}
	return b
}

// file files one step and gives its id. Rows file others first, from the same account.
func (f *field) file(t *testing.T, region string, s step, p world.Person, account string) (string, caller.Caller) {
	t.Helper()
	f.mu.Lock()
	n := f.Next()
	f.mu.Unlock()
	by, err := f.Caller.SignIn(t.Context(), "/v1/sessions", "wx:planted-"+orElse(s.Filer, fmt.Sprint(n)), "")
	if err != nil {
		t.Fatal(err)
	}
	agent := world.Person{}
	if s.Relation != "" {
		agent = f.person(t, region, "fresh")
	}
	var filed struct{ ID string }
	post := func(b doc, row int) {
		if s.Relation != "" {
			b["applicant"] = who(agent, agent.Phone)
		}
		if err := by.Do(t.Context(), http.MethodPost, "/v1/applications", fmt.Sprintf("planted-%d-%d", n, row), b, &filed); err != nil {
			t.Fatal(err)
		}
	}
	for row := range max(0, s.Rows-1) {
		other := f.person(t, region, "fresh")
		b := f.form(s, other, other.Account)
		b["place"] = s.Townships[row%len(s.Townships)]
		post(b, row)
	}
	post(f.form(s, p, account), s.Rows)
	return filed.ID, by
}

func (f *field) verified(t *testing.T, id string) application.Application {
	t.Helper()
	if err := f.Until(t.Context(), func() (bool, error) { return f.Verified(t.Context(), id) }); err != nil {
		t.Fatal(err)
	}
	a, err := application.Get(t.Context(), f.Table, id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// code is the problem code of a refused call, and the codes of its fields.
func code(err error) string {
	refused, ok := errors.AsType[*caller.Refused](err)
	if !ok {
		return ""
	}
	return string(refused.Body)
}

// decide has two officers decide. It stops where a hold stops them.
func (f *field) decide(t *testing.T, region string, s step, id string, by caller.Caller) {
	t.Helper()
	path := "/v1/staff/applications/" + id
	clerk := f.officer(t, region, orElse(s.Proposer, "clerk-1"))
	approver := f.officer(t, region, orElse(s.Approver, "approver-1"))
	if s.Township != "" && s.Township != "320402005000" {
		t.Fatal("nobody decides there")
	}
	var p struct {
		ProposalVersion int64 `json:"proposal_version"`
		AmountFen       int64 `json:"amount_fen"`
	}
	change := func() {
		other := f.person(t, region, "fresh") // their account: the bank would say so, the model says so before
		if err := by.Do(t.Context(), http.MethodPost, "/v1/applications/"+id+"/supplements", "change-"+id, doc{"payee": doc{"account": other.Account}}, nil); err != nil {
			t.Fatal(err)
		}
		f.verified(t, id)
	}
	round := 0
	propose := func() bool {
		round++
		err := clerk.Do(t.Context(), http.MethodPost, path+"/proposals", fmt.Sprint("p", round, id), doc{}, &p)
		if c := code(err); strings.Contains(c, "exception-required") {
			err = clerk.Do(t.Context(), http.MethodPost, path+"/proposals", fmt.Sprint("x", round, id),
				doc{"exception": doc{"codes": []string{"FREQUENCY_CAP"}, "reason": "同一家庭一年内接连遭遇不同的灾祸。"}}, &p)
		}
		if strings.Contains(code(err), "application-held") {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	if s.ChangesAccount == "before_proposal" {
		change()
	}
	if !propose() {
		return
	}
	if s.ChangesAccount == "after_proposal" {
		change()
		propose()
	}
	if s.Dies {
		a := f.verified(t, id)
		key := verification.Key(id, a.Subject, "death")
		checks, err := verification.Load(t.Context(), f.Table, f.Box, id)
		if err != nil {
			t.Fatal(err)
		}
		c := checks[key]
		c.Outcome, c.Facts = policy.HitAdverse, map[string]string{"deceased": "yes", "cremation": "yes"}
		if err := c.Keep(t.Context(), f.Table, f.Box, id); err != nil {
			t.Fatal(err)
		}
	}
	// A register that answers late moves the case; the approver reads it again.
	for range 20 {
		a := f.verified(t, id)
		err := approver.Do(t.Context(), http.MethodPost, path+"/approvals", fmt.Sprint("a", a.Version, id),
			doc{"proposal_version": a.Version, "amount_fen": p.AmountFen}, nil)
		switch c := code(err); {
		case strings.Contains(c, "proposal-moved"):
			continue
		case s.Refused != "" && strings.Contains(c, s.Refused), s.Refused == "" && err == nil:
			return
		default:
			t.Fatalf("approval: %v, want %q", err, s.Refused)
		}
	}
	t.Fatal("the case never stands still")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// found is what the staff's page shows of the case.
type found struct {
	Inspections []struct {
		Model, Effect, Why, Owner, Due string
		WhyEn                          string `json:"why_en"`
	}
	Holds []struct{ Code string }
}

// play plays one story and gives what was found on its last case.
func (f *field) play(t *testing.T, p plant) (id string, out found) {
	t.Helper()
	var first, person world.Person
	region := "320400"
	for i, s := range p.Cases {
		if s.Region != "" {
			region = s.Region
		}
		if !s.Same {
			person = f.person(t, region, s.Who)
		}
		if i == 0 {
			first = person
		}
		account := person.Account
		if s.AccountOfFirst {
			account = first.Account
		}
		if s.Settles != "" {
			f.settle(t, person, s.Settles)
		}
		var by caller.Caller
		id, by = f.file(t, region, s, person, account)
		f.verified(t, id)
		if !s.Undecided {
			f.decide(t, region, s, id, by)
		}
	}
	if err := f.officer(t, region, "supervisor-1").Do(t.Context(), http.MethodGet, "/v1/staff/applications/"+id, "", nil, &out); err != nil {
		t.Fatal(err)
	}
	return id, out
}

// TestEveryPlantIsAnswered is the whole file: what answers which plant, and that
// nothing stops the honest.
func TestEveryPlantIsAnswered(t *testing.T) {
	t.Parallel()
	f, s := open(t), read(t)
	answers := &answers{by: map[string]string{}}
	var cases []string
	t.Run("plants", func(t *testing.T) {
		for _, p := range s.Plants {
			t.Run(p.Name, func(t *testing.T) {
				t.Parallel()
				id, got := f.play(t, p)
				answers.met(&cases, application.Partition(id))
				answered := ""
				for _, h := range got.Inspections {
					answered += " " + h.Model
					if h.Model == p.Finding && (h.Effect != p.Effect || h.Why == "" || h.WhyEn == "" || h.Owner == "" || h.Due == "") {
						t.Errorf("%s: %+v", p.Pattern, h)
					}
				}
				if !strings.Contains(answered+" ", " "+p.Finding+" ") {
					t.Fatalf("%s: nothing answers; found%s", p.Pattern, answered)
				}
				if p.Effect == string(model.Hold) {
					f.stands(t, id, got)
				}
				if p.Paid {
					f.arrives(t, p, id, got)
				}
				answers.say(p.Name, p.Finding+" ("+p.Effect+")")
			})
		}
	})
	t.Run("clean", func(t *testing.T) {
		for _, p := range s.Clean {
			t.Run(p.Name, func(t *testing.T) {
				t.Parallel()
				id, got := f.play(t, p)
				answers.met(&cases, application.Partition(id))
				for _, h := range got.Inspections {
					if h.Effect == string(model.Hold) {
						t.Errorf("%s: held by %s: %s", p.Pattern, h.Model, h.Why)
					}
				}
				answers.say(p.Name, "")
				if p.Cases[len(p.Cases)-1].ChangesAccount != "" {
					return // the bank sends it back: it is another's account
				}
				f.arrives(t, p, id, got)
			})
		}
	})
	t.Run("omissions", func(t *testing.T) { f.omissions(t, s, answers.say) })
	t.Run("operator", func(t *testing.T) { f.operator(t, s, cases, answers.say) })
	s.page(t, answers.by)
}

// arrives fails unless the money is paid.
func (f *field) arrives(t *testing.T, p plant, id string, got found) {
	t.Helper()
	if err := f.Until(t.Context(), func() (bool, error) {
		m, err := payout.Get(t.Context(), f.Table, payout.Key(id, "01"))
		return m.State == payout.Paid, err
	}); err != nil {
		t.Errorf("%s: not paid: %v, holds %+v", p.Pattern, err, got.Holds)
	}
}

// stands fails unless a hold stands and no money has left.
func (f *field) stands(t *testing.T, id string, got found) {
	t.Helper()
	if len(got.Holds) == 0 {
		t.Error("nothing holds the money")
	}
	m, err := payout.Get(t.Context(), f.Table, payout.Key(id, "01"))
	if err != nil && !errors.Is(err, payout.ErrNotFound) {
		t.Fatal(err)
	}
	if err == nil && (m.State != payout.Due || len(m.Attempts) > 0) {
		t.Errorf("the money is %s after %d attempts", m.State, len(m.Attempts))
	}
}

// patterns are the kinds of fraud and error that inspection and audit bodies report
// of social aid: each is planted, or it is said why not.
var patterns = []string{
	"paid_after_death",  // 死后仍发
	"assets",            // 有车有房仍领
	"duplicate",         // 重复享受
	"kin",               // 人情保、关系保
	"household",         // 迁户套取
	"intercepted",       // 截留现金、代管存折
	"invented",          // 虚构救助对象
	"false_patient",     // 假病人、假病情、假票据
	"old_age_allowance", // 违规发放尊老金
	"missed",            // 应享未享
}

func TestEveryPatternIsPlanted(t *testing.T) {
	t.Parallel()
	s, of := read(t), map[string]bool{}
	for _, p := range s.Plants {
		of[p.Of] = true
	}
	for _, o := range s.Omissions {
		of[o.Of] = true
	}
	for _, g := range s.Gaps {
		if of[g.Of] || g.Why == "" || g.WhyEn == "" {
			t.Errorf("%s is planted, or nobody says why not", g.Of)
		}
		of[g.Of] = true
	}
	for _, p := range patterns {
		if !of[p] {
			t.Errorf("%s is nowhere", p)
		}
		delete(of, p)
	}
	for p := range of {
		t.Errorf("%q is a pattern nobody knows", p)
	}
}

// Every model that ships has a plant, so that none is switched on untried; the one
// about officers' changes is played in functions/decide, where a payment fails first,
// and the one about guardians in shared/inspection/model, with minors that the world has not.
func TestEveryModelHasAPlant(t *testing.T) {
	t.Parallel()
	set, err := model.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := []string{"payee-reordered", "shared-guardian"}
	s := read(t)
	for _, m := range set.All() {
		planted := slices.ContainsFunc(s.Plants, func(p plant) bool { return p.Finding == m.ID && p.Effect == string(m.Effect) })
		if planted == slices.Contains(elsewhere, m.ID) {
			t.Errorf("%s: planted %v", m.ID, planted)
		}
	}
	if len(s.Clean) < len(s.Plants)/2 {
		t.Error("too few honest cases beside the plants")
	}
}
