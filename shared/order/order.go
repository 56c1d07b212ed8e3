// Package order is something about a payment that one person asks for and
// another must complete: another account after a failure, cash handed over, a
// frozen payment looked at. Until the second person acts nothing happens. It
// refuses to know what the completed order does; that belongs to the payout.
package order

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names orders in events.
const Noun = "order"

// Kind is what is asked for.
type Kind string

// The kinds.
const (
	Payee Kind = "payee" // pay a failed or returned award to another account, or the same again
	Cash  Kind = "cash"  // cash was handed over against a signed receipt
	Thaw  Kind = "thaw"  // a frozen payment was looked at and may be asked about again
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Payee, Cash, Thaw} }

// State is where an order stands.
type State string

// The states.
const (
	Open State = "open"
	Done State = "done"
)

// Order is one thing asked for.
type Order struct {
	ID          string             `json:"id"`
	Version     int64              `json:"-"`
	Application string             `json:"application"`
	Award       string             `json:"award"`
	Kind        Kind               `json:"kind"`
	State       State              `json:"state"`
	Division    civil.DivisionCode `json:"division"` // whose staff must complete it
	Asked       event.Actor        `json:"asked"`
	At          time.Time          `json:"at"`
	Due         time.Time          `json:"due"`
	Done        *event.Actor       `json:"done,omitempty"`
	Receipt     string             `json:"receipt,omitempty"` // SHA-256 of the signed receipt, hex
	Payee       string             `json:"payee,omitempty"`   // keyed reference of the account
	Account     []byte             `json:"account,omitempty"` // sealed
	// Payout is the version of the payout that the order was made for: one that
	// moved since is another question.
	Payout int64 `json:"payout"`
}

// Prefix begins the sort key of every order of an application.
const Prefix = "ORDER#"

// Key is where an order is kept.
func Key(applicationID, id string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: Prefix + id}
}

// term is how long the second person has.
const term = 24 * time.Hour

// New is an open order about the award of a.
func New(id string, a application.Application, award string, kind Kind, by event.Actor, at time.Time) Order {
	return Order{ID: id, Version: 1, Application: a.ID, Award: award, Kind: kind, State: Open, Division: a.Township,
		Asked: by, At: at, Due: at.Add(term)}
}

// Complete is o done by a second person, who is not the one who asked. Who may be that
// is for the policies.
func (o Order) Complete(by event.Actor) (Order, error) {
	switch {
	case o.State != Open:
		return o, ErrDone
	case o.Asked.Person == "" || !by.Stranger(event.Names(o.Asked)...):
		return o, application.ErrSamePerson
	}
	o.State, o.Done, o.Version = Done, &by, o.Version+1
	return o, nil
}

// Writes is o's new version and the event that made it.
func (o Order) Writes(kind string, by event.Actor, at time.Time) ([]table.Write, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	item := table.Item{Key: Key(o.Application, o.ID), Version: o.Version, Body: body}
	if o.State == Open {
		item.Places = []table.Place{{Index: table.ByWork, PK: application.WorkList(o.Division), SK: work.Stamp(o.Due)}}
	}
	return event.Event{PK: item.Key.PK, Noun: Noun, ID: o.ID, Version: o.Version, Kind: kind, At: at, Actor: by,
		Facts: event.Facts{"award": o.Award, "kind": string(o.Kind)}}.With(item)
}

// Get reads one order strongly.
func Get(ctx context.Context, t table.Store, applicationID, id string) (Order, error) {
	item, ok, err := t.Get(ctx, Key(applicationID, id))
	if err != nil {
		return Order{}, err
	}
	if !ok {
		return Order{}, ErrNotFound
	}
	return Decode(item)
}

// Is reports whether key is that of an order.
func Is(key table.Key) bool { return strings.HasPrefix(key.SK, Prefix) }

// Decode reads a stored order.
func Decode(item table.Item) (Order, error) {
	var o Order
	if err := json.Unmarshal(item.Body, &o); err != nil {
		return o, fmt.Errorf("order: %s/%s: %w", item.Key.PK, item.Key.SK, err)
	}
	o.Version = item.Version
	return o, nil
}

func place(applicationID, id string) seal.Place {
	key := Key(applicationID, id)
	return seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: "account"}
}

// WithAccount is o asking for account, sealed.
func (o Order) WithAccount(ctx context.Context, box *seal.Box, blind *seal.Blind, account civil.Account) (Order, error) {
	var err error
	o.Payee = application.AccountRef(blind, account)
	o.Account, err = box.Seal(ctx, place(o.Application, o.ID), []byte(account.Reveal()))
	return o, err
}

// OpenAccount is the account that o asks for.
func (o Order) OpenAccount(ctx context.Context, box *seal.Box) (civil.Account, error) {
	plain, err := box.Open(ctx, place(o.Application, o.ID), o.Account)
	if err != nil {
		return civil.Account{}, err
	}
	return civil.StoredAccount(string(plain)), nil
}
