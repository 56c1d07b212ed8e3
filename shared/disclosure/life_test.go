package disclosure_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/event/eventtest"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// TestLifeOfWhatIsPosted has an edition of proposals made, published, objected to,
// answered and taken down by anybody in any order, over a store that loses writes and
// answers. What is stored is what the last step made, with an event for each version;
// the public sees what was published and nothing before, after or taken down, and its
// bytes are those whose hash the event names; whoever proposed answers no objection, and
// it is answered once; and a proposal may be approved exactly when its days are over,
// every objection was answered and none was upheld.
func TestLifeOfWhatIsPosted(t *testing.T) {
	t.Parallel()
	o := posts(t)
	var proposals []application.Application
	waiting := map[string]disclosure.Posting{}
	for range 5 {
		a, p := ask(o, in("320402005001"))
		proposals, waiting[p.ID] = append(proposals, a), p
	}
	made := round(o)
	posted := map[string]disclosure.Posting{}
	for _, s := range made.Edition.Sources {
		p := waiting[s.Posting]
		p.Version, p.Edition, p.Line = p.Version+1, made.Edition.ID, s.Line
		posted[p.ID] = p
	}
	begun, ok := o.Store.(*embedded.Store)
	if !ok || len(posted) != 5 || made.Edition.State != disclosure.Prepared {
		t.Fatal("the office keeps its things elsewhere, or posts them elsewhere, or at once")
	}
	// Who proposed has two accounts, the second of which is in nobody's list.
	proposer := event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: "b1.one"}
	people := append(eventtest.Cast(), proposer, event.Actor{Kind: event.Staff, ID: "second-account", Person: proposer.Person})
	rapid.Check(t, func(rt *rapid.T) {
		ctx, now := t.Context(), o.Now()
		life := eventtest.Over(begun.Fork())
		e := made.Edition
		postings := map[string]disclosure.Posting{}
		for id, p := range posted {
			postings[id] = p
		}
		var objections []disclosure.Objection
		logged := map[string]bool{} // hashes of what may be public
		tell := func(t *rapid.T, kind string, next disclosure.Edition, err error, by event.Actor) {
			if err != nil {
				if next.Version != e.Version {
					t.Fatalf("%s: refused with %v and yet moved", kind, err)
				}
				return
			}
			at := now
			life.Step(t, disclosure.ErrMovedOn, func() error { return disclosure.Commit(ctx, life, next, next.Event(kind, by, at)) })
			e = next
		}
		life.Step(rt, disclosure.ErrMovedOn, func() error {
			return disclosure.Prepare(ctx, life, e, e.Event("prepared", disclosure.System, o.Now()), made.Also...)
		})
		// with is a step of an objection with that of the posting it is about.
		with := func(t *rapid.T, kind string, next disclosure.Objection, p disclosure.Posting, by event.Actor) {
			also, err := p.Writes(p.Event(kind, disclosure.System, now))
			if err != nil {
				t.Fatal(err)
			}
			at := now
			life.Step(t, disclosure.ErrMovedOn, func() error { return next.Keep(ctx, life, next.Event(kind, by, at), also...) })
			postings[p.ID] = p
		}
		publish := func(t *rapid.T) {
			next, err := e.Publish(now)
			tell(t, "published", next, err, disclosure.System)
			if err == nil {
				logged[e.SHA256] = true
			}
		}
		line := func(t *rapid.T) string { return rapid.SampledFrom(made.Edition.Sources).Draw(t, "line").Line }
		answer := func(t *rapid.T) {
			if len(objections) == 0 {
				return
			}
			i, by := rapid.IntRange(0, len(objections)-1).Draw(t, "which"), rapid.SampledFrom(people).Draw(t, "who")
			result := rapid.SampledFrom([]string{disclosure.Dismissed, disclosure.Dismissed, disclosure.Upheld}).Draw(t, "result")
			next, err := objections[i].Answered(result, by, now)
			if err != nil {
				if next.Version != objections[i].Version {
					t.Fatalf("refused with %v and yet moved", err)
				}
				return
			}
			if objections[i].Answer != nil {
				t.Fatal("answered twice")
			}
			with(t, "answered", next, postings[next.Posting].Answered(result == disclosure.Upheld), by)
			objections[i] = next
		}
		rt.Repeat(map[string]func(*rapid.T){
			"pass":    func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour) },
			"publish": publish, "publish again": publish,
			"redate": func(t *rapid.T) {
				if e.Late(now) {
					next, err := e.Redate(now)
					tell(t, "redated", next, err, disclosure.System)
				}
			},
			"take down": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
					next, err := e.TakeDown(line(t), "stopped", proposer, now)
					tell(t, "taken-down", next, err, proposer)
				}
			},
			"object": func(t *rapid.T) {
				shown, err := disclosure.Show(ctx, life, e.ID, now)
				if err != nil || len(objections) == 6 {
					return
				}
				source, err := shown.Source(line(t))
				if err != nil {
					return
				}
				next := disclosure.Object(fmt.Sprint("o", len(objections)), shown, source, "somebody", now, now.AddDate(0, 0, 5))
				with(t, "objected", next, postings[source.Posting].Objected(), event.Actor{Kind: event.Citizen, ID: "somebody"})
				objections = append(objections, next)
			},
			"answer": answer, "answer again": answer, "late": life.Late,
			"": func(t *rapid.T) {
				stored, err := disclosure.Get(ctx, life, e.ID)
				if err != nil {
					t.Fatal(err)
				}
				life.Holds(t, disclosure.Key(e.County, e.Year, e.Number), disclosure.Noun, e.ID, e.Version, stored, e)
				sum := sha256.Sum256(stored.Bytes)
				if stored.SHA256 != hex.EncodeToString(sum[:]) {
					t.Fatal("its hash is that of other bytes")
				}
				public := logged[e.SHA256] && now.Before(e.Until)
				if _, err := disclosure.Show(ctx, life, e.ID, now); (err == nil) != public || err != nil && !errors.Is(err, disclosure.ErrNotFound) {
					t.Fatalf("public %t: %v", public, err)
				}
				d, err := stored.Document()
				if err != nil || e.State == disclosure.Published && e.Published.IsZero() {
					t.Fatal(e.Published, err)
				}
				lines := 0
				for _, told := range d.Places {
					if lines += len(told.Lines); told.TakenDown && len(told.Lines) > 0 {
						t.Fatal("a line came back")
					}
				}
				if lines != len(stored.Sources) || len(stored.Down) > 0 && lines == 5 {
					t.Fatalf("%d lines of %d sources, taken down %d times", lines, len(stored.Sources), len(stored.Down))
				}
				open, upheld := map[string]int{}, map[string]int{}
				for _, want := range objections {
					have, err := disclosure.GetObjection(ctx, life, want.County, want.Year, want.ID)
					if err != nil {
						t.Fatal(err)
					}
					key := disclosure.ObjectionKey(want.County, want.Year, want.ID)
					item := life.Holds(t, key, disclosure.ObjectionNoun, want.ID, want.Version, have, want)
					if (len(item.Places) == 1) != (want.Answer == nil) {
						t.Fatalf("answered %v and in %d lists", want.Answer, len(item.Places))
					}
					switch {
					case want.Answer == nil:
						open[want.Posting]++
						continue
					case want.Answer.Result == disclosure.Upheld:
						upheld[want.Posting]++
					}
					eventtest.Apart(t, "answered", want.Answer.By, proposer)
				}
				for _, a := range proposals {
					p := postings[a.Proposal.Posting]
					have, err := disclosure.PostingOf(ctx, life, a)
					if err != nil {
						t.Fatal(err)
					}
					life.Holds(t, p.Key(), disclosure.PostingNoun, p.ID, p.Version, have, p)
					if have.Open != open[p.ID] || have.Upheld != upheld[p.ID] {
						t.Fatalf("%+v after %d open and %d upheld", have, open[p.ID], upheld[p.ID])
					}
					over := !e.Published.IsZero() && !now.Before(e.Until) && open[p.ID] == 0 && upheld[p.ID] == 0
					conditions, err := disclosure.Passed(ctx, life, a, now)
					if (err == nil) != over || (len(conditions) == 1) != over {
						t.Fatalf("may be approved with %d conditions (%v), and its days are over: %t", len(conditions), err, over)
					}
					for _, c := range conditions { // another objection undoes the approval
						if check, is := c.(table.Check); !is || check.Key != p.Key() || check.Version != p.Version {
							t.Fatalf("the condition is %+v", c)
						}
					}
				}
			},
		})
	})
}
