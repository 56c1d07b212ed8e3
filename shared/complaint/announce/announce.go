// Package announce is where somebody who complained is told that there is a reply:
// an account or a telephone, sealed, in a partition apart from the complaint. Only
// what sends the message opens it; it knows nothing of what the complaint is about,
// and an anonymous one has none.
package announce

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Address is where; either may be empty.
type Address struct {
	Account string // that the complaint was filed from
	Phone   redact.Text
}

// Nowhere reports whether nobody can be reached at a.
func (a Address) Nowhere() bool { return a.Account == "" && a.Phone.Empty() }

// address is the sealed form, and sealed what is stored.
type address struct {
	Account string `json:"account,omitempty"`
	Phone   string `json:"phone,omitempty"`
}

type sealed struct {
	Address []byte `json:"address"`
}

func key(complaint string) table.Key {
	return table.Key{PK: notice.ReplyPartition(complaint), SK: "ADDRESS"}
}

func place(complaint string) seal.Place {
	k := key(complaint)
	return seal.Place{Table: application.TableName, PK: k.PK, SK: k.SK, Field: "address"}
}

// Put is the write that keeps a for a complaint that is being filed.
func (a Address) Put(ctx context.Context, box *seal.Box, complaint string) (table.Write, error) {
	plain, err := json.Marshal(address{a.Account, a.Phone.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	kept, err := box.Seal(ctx, place(complaint), plain)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(sealed{kept})
	if err != nil {
		return nil, fmt.Errorf("announce: %w", err)
	}
	return table.Put{Item: table.Item{Key: key(complaint), Version: 1, Body: body}}, nil
}

// Open reads the address of a complaint, for sending the message and nothing else;
// it is Nowhere when none is kept.
func Open(ctx context.Context, t table.Store, box *seal.Box, complaint string) (Address, error) {
	item, ok, err := t.Get(ctx, key(complaint))
	if err != nil || !ok {
		return Address{}, err
	}
	var s sealed
	if err := json.Unmarshal(item.Body, &s); err != nil {
		return Address{}, fmt.Errorf("announce: %s: %w", item.Key.PK, err)
	}
	plain, err := box.Open(ctx, place(complaint), s.Address)
	if err != nil {
		return Address{}, err
	}
	var a address
	if json.Unmarshal(plain, &a) != nil {
		return Address{}, fmt.Errorf("announce: %s: the address is unreadable", item.Key.PK) // the decoder's words could quote it
	}
	return Address{a.Account, redact.New(a.Phone)}, nil
}
