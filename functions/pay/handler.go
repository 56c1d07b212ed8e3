// Package pay gives an approved payment to its rail. It claims the payout,
// stores the exact bytes it is going to send, sends them, and writes down what
// came back. It never concludes that a payment failed, never invents a second
// reference, and asks nobody: whatever it leaves open, settle finds out.
package pay

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/verification"
	"github.com/doudi-aid/doudi/shared/work"
)

// Deps is everything this function needs from the world.
type Deps struct {
	Table   table.Store
	Box     *seal.Box
	Rails   rail.Set
	Files   rail.Files // nil where payment files are not in use
	Now     func() time.Time
	Metrics telemetry.Metrics
	Log     *slog.Logger
	// Models are those that are run once more before money leaves; nil runs none.
	Models *model.Set
	Tree   *division.Tree
}

// Purpose is what the payee reads on the account statement.
const Purpose = "临时救助金（先行救助）"

// saving is how long storing an outcome may take after the request itself is over.
const saving = 10 * time.Second

var actor = event.Actor{Kind: event.System, ID: "pay"}

// Handle pays what one message names, a payout or a file of many, if it is still
// owed.
func Handle(d Deps) queue.Handler {
	return func(ctx context.Context, m queue.Message) error {
		msg, err := work.Decode(m.Body)
		if err == nil && batch.Is(msg.Key()) {
			b, err := batch.Get(ctx, d.Table, strings.TrimPrefix(msg.PK, batch.Partition("")))
			if err != nil {
				return err
			}
			return d.file(ctx, b)
		}
		if err != nil || !payout.Is(msg.Key()) {
			return ErrMessage.Because(err)
		}
		p, err := payout.Get(ctx, d.Table, msg.Key())
		if err != nil {
			return err
		}
		return d.pay(ctx, p)
	}
}

func (d Deps) pay(ctx context.Context, p payout.Payout) error {
	line, ours := d.Rails[p.Rail()]
	if (p.State != payout.Due && p.State != payout.Resend) || !ours || d.Now().Before(p.Next) {
		return nil // done, under way, not yet, or over a rail that is not in use
	}
	head, err := application.Get(ctx, d.Table, p.Award.Application)
	if err != nil {
		return err
	}
	board, err := brake.Read(ctx, d.Table, p.Award.Application)
	if err != nil {
		return err
	}
	free, found, err := d.free(ctx, head, board, p)
	if err != nil {
		return err
	}
	if !free {
		// What the bank may still have must not wait unasked.
		return d.step(ctx, p, payout.Held{})
	}
	reference, number := p.NextReference()
	raw, digest, writes, err := d.order(ctx, line, p, reference, number)
	if err != nil {
		return err
	}
	if admitted, err := line.Admit(ctx, rail.Sending); err != nil || !admitted {
		return err // the provider's limit for all of us is used up: it stays owed
	}
	claimed, err := payout.Step(p, payout.Claim{Payee: digest}, actor, d.Now())
	if err != nil || !claimed.Sends() {
		return err
	}
	// One of many claims wins, and only if the application did not move since we
	// looked for holds and no brake was pulled since. Whoever loses has written
	// nothing and sends nothing. If we die after this, the lease runs out and
	// settle asks the bank.
	switch err := payout.Commit(ctx, d.Table, claimed, append(append(writes, found...), head.Unmoved(), board.Check())...); {
	case errors.Is(err, payout.ErrMovedOn):
		return nil
	case err != nil:
		return err
	}
	d.Metrics.Count("payout_instructed", 1)
	heard := line.Send(ctx, reference, raw)
	if heard.Alarm != "" {
		d.alarm(ctx, p, heard.Alarm)
	}
	// The answer is stored even when our own time is up: it is cheaper than asking.
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
	defer cancel()
	return d.keep(save, claimed.Payout, reference, heard)
}

// free reports whether money may leave for p now, and gives what else has been
// found, which goes on record with the claim. What a brake stops stays owed, and
// the sweep sends it again until the brake is lifted.
func (d Deps) free(ctx context.Context, head application.Application, board brake.Board, p payout.Payout) (bool, []table.Write, error) {
	if head.Held() || (head.State != application.Approved && head.State != application.Explained) {
		return false, nil, nil
	}
	leaving := brake.Of(p.Award)
	leaving.Rail = p.Rail() // not always the one it was awarded over
	if board.Stopped(leaving, d.Now()) != nil {
		d.Metrics.Count("pay_braked", 1)
		return false, nil, nil
	}
	checks, err := verification.Load(ctx, d.Table, d.Box, head.ID)
	if err != nil {
		return false, nil, err
	}
	found, err := d.inspect(ctx, head, p, checks)
	if err != nil {
		return false, nil, err
	}
	writes, err := found.Writes(ctx, d.Table)
	if err != nil {
		return false, nil, err
	}
	if found.Holds() {
		next, err := head.Note()
		if err != nil {
			return false, nil, err
		}
		next = found.Held(next)
		e := found.Tell(next.Event("held", actor, d.Now()))
		return false, nil, d.store(ctx, next, e, writes...)
	}
	// A person who lifted this hold has looked, and is not overruled.
	if slices.ContainsFunc(head.Holds, func(h application.Hold) bool { return h.Code == policy.HoldDeathRecord }) {
		return true, writes, nil
	}
	if !dead(head, checks) {
		return true, writes, nil
	}
	return false, nil, d.hold(ctx, head)
}

