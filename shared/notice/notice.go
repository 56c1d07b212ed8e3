// Package notice is one message to one person about one event. It is owed in
// the same transaction as the fact it tells of, so that nothing happens to a
// person untold; it never stands in the way of money. It knows which words go
// with which event and which channels were tried, and nothing about how a
// channel works.
//
// A notice keeps its own history: every try is written down before it is made.
// Its final outcome is an event; the tries in between are not.
package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names notices in events.
const Noun = "notice"

// Kind is what a notice is about.
type Kind string

// The kinds.
const (
	Accepted      Kind = "accepted"          // 已受理
	Paid          Kind = "paid"              // 已发放
	Returned      Kind = "returned"          // 银行退回
	Refused       Kind = "refused"           // 不予救助
	PaymentFailed Kind = "payment_failed"    // 发放失败
	FiledForYou   Kind = "filed_for_you"     // 有人以您的名义提出申请
	Confirm       Kind = "confirm"           // 请本人确认收款
	Upheld        Kind = "appeal_upheld"     // 异议已答复：维持原决定
	Reopened      Kind = "reopened"          // 异议成立：重新办理
	Revealed      Kind = "revealed"          // 经两人同意查看完整个人信息
	Replied       Kind = "complaint_replied" // 反映的事项已有答复
	// Money that was wrongly paid (追回).
	RecoveryOpened  Kind = "recovery_opened"  // 请本人陈述意见
	RecoveryDecided Kind = "recovery_decided" // 已作出追回决定
	RecoveryClosed  Kind = "recovery_closed"  // 追回事项已了结
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{Accepted, Paid, Returned, Refused, PaymentFailed, Confirm, FiledForYou, Upheld, Reopened, Revealed, RecoveryOpened, RecoveryDecided, RecoveryClosed, Replied}
}

// Channel is a way to reach a person.
type Channel string

// The channels, in the order they are tried.
const (
	WeChat Channel = "wechat" // subscription message
	SMS    Channel = "sms"
)

// Channels lists the channels in the order they are tried.
func Channels() []Channel { return []Channel{WeChat, SMS} }

// State is where a notice stands.
type State string

// The states.
const (
	Owed    State = "owed"
	Sending State = "sending" // a try is under way, or died under way
	Sent    State = "sent"    // some channel took it
	Unsent  State = "unsent"  // no channel could; the township calls the person
	Told    State = "told"    // somebody of the township told the person
	Untold  State = "untold"  // called MaxCalls times, and nobody answered
)

// Outcome is what came of one try.
type Outcome string

// The outcomes.
const (
	Taken   Outcome = "taken"   // the channel took it
	Refusal Outcome = "refused" // the channel will never take it: try the next
	Busy    Outcome = "busy"    // not taken for now: the same channel again, later
	Unclear Outcome = "unclear" // perhaps taken: never the same channel again
)

// Try is one try of one channel.
type Try struct {
	Channel Channel   `json:"channel"`
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome"`
	Code    string    `json:"code,omitempty"` // the provider's code
}

// Call is one telephone call by a member of staff; what was said is not here.
type Call struct {
	By      string    `json:"by"` // staff id
	At      time.Time `json:"at"`
	Reached bool      `json:"reached"`
}

// Notice is one message owed to the people of one application, or to whoever made
// one complaint.
type Notice struct {
	ID          string      `json:"id"`
	Version     int64       `json:"-"`
	Application string      `json:"application,omitempty"`
	Complaint   string      `json:"complaint,omitempty"` // in place of Application
	Kind        Kind        `json:"kind"`
	State       State       `json:"state"`
	At          time.Time   `json:"at"`    // when it came to be owed
	Due         time.Time   `json:"due"`   // when the machine must act next
	Facts       event.Facts `json:"facts"` // of the event it tells of; nothing personal
	Tries       []Try       `json:"tries,omitempty"`
	Trace       string      `json:"trace,omitempty"`
	// Township is who calls the person when no channel could reach them.
	Township string `json:"township,omitempty"`
	Calls    []Call `json:"calls,omitempty"`
}

// Limits of persistence.
const (
	// Lease is how long a try may be under way before it is taken to have died.
	Lease = 30 * time.Second
	// MaxBusy is how many times one channel may say it is busy.
	MaxBusy = 6
	// MaxCalls is how many calls that nobody answers end a notice.
	MaxCalls = 3
)

// Prefix begins the sort key of every notice.
const Prefix = "NOTICE#"

// Key is where a notice is kept.
func Key(partition, id string) table.Key { return table.Key{PK: partition, SK: Prefix + id} }

// Is reports whether key is that of a notice.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, Prefix) }

// Owe is the write that makes the people of cause's application owed a notice.
// One event owes at most one notice of a kind.
func Owe(kind Kind, cause event.Event) (table.Write, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, fmt.Errorf("notice: no kind %q", kind)
	}
	n := Notice{ID: fmt.Sprintf("%s#%s#%s#%d", kind, cause.Noun, cause.ID, cause.Version), Version: 1,
		Application: strings.TrimPrefix(cause.PK, "APP#"), Kind: kind, State: Owed,
		At: cause.At, Due: cause.At, Facts: cause.Facts, Trace: cause.Trace}
	item, err := n.item()
	if err != nil {
		return nil, err
	}
	return table.Put{Item: item}, nil
}

// ReplyPartition is where the notices about one complaint are kept: apart from the
// complaint, so that what sends them may write nothing there, and whoever reads the
// complaint does not see whom they reached.
func ReplyPartition(complaint string) string { return "REPLY#" + complaint }

