package complaint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Partition is where a complaint and everything about it is kept:
//
//	HEAD                          the Complaint
//	DUTY                          its place in the list of the unit that handles it
//	PARTICULARS                   sealed: the words, and apart from them who complained
//	DOCUMENT#<id>                 one picture
//	EVENT#complaint#<id>#<v>      what happened
func Partition(id string) string { return partitionPrefix + id }

const partitionPrefix = "COMPLAINT#"

// Key is where the complaint itself is kept.
func Key(id string) table.Key { return table.Key{PK: Partition(id), SK: "HEAD"} }

func dutyKey(id string) table.Key { return table.Key{PK: Partition(id), SK: "DUTY"} }

// Is reports whether key is that of a complaint itself.
func Is(key table.Key) bool { return strings.HasPrefix(key.PK, partitionPrefix) && key.SK == "HEAD" }

// List is the partition of the work index that lists the complaints of one
// division for the supervision body: open ones first, the most urgent on top,
// then the closed. One whose clock runs out climbs into the list of the district
// and then of the city.
func List(d civil.DivisionCode) string { return "COMPLAINTS#" + string(d) }

// DutyList lists what the unit at one division must handle, the most urgent first.
func DutyList(d civil.DivisionCode) string { return "COMPLAINTDUTY#" + string(d) }

// Open and Closed begin the sort keys of open and closed complaints in a List.
const (
	Open   = "0#"
	Closed = "1#"
)

// OwnerList lists what one account has complained about. The account itself is
// in no key: owner is its keyed reference.
func OwnerList(owner string) string { return "COMPLAINANT#" + owner }

// Owners are the references of an account, the current one first.
func Owners(blind *seal.Blind, account string) []string { return blind.Refs("complainant", account) }

// Event begins the event of c's present version.
func (c Complaint) Event(kind string, by event.Actor, at time.Time) event.Event {
	return event.Event{PK: Partition(c.ID), Noun: Noun, ID: c.ID, Version: c.Version, Kind: kind, At: at, Actor: by, Rules: c.Rules,
		Facts: event.Facts{"state": string(c.State), "rank": int(c.Rank)}}
}

// Complainant is who acts in events when the complainant does: nobody that could
// be told from another.
func Complainant() event.Actor { return event.Actor{Kind: event.Citizen, ID: "complainant"} }

// Decode reads a stored complaint.
func Decode(item table.Item) (Complaint, error) {
	var c Complaint
	if err := json.Unmarshal(item.Body, &c); err != nil {
		return c, fmt.Errorf("complaint: %s: %w", item.Key.PK, err)
	}
	c.Version = item.Version
	return c, nil
}

// Get reads one complaint strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Complaint, error) {
	if !ident.Valid(id) {
		return Complaint{}, ErrNotFound
	}
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Complaint{}, err
	}
	if !ok {
		return Complaint{}, ErrNotFound
	}
	return Decode(item)
}

// Level is where its overdue clock has climbed to.
func (c Complaint) Level() civil.DivisionCode {
	told := 0
	if k, _ := c.Running(); k != nil {
		told = k.Told
	}
	switch {
	case told >= 100:
		return c.at(civil.CityLevel)
	case told >= 80:
		return c.at(civil.CountyLevel)
	}
	return c.at(civil.TownshipLevel)
}

// order is c's place in a list: the rank first, then the time it is owed by, then
// who was first.
func (c Complaint) order() string {
	_, due := c.Running()
	return fmt.Sprintf("%d#%s#%s", c.Rank, work.Stamp(due), work.Stamp(c.FiledAt))
}

// items are the head and the duty of c.
func (c Complaint) items() ([]table.Item, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("complaint: %w", err)
	}
	head := table.Item{Key: Key(c.ID), Version: c.Version, Body: body}
	sk := Open + c.order()
	if c.State == Replied {
		sk = Closed + work.Stamp(c.Reply.At)
	}
	head.Places = append(head.Places, table.Place{Index: table.ByWork, PK: List(c.Level()), SK: sk})
	if c.Owner != "" {
		head.Places = append(head.Places, table.Place{Index: table.ByOwner, PK: OwnerList(c.Owner), SK: work.Stamp(c.FiledAt)})
	}
	if at, owed := c.next(); owed {
		head.Places = append(head.Places, work.Due(head.Key, at, work.Clock))
	}
	duty := table.Item{Key: dutyKey(c.ID), Version: c.Version, Body: []byte(`{}`)}
	if c.State == Assigned || (c.State == Handled || c.State == Reviewed) && c.Handler() != "" {
		duty.Places = []table.Place{{Index: table.ByWork, PK: DutyList(c.Handler()), SK: c.order()}}
	}
	return []table.Item{head, duty}, nil
}

