package staff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/table"
)

// declaration is one near relative that one member of staff has declared, kept
// under the relative's reference so that it is found from the relative's case.
// One that ended stays, so that it can be told who should have stood back, and when.
type declaration struct {
	Staff string    `json:"staff"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`
}

func kinPartition(ref string) string { return "KIN#" + ref }

func kinKey(ref, id string) table.Key {
	return table.Key{PK: kinPartition(ref), SK: Partition(id)}
}

// declared are the writes that make the declarations of s, in place of those
// before, what Kin says: they belong into the transaction that stores s.
func (s Staff) declared(ctx context.Context, t table.Store, before []string, at time.Time) ([]table.Write, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(s.Kin)))
	if !s.Active {
		wanted = nil
	}
	var writes []table.Write
	for _, ref := range wanted {
		d, version, err := readKin(ctx, t, ref, s.ID)
		if err != nil {
			return nil, err
		}
		if version > 0 && d.Until.IsZero() {
			continue
		}
		w, err := declaration{Staff: s.ID, From: at}.write(ref, version)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	for _, ref := range before {
		if slices.Contains(wanted, ref) {
			continue
		}
		d, version, err := readKin(ctx, t, ref, s.ID)
		if err != nil {
			return nil, err
		}
		if version != 0 && d.Until.IsZero() {
			d.Until = at
			w, err := d.write(ref, version)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	return writes, nil
}

func readKin(ctx context.Context, t table.Store, ref, id string) (d declaration, version int64, err error) {
	item, ok, err := t.Get(ctx, kinKey(ref, id))
	if err != nil || !ok {
		return d, 0, err
	}
	d, err = decodeKin(item)
	return d, item.Version, err
}

func decodeKin(item table.Item) (d declaration, err error) {
	if err := json.Unmarshal(item.Body, &d); err != nil {
		return d, fmt.Errorf("staff: %s: %w", item.Key.PK, err)
	}
	return d, nil
}

func (d declaration) write(ref string, version int64) (table.Write, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("staff: kin: %w", err)
	}
	item := table.Item{Key: kinKey(ref, d.Staff), Version: version + 1, Body: body}
	return table.Step(item), nil
}

// KinOf lists the staff who have declared, and not ended, somebody with one of
// refs as near relative. refs should be under every live blind key.
func KinOf(ctx context.Context, t table.Store, refs []string) ([]string, error) {
	var all []string
	for _, ref := range refs {
		q := table.Query{PK: kinPartition(ref)}.Prefix(Partition(""))
		for item, err := range table.All(ctx, t, q) {
			if err != nil {
				return nil, err
			}
			d, err := decodeKin(item)
			if err != nil {
				return nil, err
			}
			if d.Until.IsZero() && !slices.Contains(all, d.Staff) {
				all = append(all, d.Staff)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