// OweReply is the write that makes whoever made a complaint owed a notice that
// there is a reply, which cause is the event of. It keeps none of the facts of it.
func OweReply(complaint string, cause event.Event) (table.Write, error) {
	n := Notice{ID: fmt.Sprintf("%s#%d", Replied, cause.Version), Version: 1, Complaint: complaint, Kind: Replied, State: Owed, At: cause.At, Due: cause.At}
	item, err := n.item()
	return table.Put{Item: item}, err
}

// Get reads one notice of an application; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, partition, id string) (Notice, error) {
	item, ok, err := t.Get(ctx, Key(partition, id))
	if err != nil {
		return Notice{}, err
	}
	if !ok {
		return Notice{}, ErrNotFound
	}
	return Decode(item)
}

// Decode reads a stored notice.
func Decode(item table.Item) (Notice, error) {
	var n Notice
	d := json.NewDecoder(bytes.NewReader(item.Body))
	d.UseNumber() // amounts in Facts must not pass through a float
	if err := d.Decode(&n); err != nil {
		return n, fmt.Errorf("notice: %s: %w", item.Key.SK, err)
	}
	n.Version = item.Version
	return n, nil
}

// Final reports whether the machine has nothing more to try.
func (n Notice) Final() bool { return n.State != Owed && n.State != Sending }

// Next is the channel to try now among those that can reach the person; ok is
// false when none is left.
func (n Notice) Next(reachable []Channel) (Channel, bool) {
	for _, c := range Channels() {
		if slices.Contains(reachable, c) && !n.spent(c) {
			return c, true
		}
	}
	return "", false
}

// spent reports whether channel c may not be tried again.
func (n Notice) spent(c Channel) bool {
	busy := 0
	for _, t := range n.Tries {
		if t.Channel != c {
			continue
		}
		if t.Outcome != Busy {
			return true
		}
		busy++
	}
	return busy >= MaxBusy
}

// Claim writes the try down before it is made, as unclear: if we die now, the
// same channel is not used twice.
func (n Notice) Claim(c Channel, now time.Time) Notice {
	n.Version++
	n.State = Sending
	n.Due = now.Add(Lease)
	n.Tries = append(slices.Clone(n.Tries), Try{Channel: c, At: now, Outcome: Unclear})
	return n
}

// Settle writes down what came of the try under way.
func (n Notice) Settle(o Outcome, code string, now time.Time) Notice {
	n.Version++
	n.Tries = slices.Clone(n.Tries)
	last := &n.Tries[len(n.Tries)-1]
	last.Outcome, last.Code = o, code
	switch o {
	case Taken:
		n.State = Sent
	case Busy:
		n.State = Owed
		n.Due = now.Add(backoff(len(n.Tries)))
	default:
		n.State = Owed
		n.Due = now
	}
	return n
}

// backoff doubles from five seconds to five minutes.
func backoff(tries int) time.Duration {
	return min(5*time.Second<<min(tries-1, 10), 5*time.Minute)
}

// GiveUp ends a notice that no channel could deliver: the township has to call. With
// "" nobody is asked to, as for a complaint: whoever called would learn who it was.
func (n Notice) GiveUp(township string) Notice {
	n.Version++
	n.State = Unsent
	n.Township = township
	return n
}

// Called writes down a call by a member of staff. One that reached the person
// ends the notice, and so does the last of MaxCalls that did not; until then the
// township calls again. ErrState: nobody is asked to call.
func (n Notice) Called(c Call) (Notice, error) {
	if n.State != Unsent {
		return n, ErrState
	}
	n.Version++
	n.Calls = append(slices.Clone(n.Calls), c)
	switch {
	case c.Reached:
		n.State = Told
	case len(n.Calls) >= MaxCalls:
		n.State = Untold
	}
	return n, nil
}

// CallDue is by when the township should have called: a day after the last
// channel failed, or after the last call.
func (n Notice) CallDue() time.Time { return n.waiting().Add(24 * time.Hour) }

// waiting is since when the township has to call.
func (n Notice) waiting() time.Time {
	if len(n.Calls) > 0 {
		return n.Calls[len(n.Calls)-1].At
	}
	return n.At
}

// outcome names the event that made n's present version.
func (n Notice) outcome() string {
	if n.State == Unsent && len(n.Calls) > 0 {
		return "called"
	}
	return string(n.State)
}

// Replace is n's new version, with the event of its outcome once it is final.
func (n Notice) Replace(by event.Actor, at time.Time) ([]table.Write, error) {
	item, err := n.item()
	if err != nil {
		return nil, err
	}
	if !n.Final() {
		return []table.Write{table.Replace{Item: item}}, nil
	}
	facts := event.Facts{"kind": string(n.Kind), "tries": len(n.Tries)}
	if len(n.Calls) > 0 {
		facts["calls"] = len(n.Calls)
	} else if len(n.Tries) > 0 {
		facts["channel"] = string(n.Tries[len(n.Tries)-1].Channel)
	}
	return event.Event{PK: item.Key.PK, Noun: Noun, ID: n.ID, Version: n.Version, Kind: n.outcome(),
		At: at, Actor: by, Facts: facts, Trace: n.Trace}.With(item)
}

func (n Notice) item() (table.Item, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return table.Item{}, fmt.Errorf("notice: %w", err)
	}
	partition := "APP#" + n.Application
	if n.Complaint != "" {
		partition = ReplyPartition(n.Complaint)
	}
	item := table.Item{Key: Key(partition, n.ID), Version: n.Version, Body: body}
	switch {
	case !n.Final():
		item.Places = []table.Place{work.Due(item.Key, n.Due, work.Notify)}
	case n.State == Unsent && n.Township != "":
		item.Places = []table.Place{{Index: table.ByWork, PK: "WORK#" + n.Township, SK: work.Stamp(n.CallDue())}}
	}
	return item, nil
}
