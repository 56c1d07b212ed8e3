// Package kmskeys keeps the keys of package seal under a KMS key. What is stored
// in the table is wrapped and of no use without KMS. An unwrapped data key lives
// in memory for CacheFor at most, so that disabling the KMS key shuts every
// reader out within that time; a Blind lives as long as the process. When KMS or
// the table does not answer it fails closed: nothing is sealed, nothing opened.
package kmskeys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

const (
	// CacheFor is how long an unwrapped data key is kept.
	CacheFor = 5 * time.Minute
	// MaxUses is how often one process seals under one key. A key serves all
	// processes for a day; with a thousand of them it stays under seal.MaxUses.
	MaxUses = 1 << 20
	// maxCached bounds the data keys in memory; there is one a day.
	maxCached = 256
	deadline  = 5 * time.Second
)

// service is KMS as it is called.
var service = awscall.Service{Name: "kms", Target: "TrentService", Version: "1.1"}

// Keys is a seal.Keys. Safe for concurrent use.
//
//	DATAKEY#<id> / DATAKEY      one wrapped data key; the id is its day, UTC
//	BLINDKEY / V#<version>      one wrapped version of the blind key
type Keys struct {
	kms   *awscall.Client
	table table.Store
	arn   string
	alg   seal.Algorithm // of data keys that are made from now on
	now   func() time.Time
	one   singleflight.Group

	mu     sync.Mutex
	cached map[string]entry
	day    string // whose key uses counts
	uses   int
}

type entry struct {
	key   seal.Key
	until time.Time
}

type wrapped struct {
	Key []byte         `json:"key"`           // as KMS gave it
	Alg seal.Algorithm `json:"alg,omitempty"` // of a data key; none is AES-256-GCM, which was the only one
}

// New keeps keys in t, wrapped by the KMS key arn. Data keys that are made from
// now on are of alg; those that are stored keep theirs.
func New(k *awscall.Client, t table.Store, arn string, alg seal.Algorithm, now func() time.Time) *Keys {
	return &Keys{kms: k, table: t, arn: arn, alg: alg, now: now, cached: map[string]entry{}}
}

func dataKey(id string) table.Key { return table.Key{PK: "DATAKEY#" + id, SK: "DATAKEY"} }

func blindKey(version int) table.Key {
	return table.Key{PK: "BLINDKEY", SK: fmt.Sprintf("V#%06d", version)}
}

// Current is the data key of today, made when this is the first use of the day.
func (k *Keys) Current(ctx context.Context) (seal.Key, error) {
	today := k.now().UTC().Format("20060102")
	k.mu.Lock()
	if k.day != today {
		k.day, k.uses = today, 0
	}
	k.uses++
	worn := k.uses > MaxUses
	k.mu.Unlock()
	if worn {
		return seal.Key{}, seal.ErrWorn
	}
	return k.get(ctx, today, true)
}

// ByID is the data key of that id. One that is not stored is seal.ErrKey: an
// envelope cannot have us make keys.
func (k *Keys) ByID(ctx context.Context, id string) (seal.Key, error) { return k.get(ctx, id, false) }

func (k *Keys) get(ctx context.Context, id string, create bool) (seal.Key, error) {
	k.mu.Lock()
	e, ok := k.cached[id]
	k.mu.Unlock()
	if ok && k.now().Before(e.until) {
		return e.key, nil
	}
	// Whoever waits beside us must not fail because our caller went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	v, err, _ := k.one.Do(fmt.Sprint(id, create), func() (any, error) {
		alg, secret, err := k.unwrapped(ctx, dataKey(id), create)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		key, err := seal.NewKey(id, alg, secret)
		if err != nil {
			return nil, seal.ErrKey.Because(err)
		}
		k.keep(id, key)
		return key, nil
	})
	if err != nil {
		return seal.Key{}, err
	}
	return v.(seal.Key), nil
}

// keep caches key, forgetting first what has lapsed and then anything at all.
func (k *Keys) keep(id string, key seal.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for old, e := range k.cached {
		if !now.Before(e.until) || len(k.cached) >= maxCached {
			delete(k.cached, old)
		}
	}
	k.cached[id] = entry{key, now.Add(CacheFor)}
}