// inspect runs the models over what is known when the money leaves: what the
// registers have said by now, and when the account was changed.
func (d Deps) inspect(ctx context.Context, head application.Application, p payout.Payout, checks verification.Checks) (inspection.Result, error) {
	desk := inspection.Desk{Table: d.Table, Box: d.Box, Models: d.Models, Tree: d.Tree}
	return desk.Inspect(ctx, inspection.Scene{App: head, Checks: checks, Holder: p.Award.Holder, By: actor, At: d.Now()})
}

// dead reports whether a register has said that the subject died, perhaps since
// the award: an answer may come in after the decision it was asked for. No model
// has to be switched on for this (X098).
func dead(head application.Application, checks verification.Checks) bool {
	for _, c := range checks {
		if c.Person == head.Subject && verification.Meaning(c.Source) == policy.SourceDeath && c.Outcome == policy.HitAdverse {
			return true
		}
	}
	return false
}

// holdTerm is how long a person has to find out.
const holdTerm = 24 * time.Hour

func (d Deps) hold(ctx context.Context, head application.Application) error {
	at := d.Now()
	next, _, err := head.PlaceHold(application.NewHold(head.ID, head.Version, policy.HoldDeathRecord, actor, at, at.Add(holdTerm)))
	if err != nil {
		return err
	}
	e := next.Event("held", actor, at)
	e.Reason = policy.HoldDeathRecord
	return d.store(ctx, next, e)
}

// store keeps a new version of the application with its event and more.
func (d Deps) store(ctx context.Context, next application.Application, e event.Event, more ...table.Write) error {
	writes, err := next.Writes(e)
	if err != nil {
		return err
	}
	err = d.Table.Transact(ctx, append(writes, more...)...)
	if _, moved := errors.AsType[*table.ConditionError](err); moved {
		return payout.ErrMovedOn.Because(err) // the message comes again and meets the application as it is then
	}
	return err
}

// order is the bytes to send, the digest the provider must repeat, and what must be
// stored with the claim: nothing when the same bytes go again.
func (d Deps) order(ctx context.Context, line rail.Rail, p payout.Payout, reference string, number int) (raw []byte, digest string, writes []table.Write, err error) {
	if p.State == payout.Resend {
		raw, err = payout.OpenRequest(ctx, d.Table, d.Box, p, reference)
		return raw, "", nil, err
	}
	payee, err := payout.OpenPayee(ctx, d.Table, d.Box, p)
	if err != nil {
		return nil, "", nil, err
	}
	r, err := line.Encode(ctx, rail.Order{Reference: reference, AmountFen: p.Award.AmountFen, Payee: payee, Purpose: Purpose})
	if err != nil {
		return nil, "", nil, err
	}
	writes, err = p.Request(ctx, d.Box, reference, number, r.Raw)
	return r.Raw, r.Payee, writes, err
}

// keep stores what came back, and with it what the person needs to accept the money.
func (d Deps) keep(ctx context.Context, p payout.Payout, reference string, heard rail.Heard) error {
	o, err := payout.Step(p, payout.Reply{Said: heard.Said}, actor, d.Now())
	if err != nil {
		return err
	}
	before, _ := p.Current()
	if after, _ := o.Payout.Current(); !after.Packaged || before.Packaged {
		return d.commit(ctx, p, o)
	}
	content, err := p.Package(ctx, d.Box, reference, heard.Package)
	if err != nil {
		return err
	}
	return d.commit(ctx, p, o, content)
}

// step takes a step and stores it.
func (d Deps) step(ctx context.Context, p payout.Payout, in payout.Input) error {
	o, err := payout.Step(p, in, actor, d.Now())
	if err != nil {
		return err
	}
	return d.commit(ctx, p, o)
}

// commit stores a step. Whoever moved the payout meanwhile knew more.
func (d Deps) commit(ctx context.Context, p payout.Payout, o payout.Outcome, more ...table.Write) error {
	for _, code := range o.Alarms() {
		d.alarm(ctx, p, code)
	}
	if err := payout.Commit(ctx, d.Table, o, more...); err != nil {
		if errors.Is(err, payout.ErrMovedOn) {
			return nil
		}
		return err
	}
	if p.State != payout.Paid && o.Payout.State == payout.Paid {
		d.Metrics.Count("payout_paid", 1)
	}
	return nil
}

func (d Deps) alarm(ctx context.Context, p payout.Payout, code string) {
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: code})
	d.Log.ErrorContext(ctx, "payout needs a person", "code", code, "application", p.Award.Application, "award", p.Award.ID, "state", string(p.State))
}
