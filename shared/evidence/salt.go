package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// A partition, which is one case, one member of staff or one fund, has one salt,
// kept sealed in an item of its own:
//
//	SALT#<partition> / SALT
type saltItem struct {
	Salt   []byte     `json:"salt,omitempty"` // sealed; none once erased
	Erased *time.Time `json:"erased,omitempty"`
}

func saltKey(pk string) table.Key { return table.Key{PK: "SALT#" + pk, SK: "SALT"} }

func saltPlace(pk string) seal.Place {
	k := saltKey(pk)
	return seal.Place{Table: "doudi", PK: k.PK, SK: k.SK, Field: "salt"}
}

// salts reads and makes salts.
type salts struct {
	table  table.Store
	box    *seal.Box
	random io.Reader
}

func (s salts) fresh() ([]byte, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(s.random, salt); err != nil {
		return nil, fmt.Errorf("evidence: no randomness: %w", err)
	}
	return salt, nil
}

// read is the salt of pk; none when there is none yet, and erased when there is
// none any more.
func (s salts) read(ctx context.Context, pk string) (salt []byte, erased bool, err error) {
	item, ok, err := s.table.Get(ctx, saltKey(pk))
	if err != nil || !ok {
		return nil, false, err
	}
	return s.open(ctx, pk, item)
}

func (s salts) open(ctx context.Context, pk string, item table.Item) (salt []byte, erased bool, err error) {
	var kept saltItem
	if err := json.Unmarshal(item.Body, &kept); err != nil {
		return nil, false, fmt.Errorf("evidence: %s: %w", item.Key.PK, err)
	}
	if kept.Erased != nil {
		return nil, true, nil
	}
	salt, err = s.box.Open(ctx, saltPlace(pk), kept.Salt)
	return salt, false, err
}

// of is the salt of pk, made when there is none. After it was erased each call
// gives a salt that is kept nowhere: what still happens is in the log, and opens
// to nobody. If we die after the salt is put, it is there the next time.
func (s salts) of(ctx context.Context, pk string) ([]byte, error) {
	salt, erased, err := s.read(ctx, pk)
	if err != nil || salt != nil {
		return salt, err
	}
	if salt, err = s.fresh(); err != nil || erased {
		return salt, err
	}
	sealed, err := s.box.Seal(ctx, saltPlace(pk), salt)
	if err != nil {
		return nil, err
	}
	item := table.Item{Key: saltKey(pk), Version: 1, Body: plain(saltItem{Salt: sealed})}
	err = s.table.Transact(ctx, table.Put{Item: item})
	f, twin := table.FailedOn(err, item.Key)
	if !twin {
		return salt, err
	}
	theirs, erased, err := s.open(ctx, pk, f.Current)
	if erased {
		return salt, nil // kept nowhere
	}
	return theirs, err
}

// Erase forgets the salt of a partition for good: from then on no commitment in
// its leaves can be tied to anybody, and the tree is what it was. It is itself an
// event of the partition. Two people ask; the second is named in its facts.
// Erasing again changes nothing.
func (l *Log) Erase(ctx context.Context, pk, reason string, first, second event.Actor) error {
	if first.Kind != event.Staff || second.Kind != event.Staff || first.ID == second.ID || first.Person == "" || first.Person == second.Person {
		return ErrTwo
	}
	item, ok, err := l.salts.table.Get(ctx, saltKey(pk))
	if err != nil {
		return err
	}
	now := l.now()
	var write table.Write
	next := table.Item{Key: saltKey(pk), Version: item.Version + 1, Body: plain(saltItem{Erased: &now})}
	switch {
	case !ok:
		write = table.Put{Item: next}
	default:
		var kept saltItem
		if err := json.Unmarshal(item.Body, &kept); err != nil {
			return fmt.Errorf("evidence: %s: %w", item.Key.PK, err)
		}
		if kept.Erased != nil {
			return nil
		}
		write = table.Replace{Item: next}
	}
	told, err := event.Event{PK: pk, Noun: "salt", ID: "salt", Version: 1, Kind: "erased", At: now, Actor: first, Reason: reason,
		Facts: event.Facts{"second": second.ID}}.Write()
	if err != nil {
		return err
	}
	return l.salts.table.Transact(ctx, write, told)
}
