package disclosure

import (
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Of a case that a death record holds nothing is told until somebody has lifted it,
// nor of one that ended otherwise. Any other hold is nobody's business.
func TestWhatStopsTheTelling(t *testing.T) {
	t.Parallel()
	lifted := &application.Lift{At: time.Unix(1, 0)}
	for name, c := range map[string]struct {
		a    application.Application
		want bool
	}{
		"an ordinary case":          {application.Application{State: application.Approved}, false},
		"another hold":              {application.Application{State: application.Approved, Holds: []application.Hold{{Code: application.HoldStaff}}}, false},
		"a death record":            {application.Application{State: application.Approved, Holds: []application.Hold{{Code: policy.HoldDeathRecord}}}, true},
		"one that was looked into":  {application.Application{State: application.Approved, Holds: []application.Hold{{Code: policy.HoldDeathRecord, Lifted: lifted}}}, false},
		"one of two is still there": {application.Application{Holds: []application.Hold{{Code: policy.HoldDeathRecord, Lifted: lifted}, {Code: policy.HoldDeathRecord}}}, true},
		"withdrawn":                 {application.Application{State: application.Withdrawn}, true},
		"refused":                   {application.Application{State: application.Refused}, true},
	} {
		if stopped(c.a) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

// Whoever had part in a decision is named once by each name there is.
func TestWhoDecided(t *testing.T) {
	t.Parallel()
	one, two := event.Actor{ID: "a", Person: "p"}, event.Actor{ID: "b"}
	for name, c := range map[string]struct {
		a    award.Award
		want []string
	}{
		"two people":              {award.Award{Proposer: one, Approver: two}, []string{"a", "p", "b"}},
		"two accounts of one":     {award.Award{Proposer: one, Approver: event.Actor{ID: "b", Person: "p"}}, []string{"a", "p", "b"}},
		"an envelope, and nobody": {award.Award{}, []string{}},
	} {
		if got := deciders(c.a); !slices.Equal(got, c.want) || got == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