// unwrapped is the data key stored at key, which is made when there is none and
// create is set. Of two processes that make it at once the first to store wins,
// and both use what is stored. If we die before storing, nothing was sealed yet.
func (k *Keys) unwrapped(ctx context.Context, at table.Key, create bool) (seal.Algorithm, []byte, error) {
	it, found, err := k.table.Get(ctx, at)
	if err != nil {
		return 0, nil, seal.ErrKey.Because(err)
	}
	if !found && create {
		if err := k.create(ctx, at, k.alg); err != nil {
			return 0, nil, err
		}
		it, found, err = k.table.Get(ctx, at)
		if err != nil {
			return 0, nil, seal.ErrKey.Because(err)
		}
	}
	if !found {
		return 0, nil, seal.ErrKey
	}
	return k.unwrap(ctx, it)
}

// create wraps and stores a fresh secret of alg; 0 for a blind key, which is of
// none.
func (k *Keys) create(ctx context.Context, at table.Key, alg seal.Algorithm) error {
	var out struct {
		Plaintext      []byte
		CiphertextBlob []byte
	}
	err := k.kms.JSON(ctx, service, "GenerateDataKey", map[string]any{"KeyId": k.arn, "NumberOfBytes": cmp.Or(alg.KeyBytes(), seal.BlindKeyBytes), "EncryptionContext": purpose(at)}, &out)
	if err != nil {
		return seal.ErrKey.Because(err)
	}
	clear(out.Plaintext) // what counts is what gets stored
	body, err := json.Marshal(wrapped{out.CiphertextBlob, alg})
	if err != nil {
		return seal.ErrKey.Because(err)
	}
	err = k.table.Transact(ctx, table.Put{Item: table.Item{Key: at, Version: 1, Body: body}})
	if _, exists := table.FailedOn(err, at); exists || errors.Is(err, table.ErrUnknown) {
		return nil // the read that follows finds out
	}
	if err != nil {
		return seal.ErrKey.Because(err)
	}
	return nil
}

func (k *Keys) unwrap(ctx context.Context, it table.Item) (seal.Algorithm, []byte, error) {
	var w wrapped
	if err := json.Unmarshal(it.Body, &w); err != nil {
		return 0, nil, ErrForeign
	}
	// Naming the KMS key refuses secrets wrapped by a key of somebody else's.
	var out struct{ Plaintext []byte }
	err := k.kms.JSON(ctx, service, "Decrypt", map[string]any{"CiphertextBlob": w.Key, "KeyId": k.arn, "EncryptionContext": purpose(it.Key)}, &out)
	if awscall.IsCode(err, "InvalidCiphertextException") {
		return 0, nil, ErrForeign.Because(err)
	}
	if err != nil {
		return 0, nil, seal.ErrKey.Because(err)
	}
	return cmp.Or(w.Alg, seal.AES256GCM), out.Plaintext, nil
}

// purpose binds a wrapped key to its place: moved to another, it does not unwrap.
func purpose(at table.Key) map[string]string {
	return map[string]string{"doudi:pk": at.PK, "doudi:sk": at.SK}
}

// Blind unwraps all versions of the blind key, making the first when there is
// none. Call it once at start.
func (k *Keys) Blind(ctx context.Context) (*seal.Blind, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	items, err := k.blinds(ctx)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		if err := k.create(ctx, blindKey(1), 0); err != nil {
			return nil, err
		}
		if items, err = k.blinds(ctx); err != nil {
			return nil, err
		}
	}
	var keys []seal.BlindKey
	for i, it := range items {
		if it.Key != blindKey(i+1) {
			// A version left out would let whoever is filed under it in again.
			return nil, ErrForeign
		}
		_, secret, err := k.unwrap(ctx, it)
		if err != nil {
			return nil, err
		}
		key, err := seal.NewBlindKey(i+1, secret)
		clear(secret)
		if err != nil {
			return nil, seal.ErrKey.Because(err)
		}
		keys = append(keys, key)
	}
	blind, err := seal.NewBlind(keys...)
	if err != nil {
		return nil, seal.ErrKey.Because(err)
	}
	return blind, nil
}

// RotateBlind adds a version of the blind key. Processes use it when they next
// start; until all have, uniqueness holds because each looks at all versions it
// knows, so restart them before relying on the new one.
func (k *Keys) RotateBlind(ctx context.Context) error {
	items, err := k.blinds(ctx)
	if err != nil {
		return err
	}
	return k.create(ctx, blindKey(len(items)+1), 0)
}

func (k *Keys) blinds(ctx context.Context) ([]table.Item, error) {
	var out []table.Item
	q := table.Query{PK: blindKey(1).PK}.Prefix("V#")
	for item, err := range table.All(ctx, k.table, q) {
		if err != nil {
			return nil, seal.ErrKey.Because(err)
		}
		out = append(out, item)
	}
	return slices.Clip(out), nil
}
