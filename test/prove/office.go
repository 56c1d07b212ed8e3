package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/payout/payouttest"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff/seed"
	"github.com/doudi-aid/doudi/shared/watch"
)

// decided is a case that two officers have decided before the schedule begins.
const decided = "decided"

// offices are the ways in which a case that was verified is decided: each goes
// through the real routes, and whoever is not told an answer asks again with the
// same Idempotency-Key.
var offices = []string{
	"told",   // at once
	"late",   // whoever approves, when the money has long arrived
	"twin",   // the approval goes twice at once
	"rivals", // somebody else approves between reading and writing
	"moved",  // the case is proposed anew between reading and writing
	"own",    // the proposer tries to approve first
}

// What the office does in an act.
const (
	decides = "decides"
	returns = "returns" // who was not told asks again
	repeats = "repeats" // everybody asks again, although they were told
)

// The officers.
const (
	clerk    = "320402005-clerk-1"
	approver = "320402005-approver-1"
	county   = "320402-county-1"
)

// wish is one request of an office, in the order in which it first goes out.
type wish struct {
	who, act string
	key      string
	inside   bool // it first goes out between reading and writing of the one before
	stale    bool // only when the first approval is refused because the case moved
}

var wishes = func() map[string][]wish {
	propose, approve := wish{who: clerk, act: "proposals", key: "k0"}, wish{who: approver, act: "approvals", key: "k1"}
	usual := []wish{propose, approve}
	return map[string][]wish{
		"told":   usual,
		"late":   usual,
		"twin":   append(usual[:2:2], wish{who: approver, act: "approvals", key: "k1", inside: true}),
		"rivals": append(usual[:2:2], wish{who: county, act: "approvals", key: "k1", inside: true}),
		"moved": append(usual[:2:2], wish{who: clerk, act: "proposals", key: "k2", inside: true},
			wish{who: approver, act: "approvals", key: "k3", stale: true}),
		"own": {propose, {who: clerk, act: "approvals", key: "k1"}, approve},
	}
}()

// asked is how far a wish has come.
type asked struct {
	tries  int
	body   string // fixed by what its sender saw first
	status int    // 0 until its sender was told
	answer string
}

// desk is the API of the officers.
type desk struct {
	web    http.Handler
	tokens map[string]string
}

// undecided makes a life whose case has been verified and not decided.
func undecided() *life {
	key, err := seal.NewBlindKey(1, bytes.Repeat([]byte{5}, seal.BlindKeyBytes))
	if err != nil {
		panic(err)
	}
	blind, err := seal.NewBlind(key)
	if err != nil {
		panic(err)
	}
	var o *firstaidtest.Office
	l := born(payouttest.Opened(func(r *payouttest.Room) payouttest.Case {
		o = firstaidtest.Over(r.T, r.Store, r.Box, blind, func() time.Time { return r.Now().In(calendar.Zone) })
		for _, id := range []string{clerk, approver, county} {
			if err := seed.Office(context.Background(), r.Store, r.Box, blind, o.Tree, id, r.Now()); err != nil {
				r.T.Fatal(err)
			}
		}
		o.Fund(fund.Relief, firstaidtest.Township, firstaidtest.Available)
		who := o.Person()
		var account civil.Account
		a := o.Verify(o.Apply(who, func(s *application.Submission) { account = s.Particulars.Account }).ID)
		return payouttest.Case{Application: a.ID, Slice: fund.ID{Fund: fund.Named(fund.Relief, r.Now().Year()), Township: firstaidtest.Township},
			Amount: a.Findings.AmountFen, Budget: firstaidtest.Available, Secrets: []string{who.Name.Reveal(), who.Paper.Reveal(), account.Reveal()}}
	}))
	r := l.Room
	sessions := session.NewStore(r.Table, draws{l}, r.Now)
	l.desk = &desk{tokens: map[string]string{}}
	for _, id := range []string{clerk, approver, county} {
		token, err := sessions.Open(context.Background(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: id}, TTL: session.MaxTTL})
		if err != nil {
			panic(err)
		}
		l.desk.tokens[id] = token
	}
	ids := ident.NewSource(draws{l})
	l.desk.web = httpapi.New(httpapi.Config{Sessions: sessions, Now: o.Now, IDs: ids, Logger: quiet, Watch: watch.Over(r.Table, o.Now)},
		decide.Routes(decide.Deps{Table: r.Table, Box: r.Box, Blind: blind, Book: o.Book, Tree: o.Tree, IDs: ids, Now: o.Now, Models: o.Models})...)
	// What went before is no part of it.
	done, cancel := context.WithCancel(context.Background())
	cancel()
	changes, err := r.Store.Next(done, "relay", 1000)
	if err != nil {
		panic(err)
	}
	if err := r.Store.Ack(done, "relay", changes[len(changes)-1].Seq); err != nil {
		panic(err)
	}
	r.Fate.Turn(0, nil)
	l.begin = l.moment()
	return l
}