// writes are c's new version and the event that made it, the event first.
func (c Complaint) writes(e event.Event) ([]table.Write, error) {
	items, err := c.items()
	if err != nil {
		return nil, err
	}
	writes, err := e.With(items...)
	if err != nil {
		return nil, err
	}
	told := len(writes) - 1
	return slices.Concat(writes[told:], writes[:told]), nil
}

// Request is what makes a change idempotent: see application.Request. Status is
// that of the answer.
type Request struct {
	Key, Digest string
	Status      int
}

// Asked is the request that a caller made, its key and digest keyed: a digest of
// who asked must not lead back to the person.
func Asked(blind *seal.Blind, key, digest string, status int) Request {
	return Request{Key: blind.Ref("complaint request", key), Digest: blind.Ref("request", digest), Status: status}
}

// Step is one change about to be committed. Out is kept with the event: nothing
// personal in it.
type Step struct {
	Next  Complaint
	Event event.Event
	Also  []table.Write
	Out   any
}

// Answer is what a request gets, the same bytes for ever.
type Answer struct {
	Status   int
	Body     []byte
	Replayed bool
}

const (
	tries = 8
	// maxRequests bounds how often one complaint may be changed, because every
	// answer is kept for ever.
	maxRequests = 400
)

// File stores a new complaint with its particulars, or answers the request that
// filed it before. If we die before the transaction nothing is there and the
// caller sends again; after it the due index has its clock.
func File(ctx context.Context, t table.Store, box *seal.Box, c Complaint, p Particulars, req Request, by event.Actor, out any, also ...table.Write) (Answer, error) {
	kept, err := p.put(ctx, box, c.ID)
	if err != nil {
		return Answer{}, err
	}
	e := c.Event("filed", by, c.FiledAt)
	e.Facts["module"], e.Facts["item"], e.Facts["channel"], e.Facts["kind"] = c.Module, c.Item, string(c.Channel), string(c.Kind)
	e.Facts["place"] = string(c.Place())
	writes, answer, err := commit(c, e, req, out, append(also, kept))
	if err != nil {
		return Answer{}, err
	}
	switch err := t.Transact(ctx, writes...); {
	case err == nil:
		return answer, nil
	default:
		if before, found, again := Earlier(ctx, t, c.ID, req); again != nil || found {
			return before, again
		}
		if _, moved := errors.AsType[*table.ConditionError](err); moved {
			return Answer{}, ErrMovedOn.Because(err)
		}
		return Answer{}, err
	}
}

// Earlier is the answer that the request which filed a complaint got; found
// is false when there is no such complaint.
func Earlier(ctx context.Context, t table.Store, id string, req Request) (answer Answer, found bool, err error) {
	_, ok, err := t.Get(ctx, Key(id))
	if err != nil || !ok {
		return answer, false, err
	}
	answer, err = replay(ctx, t, id, 1, req)
	return answer, true, err
}

// Change loads a complaint, answers a repeated request from its event, else
// commits what step makes of it with its event; when something moved meanwhile it
// starts again from the new state. step may run more than once.
func Change(ctx context.Context, t table.Store, id string, req Request, step func(Complaint) (Step, error)) (Answer, error) {
	var last error
	for range tries {
		c, err := Get(ctx, t, id)
		if err != nil {
			return Answer{}, err
		}
		if v, ok := c.Requests[req.Key]; ok && req.Key != "" {
			return replay(ctx, t, id, v, req)
		}
		if len(c.Requests) >= maxRequests {
			return Answer{}, ErrMany
		}
		s, err := step(c)
		if err != nil {
			return Answer{}, err
		}
		if s.Next.ID != c.ID || s.Next.Version != c.Version+1 || s.Event.Version != s.Next.Version {
			return Answer{}, fmt.Errorf("complaint: step from version %d made %d with the event of %d", c.Version, s.Next.Version, s.Event.Version)
		}
		writes, answer, err := commit(s.Next, s.Event, req, s.Out, s.Also)
		if err != nil {
			return Answer{}, err
		}
		err = t.Transact(ctx, writes...)
		if err == nil {
			return answer, nil
		}
		ours, landedErr := landed(ctx, t, writes[0])
		switch {
		case landedErr != nil:
			return Answer{}, landedErr
		case ours:
			return answer, nil
		}
		if _, moved := errors.AsType[*table.ConditionError](err); !moved && !errors.Is(err, table.ErrUnknown) {
			return Answer{}, err
		}
		last = err
	}
	if errors.Is(last, table.ErrUnknown) {
		return Answer{}, last
	}
	return Answer{}, ErrMovedOn.Because(last)
}

