// Package sampling is random call-backs: how many of the paid are asked, which, and
// what they said (回访). How many follows from the confidence and the margin that
// are wanted; which follows from a seed that is drawn once and kept, so that anybody
// can draw again and see that nobody was chosen. It decides nothing about any case.
package sampling

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names samples in events.
const Noun = "sample"

// What can go wrong with samples.
var (
	ErrNotFound = fault.New(fault.NotFound, "sample-not-found", "没有找到这次抽查。", "There is no such sample.")
	ErrEmpty    = fault.New(fault.Invalid, "sample-empty", "这段时间没有已发放的救助可以抽查。", "Nothing was paid in that time.")
	ErrTooMany  = fault.New(fault.Invalid, "sample-too-wide", "范围太大，请缩短时间或缩小辖区。", "That is too much at once; take a shorter time or a smaller area.")
	ErrNoPick   = fault.New(fault.NotFound, "sample-no-such-case", "这件申请不在抽查名单上。", "That case was not drawn.")
	ErrSaid     = fault.New(fault.Conflict, "sample-said", "这件已经登记过回访结果。", "A result is there already.")
	ErrMovedOn  = fault.New(fault.Conflict, "sample-moved", "刚刚有人登记，请再试一次。", "Somebody has just entered a result; try again.")
)

// scores are the two-sided normal scores of each confidence, in thousandths.
var scores = map[int]int64{90: 1645, 95: 1960, 99: 2576}

// Confidences are those that can be asked for, in percent.
func Confidences() []int { return []int{90, 95, 99} }

// The margins that can be asked for, in percent.
const (
	MinMargin = 3
	MaxMargin = 20
)

// Size is how many of population have to be asked so that a share found among them
// is within margin percent of the whole, at confidence percent, whatever the share
// is (Cochran's formula at one half, with the correction for a finite population).
func Size(population, confidence, margin int) (int, error) {
	z, known := scores[confidence]
	if !known || margin < MinMargin || margin > MaxMargin || population < 1 {
		return 0, fmt.Errorf("sampling: no sample of %d at %d %% within %d %%", population, confidence, margin)
	}
	// n₀ = z²/(4e²) = top/bottom; n = n₀N/(n₀+N−1), rounded up. All in whole numbers.
	top, bottom, n := z*z, int64(400)*int64(margin)*int64(margin), int64(population)
	above, below := top*n, top+(n-1)*bottom
	return int((above + below - 1) / below), nil
}

// Draw takes n of ids by seed: those whose keyed digests are the lowest. The order
// in which ids come does not matter.
func Draw(seed []byte, ids []string, n int) []string {
	rank := func(id string) string {
		h := hmac.New(sha256.New, seed)
		_, _ = h.Write([]byte(id)) // never fails
		return string(h.Sum(nil))
	}
	type ranked struct{ id, rank string }
	all := make([]ranked, len(ids))
	for i, id := range ids {
		all[i] = ranked{id, rank(id)}
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(strings.Compare(a.rank, b.rank), strings.Compare(a.id, b.id)) })
	out := make([]string, 0, n)
	for _, r := range all[:min(n, len(all))] {
		out = append(out, r.id)
	}
	return out
}

// Digest is the digest of what was drawn from: whoever has the list of the paid can
// see that none was left out.
func Digest(ids []string) string {
	sorted := slices.Sorted(slices.Values(ids))
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\n")))
	return hex.EncodeToString(sum[:])
}

// Result is what somebody who was asked said.
type Result string

// The results.
const (
	Right       Result = "right"        // 属实
	WrongAmount Result = "wrong_amount" // 金额不符
	NotReceived Result = "not_received" // 没有收到
	NotApplied  Result = "not_applied"  // 没有申请过
	PaidSomeone Result = "paid_someone" // 给过别人好处
	Unreached   Result = "unreached"    // 联系不上
)

// Results lists every result.
func Results() []Result {
	return []Result{Right, WrongAmount, NotReceived, NotApplied, PaidSomeone, Unreached}
}

// Wrong reports whether r is a finding against the payment.
func (r Result) Wrong() bool { return r != Right && r != Unreached }

// Pick is one case that was drawn.
type Pick struct {
	Application string      `json:"application"`
	Result      Result      `json:"result,omitempty"`
	By          event.Actor `json:"by,omitzero"`
	At          time.Time   `json:"at,omitzero"`
}

// Sample is one draw and what came of it.
type Sample struct {
	ID         string             `json:"id"`
	Version    int64              `json:"-"`
	Division   civil.DivisionCode `json:"division"`
	From       civil.Day          `json:"from"`
	To         civil.Day          `json:"to"`
	Confidence int                `json:"confidence"` // percent
	Margin     int                `json:"margin"`     // percent
	Population int                `json:"population"`
	Digest     string             `json:"digest"` // of the population
	Seed       string             `json:"seed"`   // hex
	By         event.Actor        `json:"by"`
	At         time.Time          `json:"at"`
	Picks      []Pick             `json:"picks"`
}

// Partition is where a sample and its history are kept.
func Partition(id string) string { return "SAMPLE#" + id }

// Key is where a sample is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "SAMPLE"} }

// List is the partition of the owner index that lists the samples of a division,
// by the time they were drawn.
func List(d civil.DivisionCode) string { return "SAMPLES-OF#" + string(d) }

// Event begins the event of s's present version.
func (s Sample) Event(kind string, by event.Actor, at time.Time) event.Event {
	return event.Event{PK: Partition(s.ID), Noun: Noun, ID: s.ID, Version: s.Version, Kind: kind, At: at, Actor: by,
		Facts: event.Facts{"division": string(s.Division), "from": s.From.String(), "to": s.To.String(), "population": s.Population, "digest": s.Digest,
			"seed": s.Seed, "confidence": s.Confidence, "margin": s.Margin, "drawn": len(s.Picks)}}
}

// Commit stores a version of s with its event and more. ErrMovedOn means that it
// changed meanwhile: nothing is stored.
func Commit(ctx context.Context, t table.Store, s Sample, e event.Event, more ...table.Write) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("sampling: %w", err)
	}
	item := table.Item{Key: Key(s.ID), Version: s.Version, Body: body,
		Places: []table.Place{{Index: table.ByOwner, PK: List(s.Division), SK: work.Stamp(s.At) + "#" + s.ID}}}
	writes, err := e.With(item)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, append(writes, more...)...)
}

// Get reads one sample strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Sample, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Sample{}, err
	}
	if !ok {
		return Sample{}, ErrNotFound
	}
	var s Sample
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return s, fmt.Errorf("sampling: %s: %w", item.Key.PK, err)
	}
	s.Version = item.Version
	return s, nil
}

// Say is s with what one of the drawn said. It is said once; somebody who was not
// reached may be asked again.
func (s Sample) Say(application string, r Result, by event.Actor, at time.Time) (Sample, error) {
	i := slices.IndexFunc(s.Picks, func(p Pick) bool { return p.Application == application })
	if i < 0 {
		return s, ErrNoPick
	}
	if was := s.Picks[i].Result; was != "" && was != Unreached {
		return s, ErrSaid
	}
	s.Picks = slices.Clone(s.Picks)
	s.Version, s.Picks[i] = s.Version+1, Pick{application, r, by, at}
	return s, nil
}

// Tally is how many of the drawn said what; "" for those not asked yet.
func (s Sample) Tally() map[Result]int {
	out := map[Result]int{}
	for _, p := range s.Picks {
		out[p.Result]++
	}
	return out
}