// decide has the officer who is next ask, or ask again, and reports whether there
// was one.
func (l *life) decide(what string) bool {
	plan := wishes[l.office]
	if what == repeats {
		i := len(l.asked) + 1 - l.left
		if i == len(plan) {
			return false
		}
		if a := l.asked[i]; a.status > 0 {
			if status, answer := l.request(plan[i], a.body); status > 0 && a.status < 300 && (status != a.status || answer != a.answer) {
				l.found.Errorf("W03: the same request again is answered %d %s, and was %d %s", status, answer, a.status, a.answer)
			}
		}
		return true
	}
	for i, w := range plan {
		a := &l.asked[i]
		switch {
		case a.status > 0, w.stale && l.asked[1].status != http.StatusConflict:
		case what == decides && l.office == "late" && w.act == "approvals" && a.tries > 0:
		default:
			l.wish(i)
			return true
		}
	}
	return false
}

// wish sends the ith request of the plan.
func (l *life) wish(i int) {
	plan := wishes[l.office]
	a := &l.asked[i]
	if a.tries++; a.body == "" {
		a.body = "{}"
		if head := l.Head(); plan[i].act == "approvals" {
			if head.Proposal == nil {
				l.found.Fatal("W01: what was told to be proposed is not")
			}
			body, err := json.Marshal(decide.Approving{ProposalVersion: head.Version, AmountFen: head.Proposal.AmountFen})
			if err != nil {
				panic(err) // two numbers
			}
			a.body = string(body)
		}
	}
	if next := i + 1; next < len(plan) && plan[next].inside && l.asked[next].tries == 0 {
		l.Table.Before = func(context.Context) {
			l.Table.Before = nil
			l.wish(next)
		}
	}
	a.status, a.answer = l.request(plan[i], a.body)
	l.Table.Before = nil
}

// request makes one request; 0 when its sender is not told what became of it.
func (l *life) request(w wish, body string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/v1/staff/applications/"+l.Case.Application+"/"+w.act, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+l.desk.tokens[w.who])
	r.Header.Set("Idempotency-Key", w.key)
	answer := httptest.NewRecorder()
	lived, _ := payouttest.Live(func() error { l.desk.web.ServeHTTP(answer, r); return nil })
	if !lived || answer.Code >= http.StatusInternalServerError {
		return 0, ""
	}
	return answer.Code, answer.Body.String()
}

// audit judges the decision: one award, by two people, on record as they were told.
func (l *life) audit() {
	if l.desk == nil {
		return
	}
	plan := wishes[l.office]
	var won []wish
	var seen decide.Approving // by who won
	for i, w := range plan {
		a := l.asked[i]
		switch {
		case a.tries == 0 && w.stale:
		case a.status == 0:
			l.found.Errorf("%s is not told what became of %s", w.who, w.act)
		case w.act == "approvals" && a.status == http.StatusCreated && !slices.ContainsFunc(won, func(o wish) bool { return o.who == w.who }):
			won = append(won, w)
			if err := json.Unmarshal([]byte(a.body), &seen); err != nil {
				panic(err) // we wrote it
			}
		}
	}
	if len(won) != 1 {
		l.found.Errorf("X048: %d approvals of one case are told that they hold: %v", len(won), l.asked)
		return
	}
	if l.office == "own" && l.asked[1].status != http.StatusForbidden {
		l.found.Errorf("A02: the proposer approves: %d %s", l.asked[1].status, l.asked[1].answer)
	}
	award := l.Payout().Award
	if award.Approver.ID != won[0].who || award.Proposer.ID != clerk || award.Approver.Person == "" || award.Approver.Person == award.Proposer.Person {
		l.found.Errorf("A02: %s was told, and the award is by %+v after %+v", won[0].who, award.Approver, award.Proposer)
	}
	versions, told := int64(0), map[string]int{}
	for _, item := range l.Items() {
		if !event.Is(item.Key) {
			continue
		}
		e, err := event.Decode(item)
		if err != nil {
			l.found.Fatal(err)
		}
		told[e.Noun+"."+e.Kind]++
		if e.Noun != application.Noun {
			continue
		}
		versions++
		if e.Kind == "approved" && (e.Actor.ID != won[0].who || e.Facts.Text("award") != award.ID || e.Rules == "" ||
			fmt.Sprint(e.Facts["proposal"]) != fmt.Sprint(seen.ProposalVersion)) {
			l.found.Errorf("L01: the record of the approval is %+v", e)
		}
	}
	if head := l.Head(); versions != head.Version {
		l.found.Errorf("W01: %d events for %d versions of the application", versions, head.Version)
	}
	if told["application.approved"] != 1 || told[payout.Noun+".granted"] != 1 || told["application.proposed"] < 1 {
		l.found.Errorf("W01: the record says %v", fmt.Sprint(told))
	}
}
