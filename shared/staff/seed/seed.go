// Package seed puts the staff of the shipped regions into a fresh store, so
// that a newcomer can play every part. The people are synthetic. It is wired
// into the laptop's command and into tests, never into a deployed function.
package seed

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

//go:embed *.toml
var files embed.FS

type file struct {
	Region string `toml:"region"`
	Staff  []one  `toml:"staff"`
}

type one struct {
	ID       string    `toml:"id"`
	Name     string    `toml:"name"`
	Paper    string    `toml:"paper"`
	Role     string    `toml:"role"`
	Division string    `toml:"division"`
	From     time.Time `toml:"from"`
	Kin      []string  `toml:"kin"`
}

// ID is the id of a member of staff of a region: "320400-clerk-1".
func ID(region, id string) string { return region + "-" + id }

// Staff puts everybody in who is not there yet; whoever is there stays as they
// are, so that it can run at every start.
func Staff(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, at time.Time) error {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		var f file
		meta, err := toml.Decode(string(text), &f)
		if err != nil {
			return fmt.Errorf("seed: %s: %w", name, err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			return fmt.Errorf("seed: %s: unknown key %s", name, unknown[0])
		}
		for _, o := range f.Staff {
			if err := o.plant(ctx, t, box, blind, f.Region, at); err != nil {
				return fmt.Errorf("seed: %s: %s: %w", name, o.ID, err)
			}
		}
	}
	return nil
}

func (o one) plant(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, region string, at time.Time) error {
	return o.put(ctx, t, box, blind, ID(region, o.ID), region, at)
}

// put appoints o under id, unless somebody is there.
func (o one) put(ctx context.Context, t table.Store, box *seal.Box, blind *seal.Blind, id, region string, at time.Time) error {
	if _, err := staff.Get(ctx, t, id); !errors.Is(err, staff.ErrNotFound) {
		return err
	}
	s := staff.Staff{ID: id, Region: region, Active: true,
		Grants: []staff.Grant{{Role: staff.Role(o.Role), Division: civil.DivisionCode(o.Division), From: o.From}}}
	var err error
	if s.Name, err = staff.SealName(ctx, box, id, redact.New(o.Name)); err != nil {
		return err
	}
	today := civil.DayOf(at, at.Location())
	own, err := civil.ParsePaper(civil.IDCard, o.Paper, today)
	if err != nil {
		return err
	}
	var kin []civil.Paper
	for _, number := range o.Kin {
		paper, err := civil.ParsePaper(civil.IDCard, number, today)
		if err != nil {
			return err
		}
		kin = append(kin, paper)
	}
	if s, err = s.WithPapers(ctx, box, blind, own, kin); err != nil {
		return err
	}
	err = staff.Appoint(ctx, t, s, event.Actor{Kind: event.System, ID: "seed"}, at)
	if errors.Is(err, staff.ErrMovedOn) {
		return nil // somebody else seeded at the same moment
	}
	return err
}
