// Package notify delivers what a notice says, over the first channel that
// takes it: subscription message, else SMS, else the township is asked to call.
// It never stands in the way of money, and it uses no channel twice for one
// notice unless the channel said for certain that it did not take it.
package notify

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

// Sender sends the words of a notice to a person over one channel. It has its
// own deadline. Unclear is the answer to everything it is not sure of.
type Sender interface {
	Send(ctx context.Context, to Recipient, n notice.Notice) (outcome notice.Outcome, code string)
	// Reaches reports whether this channel has an address for the person.
	Reaches(to Recipient, kind notice.Kind) bool
}

// Deps is everything this function needs from the world.
type Deps struct {
	Table    table.Store
	Box      *seal.Box
	Channels map[notice.Channel]Sender
	Now      func() time.Time
	Metrics  telemetry.Metrics
}

var actor = event.Actor{Kind: event.System, ID: "notify"}

// Handle delivers one notice. A message may come twice, late or beside another:
// the claim decides who tries, and a loser does nothing.
func Handle(d Deps) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		msg, err := work.Decode(m.Body)
		if err != nil {
			return err
		}
		item, ok, err := d.Table.Get(ctx, msg.Key())
		if err != nil || !ok || !notice.Is(msg.Key()) {
			return err
		}
		n, err := notice.Decode(item)
		if err != nil {
			return err
		}
		if n.Final() || n.Due.After(d.Now()) {
			return nil // delivered, under way, or waiting: the due index knows
		}
		if n.Complaint != "" {
			to, err := d.complainant(ctx, n.Complaint)
			if err != nil {
				return err
			}
			return d.deliver(ctx, "", n, to)
		}
		a, err := application.Get(ctx, d.Table, n.Application)
		if err != nil {
			return err
		}
		to, err := d.Recipient(ctx, a, n.Kind)
		if err != nil {
			return err
		}
		return d.deliver(ctx, string(a.Township), n, to)
	}
}

// deliver tries channel after channel until one takes the notice, one asks to
// wait, or none is left; then the township has to call, where there is one.
func (d Deps) deliver(ctx context.Context, township string, n notice.Notice, to Recipient) error {
	var reachable []notice.Channel
	for c, s := range d.Channels {
		if s.Reaches(to, n.Kind) {
			reachable = append(reachable, c)
		}
	}
	for !n.Final() {
		c, ok := n.Next(reachable)
		if !ok {
			n = n.GiveUp(township)
			d.Metrics.Count("notice_unsent", 1, telemetry.Label{Name: "kind", Value: string(n.Kind)})
			return d.store(ctx, n)
		}
		n = n.Claim(c, d.Now())
		if err := d.store(ctx, n); err != nil {
			return err
		}
		outcome, code := d.Channels[c].Send(ctx, to, n)
		n = n.Settle(outcome, code, d.Now())
		// The outcome is kept even when the caller is gone: without it the
		// channel would count as tried and the person might hear nothing.
		if err := d.store(context.WithoutCancel(ctx), n); err != nil {
			return err
		}
		d.Metrics.Count("notice_try", 1, telemetry.Label{Name: "channel", Value: string(c)}, telemetry.Label{Name: "outcome", Value: string(outcome)})
		if outcome == notice.Busy {
			return nil // due again later
		}
	}
	return nil
}

// store writes n's new version; when another worker was quicker, it has the
// notice and we leave it.
func (d Deps) store(ctx context.Context, n notice.Notice) error {
	writes, err := n.Replace(actor, d.Now())
	if err != nil {
		return err
	}
	err = d.Table.Transact(ctx, writes...)
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return errMoved
	}
	return err
}
