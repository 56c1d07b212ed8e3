package payout

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Payee is who gets the money, as the bank must know it.
type Payee struct {
	Name    civil.Name
	Account civil.Account
	OpenID  redact.Text // the person in the mini-program; empty where no rail needs it
}

type plainPayee struct {
	Name    string `json:"name"`
	Account string `json:"account"`
	OpenID  string `json:"open_id,omitempty"`
}

func payeeKey(applicationID, award string, reservation int) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: fmt.Sprintf("PAYEE#%s#%03d", award, reservation)}
}

func place(key table.Key, field string) seal.Place {
	return seal.Place{Table: application.TableName, PK: key.PK, SK: key.SK, Field: field}
}

// Seal is the item that keeps the payee of one reservation of an award (1 for
// the first). It is put once and never changed: money goes where it was approved
// to go.
func (p Payee) Seal(ctx context.Context, box *seal.Box, applicationID, award string, reservation int) (table.Item, error) {
	key := payeeKey(applicationID, award, reservation)
	body, err := json.Marshal(plainPayee{p.Name.Reveal(), p.Account.Reveal(), p.OpenID.Reveal()})
	if err != nil {
		return table.Item{}, fmt.Errorf("payout: payee: %w", err)
	}
	sealed, err := box.Seal(ctx, place(key, "payee"), body)
	if err != nil {
		return table.Item{}, err
	}
	return table.Item{Key: key, Version: 1, Body: sealed}, nil
}

// OpenPayee is the payee of p's present reservation.
func OpenPayee(ctx context.Context, t table.Store, box *seal.Box, p Payout) (Payee, error) {
	body, err := open(ctx, t, box, payeeKey(p.Award.Application, p.Award.ID, p.Reservation), "payee")
	if err != nil {
		return Payee{}, err
	}
	var in plainPayee
	if err := json.Unmarshal(body, &in); err != nil {
		return Payee{}, fmt.Errorf("payout: payee of %s/%s is unreadable", p.Award.Application, p.Award.ID) // err could quote it
	}
	return Payee{civil.StoredName(in.Name), civil.StoredAccount(in.Account), redact.New(in.OpenID)}, nil
}

// Filed is the write that leads the reference of an attempt back here. It belongs
// into the transaction of the claim; where the attempt is a line of a file, the
// bytes are kept with that.
func (p Payout) Filed(reference string, number int) (table.Write, error) {
	ref, err := json.Marshal(refBody{p.Award.Application, p.Award.ID, number})
	if err != nil {
		return nil, fmt.Errorf("payout: %w", err)
	}
	return table.Put{Item: table.Item{Key: refKey(reference), Version: 1, Body: ref}}, nil
}

func requestKey(applicationID, reference string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: "REQUEST#" + reference}
}

// Request are the writes that fix the exact bytes of one attempt and lead its
// reference back here. They belong into the transaction of the claim: if we die
// after it, the same bytes are still there to be sent again.
func (p Payout) Request(ctx context.Context, box *seal.Box, reference string, number int, raw []byte) ([]table.Write, error) {
	key := requestKey(p.Award.Application, reference)
	sealed, err := box.Seal(ctx, place(key, "request"), raw)
	if err != nil {
		return nil, err
	}
	ref, err := p.Filed(reference, number)
	if err != nil {
		return nil, err
	}
	return []table.Write{table.Put{Item: table.Item{Key: key, Version: 1, Body: sealed}}, ref}, nil
}

// OpenRequest is the bytes that were fixed for a reference of p.
func OpenRequest(ctx context.Context, t table.Store, box *seal.Box, p Payout, reference string) ([]byte, error) {
	return open(ctx, t, box, requestKey(p.Award.Application, reference), "request")
}

func open(ctx context.Context, t table.Store, box *seal.Box, key table.Key, field string) ([]byte, error) {
	item, ok, err := t.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("payout: %s/%s is not there", key.PK, key.SK)
	}
	return box.Open(ctx, place(key, field), item.Body)
}

func packageKey(applicationID, reference string) table.Key {
	return table.Key{PK: application.Partition(applicationID), SK: "PACKAGE#" + reference}
}

// Package is the write that keeps, sealed, what the person needs to accept the
// money of an attempt. It belongs into the transaction of the step that makes the
// attempt Packaged.
func (p Payout) Package(ctx context.Context, box *seal.Box, reference string, content redact.Text) (table.Write, error) {
	key := packageKey(p.Award.Application, reference)
	sealed, err := box.Seal(ctx, place(key, "package"), []byte(content.Reveal()))
	if err != nil {
		return nil, err
	}
	return table.Put{Item: table.Item{Key: key, Version: 1, Body: sealed}}, nil
}

// OpenPackage is what the person needs to accept the money of p's present attempt.
// ErrState unless the person has the word.
func OpenPackage(ctx context.Context, t table.Store, box *seal.Box, p Payout) (redact.Text, error) {
	current, ok := p.Current()
	if !ok || p.State != Waiting || !current.Packaged {
		return redact.Text{}, ErrState
	}
	plain, err := open(ctx, t, box, packageKey(p.Award.Application, current.Reference), "package")
	if err != nil {
		return redact.Text{}, err
	}
	return redact.New(string(plain)), nil
}
