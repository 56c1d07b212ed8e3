package application_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfAnApplication has anybody verify, propose, approve, hold, refuse, take back
// on appeal and all else, each asked again under the same key, over a store that loses
// writes and answers. What is stored is what the last step made, with an event for each
// version, and the events lead to its state; a request is done once and answered with
// the same bytes for ever; two people who are known and not concerned award, and lift
// holds that others placed; nothing held is proposed or approved; the clock begins at
// acceptance and no step sets it back; and what was awarded or withdrawn stays so.
func TestLifeOfAnApplication(t *testing.T) {
	t.Parallel()
	cast := eventtest.Cast()
	concerned, kin := cast[3].Person, cast[2].ID
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), t0
		life := eventtest.Over(embedded.Memory())
		a := application.Application{ID: "app", Version: 1, Account: "acc", State: application.Accepted, Township: "320402005000", County: "320402000000",
			AcceptedAt: t0, Subject: concerned, People: []string{concerned}, Payee: "b1.payee",
			Deadline: application.Deadline{Kind: application.ToDecide, From: t0, At: t0.Add(24 * time.Hour)}}
		writes, err := a.Writes(a.Event("accepted", event.Actor{Kind: event.Citizen, ID: "acc"}, now))
		if err != nil {
			rt.Fatal(err)
		}
		life.Step(rt, application.ErrMovedOn, func() error { return table.Commit(ctx, life, application.ErrMovedOn, writes...) })
		asked := 0
		// step is one request, whatever is lost of it, and its repetitions.
		step := func(t *rapid.T, kind string, by event.Actor, act func(application.Application) (application.Application, error)) {
			asked++
			req := application.Request{Key: fmt.Sprint("k", asked), Digest: "d"}
			do := func(a application.Application) (application.Step[int64], error) {
				n, err := act(a)
				return application.Step[int64]{Next: n, Event: n.Event(kind, by, now), Out: n.Version}, err
			}
			next, refused := act(a)
			life.Lose(t)
			answer, err := application.Change(ctx, life, a.ID, req, do)
			if life.Heal(); (err == nil) != (refused == nil) || err != nil && !errors.Is(err, refused) {
				t.Fatalf("%s: %v, and it is %v", kind, err, refused)
			}
			if err != nil {
				return
			}
			again, err := application.Change(ctx, life, a.ID, req, do)
			if err != nil || !again.Replayed || string(again.Body) != string(answer.Body) || string(answer.Body) != fmt.Sprint(next.Version) {
				t.Fatalf("%s again: %s, %v, not %s", kind, again.Body, err, answer.Body)
			}
			req.Digest = "other"
			if _, err := application.Change(ctx, life, a.ID, req, do); !errors.Is(err, application.ErrReused) {
				t.Fatalf("another body under the same key: %v", err)
			}
			if a.Held() && (kind == "proposed" || kind == "approved") {
				t.Fatalf("%s while it is held", kind)
			}
			if over := a.State == application.Withdrawn || a.Award != nil; over && next.State != a.State && next.State != application.Explained {
				t.Fatalf("%s became %s", a.State, next.State)
			}
			a = next.Answered(req.Key)
		}
		verify := func(t *rapid.T) {
			f := application.Findings{At: now, AmountFen: 1000_00, Persons: 1, Kin: []string{kin}, Rules: "r"}
			var holds []application.Hold
			if rapid.IntRange(0, 3).Draw(t, "doubt") == 0 {
				holds = append(holds, application.NewHold(a.ID, a.Version, "FACTS_UNCLEAR", cast[5], now, now.Add(time.Hour)))
			}
			step(t, "verified", cast[5], func(a application.Application) (application.Application, error) { return a.WithFindings(f, holds) })
		}
		propose := func(t *rapid.T) {
			by := eventtest.Who(t)
			p := application.Proposal{By: by, At: now, AmountFen: 1000_00, Persons: 1, Payee: a.Payee, Rules: "r"}
			step(t, "proposed", by, func(a application.Application) (application.Application, error) { return a.Propose(p) })
		}
		approve := func(t *rapid.T) {
			by := eventtest.Who(t)
			award := application.Award{ID: "01", AmountFen: rapid.SampledFrom([]money.Fen{1000_00, 1000_00, 999_00}).Draw(t, "amount"), By: by, At: now}
			step(t, "approved", by, func(a application.Application) (application.Application, error) {
				return a.Approve(award, application.Deadline{Kind: application.ToExplain, From: now, At: now.Add(48 * time.Hour)})
			})
		}
		lift := func(t *rapid.T) {
			i := slices.IndexFunc(a.Holds, func(h application.Hold) bool { return h.Lifted == nil })
			if i < 0 {
				return
			}
			by, id := eventtest.Who(t), a.Holds[i].ID
			step(t, "hold_lifted", by, func(a application.Application) (application.Application, error) { return a.LiftHold(id, by, now) })
		}
		reopen := func(t *rapid.T) {
			by := eventtest.Who(t)
			_, move, err := a.Reopen(by, application.Deadline{})
			if err != nil {
				move = "reopened"
			}
			step(t, move, by, func(a application.Application) (application.Application, error) {
				n, _, err := a.Reopen(by, application.Deadline{Kind: application.ToDecide, From: t0, At: now.Add(24 * time.Hour)})
				return n, err
			})
		}
		rarely := func(do func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					do(t)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":   func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour) },
			"verify": verify, "verify again": verify, "propose": propose, "propose again": propose, "approve": approve, "approve again": approve,
			"lift": lift, "lift again": lift, "reopen": reopen,
			"supplement": rarely(func(t *rapid.T) {
				payee := rapid.SampledFrom([]string{"b1.payee", "b1.other"}).Draw(t, "payee")
				step(t, "supplemented", event.Actor{Kind: event.Citizen, ID: "acc"}, func(a application.Application) (application.Application, error) {
					return a.Supplement(a.Subject, a.People, payee, now)
				})
			}),
			"hold": func(t *rapid.T) {
				by := eventtest.Who(t)
				if a.State != application.Proposed && rapid.IntRange(0, 3).Draw(t, "really") > 0 {
					return
				}
				h := application.NewHold(a.ID, a.Version, application.HoldStaff, by, now, now.Add(time.Hour))
				if _, placed, err := a.PlaceHold(h); err == nil && placed {
					step(t, "held", by, func(a application.Application) (application.Application, error) {
						n, _, err := a.PlaceHold(h)
						return n, err
					})
				}
			},
			"refuse": rarely(func(t *rapid.T) {
				by := eventtest.Who(t)
				step(t, "refused", by, func(a application.Application) (application.Application, error) { return a.Refuse(by) })
			}),
			"withdraw": rarely(rarely(func(t *rapid.T) {
				step(t, "withdrawn", event.Actor{Kind: event.Citizen, ID: "acc"}, application.Application.Withdraw)
			})),
			"explain": func(t *rapid.T) { step(t, "explained", cast[1], application.Application.Explain) },
			"note":    rarely(func(t *rapid.T) { step(t, "noted", cast[1], application.Application.Note) }),
			"late":    life.Late,
			"": func(t *rapid.T) {
				stored, err := application.Get(ctx, life, a.ID)
				if err != nil {
					t.Fatal(err)
				}
				item := life.Holds(t, application.Key(a.ID), application.Noun, a.ID, a.Version, stored, a)
				told, err := event.Of(ctx, life, application.Partition(a.ID))
				if state := application.StateAfter(told); err != nil || state != a.State {
					t.Fatalf("its events lead to %q, and it is %s: %v", state, a.State, err)
				}
				if owed := a.Open() || a.Held(); !a.AcceptedAt.Equal(t0) || owed != slices.ContainsFunc(item.Places, func(p table.Place) bool { return p.Index == table.ByWork }) {
					t.Fatalf("%s of %s, held %t, stands in %v", a.State, a.AcceptedAt, a.Held(), item.Places)
				}
				if a.Open() && a.Deadline.Kind == application.ToDecide && !a.Deadline.From.Equal(t0) {
					t.Fatalf("its clock began at %s", a.Deadline.From)
				}
				if before := a.State == application.Accepted || a.State == application.Verified; before && a.Proposal != nil {
					t.Fatalf("%s with a proposal that was made for something else", a.State)
				}
				if d := a.Award; d != nil {
					eventtest.Apart(t, "approved", d.By, a.Proposal.By, event.Actor{Person: concerned}, event.Actor{ID: kin})
					if d.AmountFen != a.Proposal.AmountFen {
						t.Fatalf("%s of %s was approved", d.AmountFen, a.Proposal.AmountFen)
					}
				}
				for _, h := range a.Holds {
					if h.Lifted != nil {
						eventtest.Apart(t, "lifted", h.Lifted.By, h.Placed, event.Actor{Person: concerned})
					}
				}
			},
		})
	})
}
