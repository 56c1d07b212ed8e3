package payout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A payout lives in its application's partition, beside
//
//	PAYEE#<award>#<n>     sealed: name and account money was reserved for the nth time
//	REQUEST#<reference>   sealed: the exact bytes of one attempt, put before the first send
//
// and has, for callbacks, an item REF#<reference> / PAYOUT that says whose it is.

const prefix = "PAYOUT#"

// Key is where the payout of one award is kept.
func Key(applicationID, award string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: prefix + award}
}

// Is reports whether key is that of a payout.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, prefix) }

// Decode reads a stored payout.
func Decode(item table.Item) (Payout, error) {
	var p Payout
	if err := json.Unmarshal(item.Body, &p); err != nil {
		return p, fmt.Errorf("payout: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	p.Version = item.Version
	return p, nil
}

// Get reads one payout strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, key table.Key) (Payout, error) {
	item, ok, err := t.Get(ctx, key)
	if err != nil {
		return Payout{}, err
	}
	if !ok || !Is(key) {
		return Payout{}, ErrNotFound
	}
	return Decode(item)
}

type refBody struct {
	Application string `json:"application"`
	Award       string `json:"award"`
	Attempt     int    `json:"attempt"`
}

func refKey(reference string) table.Key { return table.Key{PK: "REF#" + reference, SK: "PAYOUT"} }

// ByReference finds the payout that a reference belongs to; ErrNotFound when the
// reference is not ours.
func ByReference(ctx context.Context, t table.Store, reference string) (Payout, error) {
	item, ok, err := t.Get(ctx, refKey(reference))
	if err != nil {
		return Payout{}, err
	}
	if !ok {
		return Payout{}, ErrNotFound
	}
	var r refBody
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return Payout{}, fmt.Errorf("payout: %s: %w", item.Key.PK, err)
	}
	return Get(ctx, t, Key(r.Application, r.Award))
}

func (p Payout) item() (table.Item, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return table.Item{}, fmt.Errorf("payout: %w", err)
	}
	item := table.Item{Key: Key(p.Award.Application, p.Award.ID), Version: p.Version, Body: body}
	switch q, owes := p.owes(); {
	case p.State == Due && p.Award.Rail.InFiles():
		item.Places = []table.Place{{Index: table.ByWork, PK: WaitingList(p.Award.Township), SK: work.Stamp(p.Since)}}
	case owes:
		item.Places = []table.Place{work.Due(item.Key, p.Next, q)}
	}
	return item, nil
}

// WaitingList is the partition of the work index in which the payouts of a
// township stand that wait for somebody to form a file, the longest first.
func WaitingList(township civil.DivisionCode) string { return "FILEWAIT#" + string(township) }

// owes is which function must act at p.Next.
func (p Payout) owes() (work.Queue, bool) {
	switch {
	case p.Next.IsZero():
		return "", false
	case p.State == Due || p.State == Resend:
		return work.Pay, true
	default:
		return work.Settle, true
	}
}

func (p Payout) event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"award": p.Award.ID, "amount_fen": p.Award.AmountFen, "rail": string(p.Award.Rail), "state": string(p.State)}
	if current, ok := p.Current(); ok {
		facts["reference"], facts["attempt"] = current.Reference, current.Number
	}
	if !p.PaidAt.IsZero() {
		facts["paid_fen"], facts["paid_at"] = p.PaidFen, p.PaidAt.Format(time.RFC3339)
	}
	if current, _ := p.Current(); current.File != "" {
		facts["file"], facts["line"] = current.File, current.Line
	}
	if current, _ := p.Current(); current.BankReference != "" {
		facts["bank_reference"] = current.BankReference
	}
	if p.Receipt != "" {
		facts["receipt"] = p.Receipt
	}
	return event.Event{PK: application.Partition(p.Award.Application), Noun: Noun, ID: p.Award.ID, Version: p.Version,
		Kind: kind, At: at, Actor: by, Rules: p.Award.Rules, Facts: facts, Trace: p.Award.Trace}
}

