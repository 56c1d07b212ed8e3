// Package firstaidtest is an office for tests: a store in memory with the staff
// of the shipped regions, money in two townships, and people who apply and are
// verified. Everybody in it is synthetic.
package firstaidtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// The places that have money and people.
const (
	Township  = civil.DivisionCode("320402005000") // where clerk-1 and approver-1 work
	Sibling   = civil.DivisionCode("320402002000") // where clerk-3 and approver-2 work
	County    = civil.DivisionCode("320402000000")
	Available = money.Fen(500_000_00) // in each fund of each township
)

// Start is when every test begins: a Friday, half past nine in the morning.
var Start = time.Date(2026, 11, 20, 9, 30, 0, 0, calendar.Zone)

// Office is the office. The clock that New gives it stands still until Pass.
type Office struct {
	firstaid.Office
	T        testing.TB
	Store    table.Store
	Tree     *division.Tree
	Calendar *calendar.Calendar
	IDs      *ident.Source

	keys  *seal.KeyFile
	clock func() time.Time

	mu     sync.Mutex
	now    time.Time
	people int
}

// Over is an office over a store, keys and a clock of the caller's, with the
// shipped rules and nothing in it: no staff and no money.
func Over(t testing.TB, store table.Store, box *seal.Box, blind *seal.Blind, clock func() time.Time) *Office {
	t.Helper()
	o := &Office{T: t, Store: store, Tree: division.Shipped(), Calendar: calendar.Shipped(), IDs: ident.Random(), clock: clock}
	o.Office = firstaid.Office{Table: store, Box: box, Blind: blind, Tree: o.Tree}
	var err error
	o.Models, err = model.Shipped()
	must(t, err)
	o.Book, err = policy.Shipped()
	must(t, err)
	return o
}

// New is an office whose rules are the shipped ones, with edits of their text.
func New(t *testing.T, edits ...func([]byte) []byte) *Office {
	t.Helper()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	must(t, err)
	o := Over(t, embedded.Memory(), seal.NewBox(keys, rand.Reader), keys.Blind(), nil)
	o.keys, o.now, o.clock = keys, Start, o.standing
	if len(edits) > 0 {
		o.Book, err = edited(o.Tree, edits)
		must(t, err)
	}
	must(t, seed.Staff(context.Background(), o.Store, o.Box, o.Blind, o.now))
	for _, township := range []civil.DivisionCode{Township, Sibling} {
		for _, purpose := range fund.Purposes() {
			o.Fund(purpose, township, Available)
		}
	}
	return o
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edited loads the shipped region files with their text changed.
func edited(tree *division.Tree, edits []func([]byte) []byte) (*policy.Book, error) {
	here, err := root()
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	err = fs.WalkDir(here, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(here, path)
		if err != nil {
			return err
		}
		for _, edit := range edits {
			text = edit(text)
		}
		files[path] = &fstest.MapFile{Data: text}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return policy.Load(files, tree, regionfile.Parse)
}

// root finds the shipped region files from wherever the test runs.
func root() (fs.FS, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.DirFS(filepath.Join(dir, "shared", "policy", "data")), nil
		}
		dir = filepath.Dir(dir)
	}
	return nil, fmt.Errorf("firstaidtest: no go.mod above the test")
}

// StandingApprovals turns them on, for up to 3,000 yuan a person.
func StandingApprovals(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("enabled: false"), []byte("enabled: true"))
	return bytes.ReplaceAll(text, []byte("per_award_fen: 100000"), []byte("per_award_fen: 300000"))
}

// Now is the office's clock.
func (o *Office) Now() time.Time { return o.clock() }

func (o *Office) standing() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// Pass lets time go by on the clock that New gives.
func (o *Office) Pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

// RotateBlind makes a new blind key the current one; the old one lives on.
func (o *Office) RotateBlind() {
	o.T.Helper()
	must(o.T, o.keys.RotateBlind())
	o.Blind = o.keys.Blind()
}

// Fund puts money into a township's slice of a fund.
func (o *Office) Fund(purpose fund.Purpose, township civil.DivisionCode, amount money.Fen) {
	o.T.Helper()
	id := fund.ID{Fund: fund.Named(purpose, o.Now().Year()), Township: township}
	must(o.T, fund.Provide(context.Background(), o.Store, fund.Slice{ID: id, Source: "county"}, fund.Appropriation{
		Reference: o.IDs.New(), AmountFen: amount, At: o.Now(), Document: fmt.Sprintf("%064d", 0),
		First:  event.Actor{Kind: event.Staff, ID: "finance", Person: "person-1"},
		Second: event.Actor{Kind: event.Staff, ID: "county", Person: "person-2"}}))
}

// Balance is what a township's slice of a fund holds.
func (o *Office) Balance(purpose fund.Purpose, township civil.DivisionCode) fund.Balances {
	o.T.Helper()
	id := fund.ID{Fund: fund.Named(purpose, o.Now().Year()), Township: township}
	must(o.T, fund.Coherent(context.Background(), o.Store, id))
	s, err := fund.Read(context.Background(), o.Store, id)
	must(o.T, err)
	return s.Balances
}

