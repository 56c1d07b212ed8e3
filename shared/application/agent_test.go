package application_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

func TestAnAgentIsKnownAndNotPaidAndNotLookedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.submission("k")
	agent := person(t, "王五", agentNumber)
	agent.Phone = civil.StoredPhone("13800138000")
	s.Relation, s.Particulars.Applicant = application.Committee, &agent
	if _, err := b.submit(s, b.ask("k", "k")); err != nil {
		t.Fatal(err)
	}
	a := b.get(s.ID)
	p, _, err := application.OpenParticulars(t.Context(), b.store, b.box, a.ID)
	if err != nil || *p.Applicant != agent {
		t.Fatal("the agent does not come back", err)
	}
	ref := a.Ref(b.blind, p, application.RoleApplicant)
	if !a.Concerns(ref) || a.Concerns("") || slices.Contains(p.Verified(), application.RoleApplicant) || len(a.People) != 4 {
		t.Errorf("people %v, verified %v", a.People, p.Verified())
	}
	if p.Payee() != p.Subject {
		t.Error("somebody else is paid")
	}
	item, _, err := b.store.Get(t.Context(), event.Key(application.Partition(a.ID), application.Noun, a.ID, 1))
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(item)
	if err != nil || e.Actor.Person != ref || e.Actor.ID != "acc" {
		t.Errorf("filed by %+v, %v", e.Actor, err)
	}
	consents, err := application.Consents(t.Context(), b.store, a.ID)
	if err != nil || consents[a.Subject].Signer != application.Family {
		t.Errorf("an agent's phone signs as %q", consents[a.Subject].Signer)
	}
	if _, ok := p.Person("members/9"); ok {
		t.Error("a member who is not there")
	}
	p.Holder = "members/0"
	if p.Payee() != p.Members[0].Person {
		t.Error("a guardian is not paid")
	}
}

func TestWhoHasNoPaperIsKnownByTheCaseAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	none := civil.StoredPaper(civil.NoPaper, "")
	one, two := application.PersonRef(b.blind, none, "x/subject"), application.PersonRef(b.blind, none, "y/subject")
	id := person(t, "张三", adultNumber).Paper
	if one == two || application.PersonRef(b.blind, id, "x") != application.PersonRef(b.blind, id, "y") {
		t.Error("references are not what they should be")
	}
	other := civil.StoredPaper(civil.Passport, adultNumber)
	if application.PersonRef(b.blind, id, "") == application.PersonRef(b.blind, other, "") {
		t.Error("one number on two kinds of paper is one person")
	}
	account := civil.StoredAccount("6217000000000000020")
	if refs := application.AccountRefs(b.blind, account); len(refs) != 1 || refs[0] != application.AccountRef(b.blind, account) {
		t.Error(refs)
	}
}

func TestWordsOpenForTheirEventOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	e, err := application.SealNote(t.Context(), b.box, a.Event("withdrawn", citizen, t0), redact.New("私事"))
	if err != nil || strings.Contains(string(e.Note), "私事") {
		t.Fatal(err)
	}
	words, err := application.OpenNote(t.Context(), b.box, e)
	if err != nil || words.Reveal() != "私事" {
		t.Error(err)
	}
	e.Version++
	if _, err := application.OpenNote(t.Context(), b.box, e); !errors.Is(err, seal.ErrOpen) {
		t.Error("words open for another event")
	}
	quiet, err := application.SealNote(t.Context(), b.box, a.Event("noted", citizen, t0), redact.Text{})
	if err != nil || quiet.Note != nil {
		t.Error("no words make a note")
	}
	if words, err := application.OpenNote(t.Context(), b.box, quiet); err != nil || !words.Empty() {
		t.Error(err)
	}
}

func TestAConsentIsReplacedAndNotDoubled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	have, err := application.Consents(t.Context(), b.store, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := have[a.Subject]
	c.Document = "another"
	w, err := c.Put(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Transact(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if have, err = application.Consents(t.Context(), b.store, a.ID); err != nil || len(have) != 3 || have[a.Subject].Document != "another" || have[a.Subject].Version != 2 {
		t.Errorf("%+v %v", have[a.Subject], err)
	}
}

// dark is a store that answers nothing, from the n-th read on.
type dark struct {
	table.Store
	after int
}

var errDark = fmt.Errorf("%w: no answer", table.ErrBusy)

func (d *dark) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if d.after--; d.after < 0 {
		return table.Item{}, false, errDark
	}
	return d.Store.Get(ctx, k)
}

func (d *dark) Query(ctx context.Context, q table.Query) (table.Page, error) {
	return table.Page{}, errDark
}

func TestAStoreThatDoesNotAnswerIsUnavailableAndNeverANo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	inner := b.store
	for reads := range 4 {
		b.store = &dark{inner, reads}
		s := b.submission("z")
		s.Cause = policy.Injury
		if _, err := b.submit(s, b.ask("z", "z")); err != nil && !errors.Is(err, table.ErrBusy) {
			t.Errorf("submit after %d reads: %v", reads, err)
		}
		b.store = &dark{inner, reads}
		if _, err := b.submit(b.submission("one"), b.ask("one", "one")); err != nil && !errors.Is(err, table.ErrBusy) {
			t.Errorf("repeat after %d reads: %v", reads, err)
		}
	}
	b.store = &dark{inner, 0}
	if _, err := application.Get(t.Context(), b.store, a.ID); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	if _, _, err := application.OpenParticulars(t.Context(), b.store, b.box, a.ID); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	if _, err := application.Consents(t.Context(), b.store, a.ID); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	if _, err := application.Appeals(t.Context(), b.store, a.ID); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
	b.store = &dark{&trouble{Store: inner, fail: map[int]string{1: "lost"}}, 1}
	if _, err := application.Change(t.Context(), b.store, a.ID, application.Request{}, note(t0)); !errors.Is(err, table.ErrBusy) {
		t.Error(err)
	}
}

func TestAnAnswerOfAnotherRequestIsADefect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.accepted()
	if _, err := application.Replay(t.Context(), b.store, a.ID, 1, b.ask("two", "one")); err == nil || errors.Is(err, application.ErrReused) {
		t.Error(err)
	}
	if _, err := application.Replay(t.Context(), b.store, a.ID, 9, b.ask("one", "one")); err == nil {
		t.Error("a version without an event")
	}
}

func TestIs(t *testing.T) {
	t.Parallel()
	if !application.Is(application.Key("x")) || application.Is(table.Key{PK: "APP#x", SK: "PARTICULARS"}) || application.Is(table.Key{PK: "STAFF#x", SK: "HEAD"}) {
		t.Error("heads are not told from the rest")
	}
	a := sample(application.Verified)
	if c := a.Unmoved(); c.Key != application.Key("x") || c.Version != 5 {
		t.Errorf("%+v", c)
	}
}
