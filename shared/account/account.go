// Package account is a citizen's account: one WeChat user of one mini-program.
// It is known by a keyed reference, holds the sealed address for messages, how
// many messages the person has agreed to, and how many applications were filed
// today. It knows neither who the person is (that is proved on each application)
// nor how anybody signs in.
package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Account is one account. Nothing in it is personal in the clear.
type Account struct {
	ID       string    `json:"id"`
	Version  int64     `json:"-"`
	OpenedAt time.Time `json:"opened_at"`
	OpenID   []byte    `json:"open_id"` // sealed; see Address
	// Credits is how many messages of each subscription template the person still
	// accepts: one agreement is one message.
	Credits map[string]int `json:"credits,omitempty"`
	// Day and Filed are how many applications were filed on that day, by relation.
	Day   civil.Day      `json:"day"`
	Filed map[string]int `json:"filed,omitempty"`
}

// MaxCredits bounds the credits of one template: more are never spent.
const MaxCredits = 20

// Key is where an account is kept.
func Key(id string) table.Key { return table.Key{PK: "ACCOUNT#" + id, SK: "HEAD"} }

func place(id string) seal.Place {
	k := Key(id)
	return seal.Place{Table: "doudi", PK: k.PK, SK: k.SK, Field: "open_id"}
}

// Open is the account of openid in the mini-program appid, made when there is
// none. The same person in another mini-program is another account.
func Open(ctx context.Context, t table.Store, blind *seal.Blind, box *seal.Box, appid string, openid redact.Text, at time.Time) (Account, error) {
	refs := blind.Refs("wechat", appid+" "+openid.Reveal())
	for _, ref := range refs { // the older keys too: a rotation must not lose anybody's applications
		a, err := Get(ctx, t, ref)
		if !errors.Is(err, ErrNotFound) {
			return a, err
		}
	}
	sealed, err := box.Seal(ctx, place(refs[0]), []byte(openid.Reveal()))
	if err != nil {
		return Account{}, err
	}
	a := Account{ID: refs[0], Version: 1, OpenedAt: at, OpenID: sealed}
	item, err := a.item()
	if err != nil {
		return Account{}, err
	}
	if err := t.Transact(ctx, table.Put{Item: item}); err != nil {
		// A twin was quicker, or the answer was lost: what is there now is the truth.
		a, second := Get(ctx, t, a.ID)
		if errors.Is(second, ErrNotFound) {
			return Account{}, ErrBusy.Because(err)
		}
		return a, second
	}
	return a, nil
}

// Get reads one account; ErrNotFound when there is none.
func Get(ctx context.Context, t table.Store, id string) (Account, error) {
	item, ok, err := t.Get(ctx, Key(id))
	if err != nil {
		return Account{}, ErrBusy.Because(err)
	}
	if !ok {
		return Account{}, ErrNotFound
	}
	var a Account
	if err := json.Unmarshal(item.Body, &a); err != nil {
		return a, fmt.Errorf("account: %s: %w", item.Key.PK, err)
	}
	a.Version = item.Version
	return a, nil
}

// Address opens the openid, for sending a message and nothing else.
func (a Account) Address(ctx context.Context, box *seal.Box) (redact.Text, error) {
	plain, err := box.Open(ctx, place(a.ID), a.OpenID)
	if err != nil {
		return redact.Text{}, err
	}
	return redact.New(string(plain)), nil
}

// Accept adds one message of each template to what the person agreed to.
func (a Account) Accept(templates ...string) Account {
	a.Credits = maps.Clone(a.Credits)
	if a.Credits == nil {
		a.Credits = map[string]int{}
	}
	for _, id := range templates {
		a.Credits[id] = min(a.Credits[id]+1, MaxCredits)
	}
	return a
}

// Accepted lists the templates that a message may still be sent under.
func (a Account) Accepted() []string {
	var ids []string
	for id, n := range a.Credits {
		if n > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Spend takes one message of template; ok is false when none is left. Forget
// asks for all of them: WeChat said that the person agrees no more.
func (a Account) Spend(template string, forget bool) (next Account, ok bool) {
	if a.Credits[template] < 1 {
		return a, false
	}
	a.Credits = maps.Clone(a.Credits)
	a.Credits[template]--
	if forget {
		a.Credits[template] = 0
	}
	return a, true
}

// File counts one application filed on day as relation, of at most limit. n is
// how many that makes; past the limit it is ErrQuota.
func (a Account) File(day civil.Day, relation string, limit int) (next Account, n int, err error) {
	if a.Day != day {
		a.Day, a.Filed = day, nil
	}
	if a.Filed[relation] >= limit {
		return a, a.Filed[relation], ErrQuota
	}
	a.Filed = maps.Clone(a.Filed)
	if a.Filed == nil {
		a.Filed = map[string]int{}
	}
	a.Filed[relation]++
	return a, a.Filed[relation], nil
}

// Replace is the write that keeps a in place of the version that was read.
func (a Account) Replace() (table.Write, error) {
	a.Version++
	item, err := a.item()
	return table.Replace{Item: item}, err
}

func (a Account) item() (table.Item, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return table.Item{}, fmt.Errorf("account: %w", err)
	}
	return table.Item{Key: Key(a.ID), Version: a.Version, Body: body}, nil
}