// Writes is everything a step means for the payout, its fund and the person: the
// new version first, its event second. Holds are for Commit, which knows the
// application.
func (o Outcome) Writes() ([]table.Write, error) {
	if o.Event == "" {
		return nil, nil
	}
	p := o.Payout
	item, err := p.item()
	if err != nil {
		return nil, err
	}
	e := p.event(o.Event, o.By, o.At)
	e.Reason = o.Said.Code
	if o.Said.Word != "" {
		e.Facts["word"], e.Facts["evidence"] = string(o.Said.Word), o.Said.Evidence
	}
	writes, err := e.With(item)
	if err != nil {
		return nil, err
	}
	for _, effect := range o.Effects {
		more, err := o.effect(effect, e)
		if err != nil {
			return nil, err
		}
		writes = append(writes, more...)
	}
	return writes, nil
}

func (o Outcome) effect(f Effect, e event.Event) ([]table.Write, error) {
	p := o.Payout
	slice, amount := p.Award.Slice(), p.Award.AmountFen
	switch f.Kind {
	case Reserve:
		return fund.Take(slice, p.Claim(), amount, []event.Actor{o.By}, o.At)
	case Post:
		return o.entered(Out)(fund.Post(slice, p.Claim(), amount, p.PaidFen, o.By, o.evidence(), o.At))
	case PostLate:
		return o.entered(Out)(fund.PostLate(slice, p.Claim(), p.PaidFen, o.By, o.evidence(), o.At))
	case Void:
		return fund.Void(slice, p.Claim(), amount, o.By, o.evidence(), o.At)
	case Return:
		return o.entered(Back)(fund.Return(slice, p.Claim(), p.PaidFen, o.By, o.evidence(), o.At))
	case Tell:
		w, err := notice.Owe(notice.Kind(f.Code), e)
		return []table.Write{w}, err
	}
	return nil, nil
}

// evidence is the digest of what proves the step: the bank's answer or the receipt.
func (o Outcome) evidence() string {
	if o.Said.Evidence != "" {
		return o.Said.Evidence
	}
	return o.Payout.Receipt
}

// owners says which role deals with a hold.
var owners = map[string]string{HoldFrozen: "finance", HoldContradicted: "finance", HoldFailed: "clerk", HoldReturned: "clerk"}

// holdTerm is how long a person has to deal with a hold of a payout.
const holdTerm = 24 * time.Hour

// tries bounds how often Commit starts again because the application moved.
const tries = 5

// Commit stores an outcome, its holds and more in one transaction. ErrMovedOn
// means that the payout itself, or something among more, was no longer as the
// step saw it: nothing was stored, and whoever moved it has taken care.
// ErrIndeterminate means that the store did not say.
func Commit(ctx context.Context, t table.Store, o Outcome, more ...table.Write) error {
	writes, err := o.Writes()
	if err != nil {
		return err
	}
	writes = append(writes, more...)
	if len(writes) == 0 {
		return nil
	}
	for range tries {
		held, err := o.holds(ctx, t)
		if err != nil {
			return err
		}
		err = t.Transact(ctx, append(writes[:len(writes):len(writes)], held...)...)
		switch failed, moved := errors.AsType[*table.ConditionError](err); {
		case err == nil:
			return nil
		case errors.Is(err, table.ErrUnknown):
			return ErrIndeterminate.Because(err)
		case !moved:
			return err
		case !headOnly(failed, held):
			return ErrMovedOn.Because(err)
		}
	}
	return ErrMovedOn
}

// headOnly reports whether nothing failed but what the holds wrote: the
// application moved, and the holds must be made anew.
func headOnly(failed *table.ConditionError, held []table.Write) bool {
	for _, f := range failed.Failures {
		ours := false
		for _, w := range held {
			ours = ours || w.Target() == f.Key
		}
		if !ours {
			return false
		}
	}
	return true
}

// holds are the writes that put o's holds on the application.
func (o Outcome) holds(ctx context.Context, t table.Store) ([]table.Write, error) {
	for _, f := range o.Effects {
		if f.Kind != Hold {
			continue
		}
		a, err := application.Get(ctx, t, o.Payout.Award.Application)
		if err != nil {
			return nil, err
		}
		next, placed, err := a.PlaceHold(application.Hold{
			ID:   ident.Derive("hold", a.ID, f.Code, o.Payout.Award.ID, fmt.Sprint(o.Payout.Version)),
			Code: f.Code, Owner: owners[f.Code], Placed: o.By, At: o.At, Due: o.At.Add(holdTerm)})
		if err != nil || !placed {
			return nil, err
		}
		e := next.Event("held", o.By, o.At)
		e.Reason = f.Code
		return next.Writes(e)
	}
	return nil, nil
}
