package application

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Request is what makes a change idempotent. Key is the digest of principal,
// operation and Idempotency-Key; Digest the keyed digest of the body; Status the
// HTTP status of the answer, 200 when zero. The zero Key means that the machine
// itself asks. Make one with Asked.
type Request struct {
	Key, Digest string
	Status      int
	older       []string // the digest under blind keys that came before
}

// Asked is the request that a caller made. key and digest are the transport's
// (httpapi: RequestKey and Digest). The digest is kept keyed, because a body may
// be little more than an identity number, which a plain hash does not hide.
func Asked(blind *seal.Blind, key, digest string, status int) Request {
	refs := blind.Refs("request", key+" "+digest)
	return Request{Key: key, Digest: refs[0], Status: status, older: refs[1:]}
}

// same reports whether digest, kept earlier, is that of r's body.
func (r Request) same(digest string) bool {
	return digest == r.Digest || slices.Contains(r.older, digest)
}

// Step is one change about to be committed: the new version, the event that
// tells it (made with Next.Event), whatever else the fact implies, and the
// answer to the request. Out is stored with the event: nothing personal in it.
type Step[Out any] struct {
	Next  Application
	Event event.Event
	Also  []table.Write
	Out   Out
	// Lost, when set, may name a failed condition that starting again cannot
	// mend, such as a marker that another award holds; nil means start again.
	Lost func(*table.ConditionError) error
}

// Answer is what a request gets: the HTTP status and the body, the same bytes
// for ever. Replayed says that the change had been made before.
type Answer struct {
	Status   int
	Body     []byte
	Replayed bool
}

// tries bounds how often a change starts again from the new state.
const tries = 5

// Change loads the application, answers a repeated request from its event, else
// lets step make the new version, the event and further writes, and commits them
// together. When something moved meanwhile it starts again from the new state,
// five times at most, then it is ErrMovedOn. step may therefore run more than
// once and must touch nothing but its own result.
//
// If we die before the transaction, nothing happened and the caller asks again;
// after it, the repeat finds the answer in the event.
func Change[Out any](ctx context.Context, t table.Store, id string, req Request, step func(Application) (Step[Out], error)) (Answer, error) {
	return change(ctx, t, id, req, func(a Application) (Step[any], error) {
		s, err := step(a)
		return Step[any]{s.Next, s.Event, s.Also, s.Out, s.Lost}, err
	})
}

// change is Change without the type of the answer.
func change(ctx context.Context, t table.Store, id string, req Request, step func(Application) (Step[any], error)) (Answer, error) {
	var last error
	for range tries {
		a, err := Get(ctx, t, id)
		if err != nil {
			return Answer{}, err
		}
		if version, ok := a.Requests[req.Key]; ok && req.Key != "" {
			return Replay(ctx, t, id, version, req)
		}
		s, err := step(a)
		if err != nil {
			return Answer{}, err
		}
		writes, answer, err := writesOf(s, a, req)
		if err != nil {
			return Answer{}, err
		}
		err = t.Transact(ctx, writes...)
		if err == nil {
			return answer, nil
		}
		ours, landedErr := landed(ctx, t, writes[1])
		if landedErr != nil {
			return Answer{}, landedErr
		}
		if ours {
			return answer, nil
		}
		failed, moved := errors.AsType[*table.ConditionError](err)
		if moved && s.Lost != nil {
			if named := s.Lost(failed); named != nil {
				return Answer{}, named
			}
		}
		if !moved && !errors.Is(err, table.ErrUnknown) {
			return Answer{}, err
		}
		last = err
	}
	if errors.Is(last, table.ErrUnknown) {
		return Answer{}, last
	}
	return Answer{}, ErrMovedOn.Because(last)
}

// writesOf is the whole transaction, the head first and its event second, and the
// answer it will have given once it is applied.
func writesOf(s Step[any], before Application, req Request) ([]table.Write, Answer, error) {
	if s.Next.ID != before.ID || s.Next.Version != before.Version+1 || s.Event.Version != s.Next.Version {
		return nil, Answer{}, fmt.Errorf("application: step from version %d made version %d with the event of %d",
			before.Version, s.Next.Version, s.Event.Version)
	}
	return commit(s.Next, s.Event, req, s.Out, s.Also)
}

// commit puts head, event and the rest together, with the answer in the event.
func commit(next Application, e event.Event, req Request, out any, also []table.Write) ([]table.Write, Answer, error) {
	body, err := json.Marshal(out)
	if err != nil {
		return nil, Answer{}, fmt.Errorf("application: answer: %w", err)
	}
	status := req.Status
	if status == 0 {
		status = 200
	}
	if req.Key != "" {
		next = next.Answered(req.Key)
		e.Request = &event.Request{Key: req.Key, Digest: req.Digest, Status: status, Answer: body}
	}
	writes, err := next.Writes(e)
	if err != nil {
		return nil, Answer{}, err
	}
	return append(writes, also...), Answer{Status: status, Body: body}, nil
}

// Replay is the answer that the request which made version got. Another body
// under the same key is ErrReused.
func Replay(ctx context.Context, t table.Store, id string, version int64, req Request) (Answer, error) {
	item, ok, err := t.Get(ctx, event.Key(Partition(id), Noun, id, version))
	if err != nil {
		return Answer{}, err
	}
	if !ok {
		return Answer{}, fmt.Errorf("application: %s has no event for version %d", id, version)
	}
	e, err := event.Decode(item)
	if err != nil {
		return Answer{}, err
	}
	if e.Request == nil || e.Request.Key != req.Key {
		return Answer{}, fmt.Errorf("application: %s version %d was made by another request", id, version)
	}
	if !req.same(e.Request.Digest) {
		return Answer{}, ErrReused
	}
	return Answer{Status: e.Request.Status, Body: e.Request.Answer, Replayed: true}, nil
}

// landed reports whether the event w stands in the table as we wrote it: then
// our transaction was applied, whatever we were told about it.
func landed(ctx context.Context, t table.Store, w table.Write) (bool, error) {
	put, ok := w.(table.Put)
	if !ok {
		return false, fmt.Errorf("application: %T is not an event", w)
	}
	item, found, err := t.Get(ctx, put.Item.Key)
	if err != nil {
		return false, err
	}
	return found && bytes.Equal(item.Body, put.Item.Body), nil
}