// landed reports whether the event w stands in the table as we wrote it.
func landed(ctx context.Context, t table.Store, w table.Write) (bool, error) {
	put, ok := w.(table.Put)
	if !ok {
		return false, fmt.Errorf("complaint: %T is not an event", w)
	}
	item, found, err := t.Get(ctx, put.Item.Key)
	return found && bytes.Equal(item.Body, put.Item.Body), err
}

// commit puts event, head and the rest together, with the answer in the event.
func commit(next Complaint, e event.Event, req Request, out any, also []table.Write) ([]table.Write, Answer, error) {
	body, err := json.Marshal(out)
	if err != nil {
		return nil, Answer{}, fmt.Errorf("complaint: answer: %w", err)
	}
	if req.Key != "" {
		requests := map[string]int64{req.Key: next.Version}
		for k, v := range next.Requests {
			requests[k] = v
		}
		next.Requests = requests
		e.Request = &event.Request{Key: req.Key, Digest: req.Digest, Status: req.Status, Answer: body}
	}
	writes, err := next.writes(e)
	if err != nil {
		return nil, Answer{}, err
	}
	return append(writes, also...), Answer{Status: req.Status, Body: body}, nil
}

func replay(ctx context.Context, t table.Store, id string, version int64, req Request) (Answer, error) {
	e, err := ReadEvent(ctx, t, id, version)
	if err != nil {
		return Answer{}, err
	}
	if e.Request == nil || e.Request.Key != req.Key || e.Request.Digest != req.Digest {
		return Answer{}, ErrReused
	}
	return Answer{Status: e.Request.Status, Body: e.Request.Answer, Replayed: true}, nil
}

// ReadEvent reads the event of one version of a complaint.
func ReadEvent(ctx context.Context, t table.Store, id string, version int64) (event.Event, error) {
	item, ok, err := t.Get(ctx, event.Key(Partition(id), Noun, id, version))
	if err != nil {
		return event.Event{}, err
	}
	if !ok {
		return event.Event{}, fmt.Errorf("complaint: %s has no event for version %d", id, version)
	}
	return event.Decode(item)
}

// Commit stores a version that the machine itself made; ErrMovedOn when somebody
// was quicker and knows more.
func Commit(ctx context.Context, t table.Store, next Complaint, e event.Event) error {
	writes, err := next.writes(e)
	if err != nil {
		return err
	}
	return table.Commit(ctx, t, ErrMovedOn, writes...)
}

// Quota is how many complaints one account may file in a day.
const Quota = 20

// count is how many complaints one account filed on one day. It is kept apart
// from the account, under the keyed reference.
type count struct {
	Filed int `json:"filed"`
}

// Counted is the write that counts one more complaint of owner's today, or
// ErrQuota.
func Counted(ctx context.Context, t table.Store, owner string, now time.Time) (table.Write, error) {
	day := calendar.Today(now)
	key := table.Key{PK: OwnerList(owner), SK: "DAY#" + day.String()}
	item, found, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	var n count
	if found {
		if err := json.Unmarshal(item.Body, &n); err != nil {
			return nil, fmt.Errorf("complaint: %s: %w", key.PK, err)
		}
	}
	if n.Filed >= Quota {
		return nil, ErrQuota
	}
	n.Filed++
	body, err := json.Marshal(n)
	if err != nil {
		return nil, fmt.Errorf("complaint: %w", err)
	}
	next := table.Item{Key: key, Version: item.Version + 1, Body: body, Expires: day.AddDays(3).Start(calendar.Zone)}
	return table.Step(next), nil
}
