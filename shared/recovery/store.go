package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// A recovery stands in its application's partition:
//
//	RECOVERY#<award>#<id>                    the case
//	RECOVERED#<award>                        which case is open about the award
//	EVENT#recovery#<id>#<version>            what happened to it
//
// and every credit that was booked has an item CREDIT#<reference> / REPAYMENT.

const (
	prefix = "RECOVERY#"
	marker = "RECOVERED#"
)

// Key is where a recovery is kept.
func Key(applicationID, id string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: prefix + id}
}

// Is reports whether key is that of a recovery.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, prefix) }

// markerKey is where the one case about an award is named. Once there was one, it
// stays there: a second case about the same money takes its place only when the
// first was dismissed or revoked.
func markerKey(applicationID, award string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: marker + award}
}

func creditKey(reference string) table.Key {
	return table.Key{PK: "CREDIT#" + reference, SK: "REPAYMENT"}
}

// Decode reads a stored recovery.
func Decode(item table.Item) (Recovery, error) {
	var r Recovery
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return r, fmt.Errorf("recovery: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	if r.Version != item.Version {
		return r, fmt.Errorf("recovery: %s/%s: the item and its body disagree on the version", item.Key.PK, item.Key.SK)
	}
	return r, nil
}

// Get reads one recovery strongly; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, applicationID, id string) (Recovery, error) {
	item, ok, err := t.Get(ctx, Key(applicationID, id))
	if err != nil {
		return Recovery{}, err
	}
	if !ok {
		return Recovery{}, ErrNotFound
	}
	return Decode(item)
}

// List reads every recovery of an application.
func List(ctx context.Context, t table.Store, applicationID string) ([]Recovery, error) {
	page, err := t.Query(ctx, table.Query{PK: application.Partition(applicationID)}.Prefix(prefix))
	if err != nil {
		return nil, err
	}
	var all []Recovery
	for _, item := range page.Items {
		r, err := Decode(item)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// Event begins the event of r's present version.
func (r Recovery) Event(kind string, by event.Actor, at time.Time) event.Event {
	facts := event.Facts{"award": r.Award, "state": string(r.State), "paid_fen": r.PaidFen, "back_fen": r.BackFen}
	if d := r.Decision; d != nil {
		facts["amount_fen"], facts["penalty_fen"], facts["article"], facts["left_fen"] = d.AmountFen, d.PenaltyFen, d.Article, r.Left()
	}
	return event.Event{PK: application.Partition(r.Application), Noun: Noun, ID: r.ID, Version: r.Version, Kind: kind, At: at, Actor: by,
		Reason: string(r.Reason), Facts: facts}
}

// Writes is r's new version and the event that made it.
func (r Recovery) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("recovery: %w", err)
	}
	item := table.Item{Key: Key(r.Application, r.ID), Version: r.Version, Body: body}
	if due, ok := r.Due(); ok {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(r.Division), SK: work.Stamp(due)}}
	}
	return e.With(item)
}

// Begin are the writes that open r, with what keeps a second case about the same
// money away. ErrOpen when there is one.
func (r Recovery) Begin(ctx context.Context, t table.Store, p payout.Payout, e event.Event) ([]table.Write, error) {
	writes, err := r.Writes(e)
	if err != nil {
		return nil, err
	}
	key := markerKey(r.Application, r.Award)
	item, there, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if there {
		before, err := Get(ctx, t, r.Application, string(item.Body))
		if err != nil {
			return nil, err
		}
		if before.State != Dismissed && before.State != Revoked {
			return nil, ErrOpen
		}
	}
	mark := table.Item{Key: key, Version: item.Version + 1, Body: []byte(r.ID)}
	return append(writes, table.Step(mark), table.Check{Key: payout.Key(r.Application, r.Award), Version: p.Version}), nil
}

// Book are the writes that bring a repayment into the fund: r's new version, the
// fund's entry and the mark of the credit. p is the payout as it stands: what came
// back through the bank cannot come back twice.
func (r Recovery) Book(p payout.Payout, e event.Event) ([]table.Write, error) {
	if p.State != payout.Paid || p.Reservation != r.Claim.Number {
		return nil, ErrPaid
	}
	last := r.Back[len(r.Back)-1]
	writes, err := r.Writes(e)
	if err != nil {
		return nil, err
	}
	back, err := fund.Recover(p.Award.Slice(), p.Claim(), last.Reference, last.Fen, last.By, last.Evidence, last.At)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"application": r.Application, "recovery": r.ID})
	if err != nil {
		return nil, fmt.Errorf("recovery: %w", err)
	}
	credit := table.Put{Item: table.Item{Key: creditKey(last.Reference), Version: 1, Body: body}}
	return append(append(writes, back...), credit, table.Check{Key: payout.Key(r.Application, r.Award), Version: p.Version}), nil
}

// Refusal is what a failed condition of Begin's or Book's writes means when
// starting again cannot mend it; nil means start again.
func (r Recovery) Refusal(failed *table.ConditionError) error {
	if len(r.Back) > 0 {
		if _, is := failed.On(creditKey(r.Back[len(r.Back)-1].Reference)); is {
			return ErrBooked
		}
	}
	return nil
}
