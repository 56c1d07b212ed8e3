package discovery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/table"
)

// Visited names visits in events.
const Visited = "door_visit"

// Finding is what was found at a door.
type Finding string

// The findings.
const (
	NeedsHelp  Finding = "needs_help"  // 确有困难
	NoNeed     Finding = "no_need"     // 没有困难
	NobodyHome Finding = "nobody_home" // 家中无人
	Moved      Finding = "moved"       // 已搬走
	Died       Finding = "died"        // 已去世
	Declined   Finding = "declined"    // 本人不愿意
)

// Findings lists every finding.
func Findings() []Finding { return []Finding{NeedsHelp, NoNeed, NobodyHome, Moved, Died, Declined} }

// Record is one visit as a device wrote it down at the door, perhaps days before it
// could be sent. Device and Number make it one record for ever: sent again it
// changes nothing, and what a device never sent is seen by its number.
type Record struct {
	Device  string    `json:"device"` // random, made when the program was installed
	Number  int64     `json:"number"` // counts up from 1 on the device
	Staff   string    `json:"staff"`
	Signal  string    `json:"signal"`
	At      time.Time `json:"at"`       // by the device's clock
	HeardAt time.Time `json:"heard_at"` // by ours
	Finding Finding   `json:"finding"`
	Needs   []string  `json:"needs,omitempty"`
	// Consent is the digest of the words that the person agreed to, for an
	// application on their behalf; "" without.
	Consent string `json:"consent,omitempty"`
	Sum     string `json:"sum"` // keyed digest of what the device sent
	Opened  string `json:"opened,omitempty"`
}

// Needs are what a household may be found to lack.
func Needs() []string {
	return []string{"money", "food", "medicine", "care", "housing", "schooling", "work", "papers"}
}

// Place is where the first device to claim the number keeps it.
func (r Record) key() table.Key {
	return table.Key{PK: devices(r.Staff, r.Device), SK: fmt.Sprintf("VISIT#%010d", r.Number)}
}

func devices(staff, device string) string { return "DEVICE#" + staff + "#" + device }

// Event is what tells of the visit, to s.
func (r Record) Event(s Signal, by event.Actor) event.Event {
	facts := event.Facts{"signal": r.Signal, "kind": string(s.Kind), "finding": string(r.Finding), "township": string(s.Township), "place": string(s.Place),
		"visited_at": r.At.Format(time.RFC3339), "consent": r.Consent != ""}
	if r.Opened != "" {
		facts["application"] = r.Opened
	}
	id := fmt.Sprintf("%s-%d", r.Device, r.Number)
	return event.Event{PK: Partition(r.Signal), Noun: Visited, ID: id, Version: 1, Kind: string(r.Finding), At: r.HeardAt, Actor: by, Facts: facts}
}

// Writes is the record and the event that tells of it. The record has one version:
// what was written down at a door is never changed.
func (r Record) Writes(e event.Event) ([]table.Write, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	told, err := e.Write()
	if err != nil {
		return nil, err
	}
	return []table.Write{table.Put{Item: table.Item{Key: r.key(), Version: 1, Body: body}}, told}, nil
}

// Kept is the record of that number when it is there; ErrDiffers when it was
// another.
func (r Record) Kept(ctx context.Context, t table.Store) (Record, bool, error) {
	item, ok, err := t.Get(ctx, r.key())
	if err != nil || !ok {
		return Record{}, false, err
	}
	var kept Record
	if err := json.Unmarshal(item.Body, &kept); err != nil {
		return Record{}, false, fmt.Errorf("discovery: %s: %w", item.Key.SK, err)
	}
	if !bytes.Equal([]byte(kept.Sum), []byte(r.Sum)) {
		return kept, true, ErrDiffers
	}
	return kept, true, nil
}

// maxMissing bounds what Missing names.
const maxMissing = 200

// Missing names the numbers up to the highest one that we never got from a device:
// what it should send again. It names at most 200, the lowest first.
func Missing(ctx context.Context, t table.Store, staff, device string) ([]int64, error) {
	missing, next := []int64{}, int64(1)
	q := table.Query{PK: devices(staff, device)}.Prefix("VISIT#")
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, err
		}
		var r Record
		if err := json.Unmarshal(item.Body, &r); err != nil {
			return nil, fmt.Errorf("discovery: %s: %w", item.Key.SK, err)
		}
		for ; next < r.Number; next++ {
			if missing = append(missing, next); len(missing) == maxMissing {
				return missing, nil
			}
		}
		next = r.Number + 1
	}
	return missing, nil
}