// Person makes somebody who does not exist, each time another.
func (o *Office) Person() application.Person {
	o.mu.Lock()
	o.people++
	n := o.people
	o.mu.Unlock()
	born := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	return o.Holder("320402" + born.Format("20060102") + "920")
}

// Holder is a synthetic person by the first 17 digits of an identity number, or
// all 18.
func (o *Office) Holder(number string) application.Person {
	o.T.Helper()
	if len(number) == 17 {
		weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
		sum := 0
		for i, w := range weights {
			sum += int(number[i]-'0') * w
		}
		number += string("10X98765432"[sum%11])
	}
	name, err := civil.ParseName("王测安")
	must(o.T, err)
	paper, err := civil.ParsePaper(civil.IDCard, number, calendar.Today(o.Now()))
	must(o.T, err)
	// Each has a telephone of their own: one that serves many is a suspicion.
	h := fnv.New32a()
	_, _ = h.Write([]byte(number))
	phone, err := civil.ParsePhone(fmt.Sprintf("1990%07d", h.Sum32()%10_000_000))
	must(o.T, err)
	return application.Person{Name: name, Paper: paper, Phone: phone}
}

// Account is a synthetic account number, n apart from all others.
func (o *Office) Account(n int) civil.Account {
	o.T.Helper()
	a, err := civil.ParseAccount(fmt.Sprintf("629999%013d", n))
	must(o.T, err)
	return a
}

// Apply is an application that has been accepted. change may alter it before.
func (o *Office) Apply(who application.Person, change ...func(*application.Submission)) application.Application {
	o.T.Helper()
	o.mu.Lock()
	o.people++
	n := o.people
	o.mu.Unlock()
	now := o.Now()
	rules, err := o.Book.Rules(Township, calendar.Today(now))
	must(o.T, err)
	s := application.Submission{ID: application.SubmissionID("account", fmt.Sprint(n, now)), Account: "account", Track: application.Emergency,
		Place: Township, Township: Township, County: County, Cause: policy.Fire, Relation: application.Self,
		Particulars: application.Particulars{Subject: who, Account: o.Account(n), Holder: application.RoleSubject,
			Story: redact.New("昨夜失火，家里烧光了。"), Address: redact.New("某路1号")},
		Deadline: application.Deadline{Kind: application.ToDecide, From: now, At: rules.DecisionDue(now).At}, At: now, Day: calendar.Today(now)}
	for _, c := range change {
		c(&s)
	}
	_, err = application.Submit(context.Background(), o.Store, o.Blind, o.Box, s, application.Request{},
		func(application.Application, event.Event) (application.With[struct{}], error) {
			return application.With[struct{}]{}, nil
		})
	must(o.T, err)
	return o.Read(s.ID)
}

// In has an application made in another township.
func In(township civil.DivisionCode) func(*application.Submission) {
	return func(s *application.Submission) { s.Township, s.Place = township, township }
}

// Read is the application as it stands.
func (o *Office) Read(id string) application.Application {
	o.T.Helper()
	a, err := application.Get(context.Background(), o.Store, id)
	must(o.T, err)
	return a
}

// Change makes any change of an application, as the machine would.
func (o *Office) Change(id, kind string, step func(application.Application) (application.Application, error)) application.Application {
	o.T.Helper()
	_, err := application.Change(context.Background(), o.Store, id, application.Request{}, func(a application.Application) (application.Step[struct{}], error) {
		next, err := step(a)
		return application.Step[struct{}]{Next: next, Event: next.Event(kind, event.Actor{Kind: event.System, ID: "test"}, o.Now())}, err
	})
	must(o.T, err)
	return o.Read(id)
}

// Verify gives the application the findings that the rules make of its checks.
// change may alter them before.
func (o *Office) Verify(id string, change ...func(*application.Findings)) application.Application {
	o.T.Helper()
	return o.Change(id, "verified", func(a application.Application) (application.Application, error) {
		f := application.Findings{At: o.Now(), Persons: 1, Checks: []policy.Check{{Source: policy.SourceIdentity, Outcome: policy.HitClear}}}
		for _, c := range change {
			c(&f)
		}
		a.Findings = &f
		c, err := o.Open(context.Background(), a)
		if err != nil {
			return a, err
		}
		out := c.Weigh(0, 0)
		f.AmountFen, f.Months, f.Authority, f.Exception, f.Rules = out.AmountFen, out.Months, out.Authority, out.NeedsException, out.Rules
		var holds []application.Hold
		for _, h := range out.Holds {
			holds = append(holds, application.NewHold(a.ID, a.Version, h.Code, event.Actor{Kind: event.System, ID: "test"}, o.Now(), o.Now().Add(time.Hour)))
		}
		a.Findings = nil
		return a.WithFindings(f, holds)
	})
}

// Events is everything recorded in one partition, in the order of keys.
func (o *Office) Events(partition string) []event.Event {
	o.T.Helper()
	page, err := o.Store.Query(context.Background(), table.Query{PK: partition}.Prefix(event.Prefix))
	must(o.T, err)
	var all []event.Event
	for _, item := range page.Items {
		e, err := event.Decode(item)
		must(o.T, err)
		all = append(all, e)
	}
	return all
}
