package staff

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/seal"
)

// paper is a paper under the seal, spelled out because the type itself prints,
// and marshals, as redacted.
type paper struct {
	Kind   civil.PaperKind `json:"kind"`
	Number string          `json:"number"`
}

// papers are the own paper and those of declared kin, under the seal.
type papers struct {
	Own paper   `json:"own"`
	Kin []paper `json:"kin,omitempty"`
}

// WithPapers is s tied to the person who holds own and with kin declared. The
// papers are kept sealed, because a reference alone is lost when the blind key
// changes: Known makes it anew from them. Appoint or Declare stores it.
func (s Staff) WithPapers(ctx context.Context, box *seal.Box, blind *seal.Blind, own civil.Paper, kin []civil.Paper) (Staff, error) {
	kept := papers{Own: paper{own.Kind(), own.Reveal()}}
	refs := application.PersonRefs(blind, own, "")
	if !slices.Contains(refs, s.Person) {
		s.Person = refs[0]
	}
	s.persons, s.Kin = refs, nil
	for _, k := range kin {
		kept.Kin = append(kept.Kin, paper{k.Kind(), k.Reveal()})
		s.Kin = append(s.Kin, application.PersonRefs(blind, k, "")...)
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return s, fmt.Errorf("staff: papers: %w", err)
	}
	s.Papers, err = box.Seal(ctx, papersPlace(s.ID), plain)
	return s, err
}

// Known is s with every reference that the person and the declared kin have
// under the live blind keys. Without it a rotation would make strangers of them,
// and somebody could decide their own case. Without papers s is as it was.
func (s Staff) Known(ctx context.Context, box *seal.Box, blind *seal.Blind) (Staff, error) {
	if len(s.Papers) == 0 {
		return s, nil
	}
	plain, err := box.Open(ctx, papersPlace(s.ID), s.Papers)
	if err != nil {
		return s, err
	}
	var kept papers
	if err := json.Unmarshal(plain, &kept); err != nil {
		return s, fmt.Errorf("staff: %s: papers are unreadable", s.ID) // err could quote them
	}
	s.persons = kept.Own.refs(blind)
	s.Kin = slices.Clone(s.Kin)
	for _, k := range kept.Kin {
		for _, ref := range k.refs(blind) {
			if !slices.Contains(s.Kin, ref) {
				s.Kin = append(s.Kin, ref)
			}
		}
	}
	return s, nil
}

func (p paper) refs(blind *seal.Blind) []string {
	return application.PersonRefs(blind, civil.StoredPaper(p.Kind, p.Number), "")
}

func papersPlace(id string) seal.Place {
	return seal.Place{Table: application.TableName, PK: Partition(id), SK: "HEAD", Field: "papers"}
}

// people is every reference of the person.
func (s Staff) people() []string { return append([]string{s.Person}, s.persons...) }

// Persons is every reference that the person of s is known by; see Known.
func (s Staff) Persons() []string {
	return slices.DeleteFunc(s.people(), func(ref string) bool { return ref == "" })
}

// Concerned reports whether s is, lives with, files for, or has declared kin
// among, the people of a.
func (s Staff) Concerned(a application.Application) bool {
	return slices.ContainsFunc(s.people(), a.Concerns) || slices.ContainsFunc(s.Kin, a.Concerns)
}

// Actor is s in events and decisions: under the reference among known, when
// there is one, so that a person known there from before a change of the blind
// key is that person still.
func (s Staff) Actor(known ...string) event.Actor {
	by := event.Actor{Kind: event.Staff, ID: s.ID, Person: s.Person}
	for _, ref := range s.people() {
		if ref != "" && slices.Contains(known, ref) {
			by.Person = ref
			break
		}
	}
	return by
}
