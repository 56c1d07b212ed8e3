package award_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// family is people under the live keys: "mother" under b2 and b1.
func family(keys []string, names ...string) (people [][]string) {
	for _, name := range names {
		var refs []string
		for _, k := range keys {
			refs = append(refs, k+"."+name)
		}
		people = append(people, refs)
	}
	return people
}

var (
	oneKey  = []string{"b1"}
	twoKeys = []string{"b2", "b1"}
)

// helped is an award of an application to the first of people, by the key of its own.
func helped(app string, people [][]string, change ...func(*award.Award)) award.Award {
	return sample(append(change, func(a *award.Award) {
		a.Application, a.Subject, a.Subjects, a.Payee = app, people[0][0], people[0][1:], "b1.account-"+app
	})...)
}

// grant is an award with what was read before it, as one transaction.
func grant(ctx context.Context, s table.Store, h award.History, a award.Award) error {
	made, err := award.Markers(ctx, s, a)
	if err != nil {
		return err
	}
	once, err := h.Writes(a)
	if err != nil {
		return err
	}
	return s.Transact(ctx, append(made, once...)...)
}

func read(t *testing.T, s table.Store, people [][]string, byHousehold bool) award.History {
	t.Helper()
	h, err := award.Read(t.Context(), s, people, byHousehold)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Both are judged before either is made. Where what was judged is not true any more
// the second fails, and reads of the first when it starts again.
func TestOfTwoAwardsJudgedAtOnceTheSecondIsJudgedAgain(t *testing.T) {
	t.Parallel()
	type side struct {
		people      [][]string
		byHousehold bool
		change      func(*award.Award)
	}
	same := func(*award.Award) {}
	flood := func(a *award.Award) { a.Cause = "flood" }
	mother := side{family(oneKey, "mother", "son"), true, same}
	for name, c := range map[string]struct {
		first, second side
		both          bool // nothing that was judged has changed
		then          int  // awards that the second finds when it starts again
	}{
		"two_members_of_one_household":                 {mother, side{family(oneKey, "son", "mother"), true, same}, false, 1},
		"two_causes_count_together":                    {mother, side{family(oneKey, "son", "mother"), true, flood}, false, 1},
		"one_names_the_other_who_names_nobody":         {mother, side{family(oneKey, "son"), true, same}, false, 1},
		"who_names_nobody_comes_first":                 {side{family(oneKey, "son"), true, same}, mother, false, 1},
		"a_third_lives_with_both":                      {side{family(oneKey, "mother", "baby"), true, same}, side{family(oneKey, "son", "baby"), true, same}, false, 1},
		"one_instance_knows_only_the_old_key":          {mother, side{family(twoKeys, "son", "mother"), true, same}, false, 1},
		"one_instance_knows_the_new_key_already":       {side{family(twoKeys, "mother", "son"), true, same}, side{family(oneKey, "son", "mother"), true, same}, false, 1},
		"one_person_twice_for_two_causes":              {side{family(oneKey, "mother"), false, same}, side{family(oneKey, "mother"), false, flood}, false, 1},
		"a_place_that_counts_by_person_does_not_share": {side{family(oneKey, "mother"), false, same}, side{family(oneKey, "son"), false, same}, true, 0},
		"two_households":                               {mother, side{family(oneKey, "neighbour", "daughter"), true, same}, true, 0},
	} {
		s := embedded.Memory()
		first, second := read(t, s, c.first.people, c.first.byHousehold), read(t, s, c.second.people, c.second.byHousehold)
		if len(first.Earlier)+len(second.Earlier) > 0 {
			t.Fatalf("%s: awards before any", name)
		}
		if err := grant(t.Context(), s, first, helped("app1", c.first.people, c.first.change)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err := grant(t.Context(), s, second, helped("app2", c.second.people, c.second.change))
		if _, moved := errors.AsType[*table.ConditionError](err); c.both != (err == nil) || !c.both && !moved {
			t.Errorf("%s: the second one: %v", name, err)
		}
		if c.both {
			continue
		}
		again := read(t, s, c.second.people, c.second.byHousehold)
		if len(again.Earlier) != c.then {
			t.Errorf("%s: the second finds %v", name, ids(again.Earlier))
		}
		// Whoever has a reason to give it all the same gives it now.
		reasoned := func(a *award.Award) { a.Exception = "SAME_CAUSE_REPEAT" }
		if err := grant(t.Context(), s, again, helped("app2", c.second.people, c.second.change, reasoned)); err != nil {
			t.Errorf("%s: an exception: %v", name, err)
		}
	}
}

// Whose household had an award had it, whoever asks next and whoever is left out; where
// awards are counted by person it is only the one who got it.
func TestAHouseholdsAwardCountsForEachOfIt(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	home := family(twoKeys, "mother", "son")
	if err := grant(t.Context(), s, read(t, s, home, true), helped("app1", home)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		people      [][]string
		byHousehold bool
		want        []string
	}{
		"the_son_by_household":          {family(twoKeys, "son"), true, []string{"app1#01"}},
		"the_son_under_the_old_key":     {family(oneKey, "son"), true, []string{"app1#01"}},
		"the_two_once":                  {family(twoKeys, "son", "mother"), true, []string{"app1#01"}},
		"the_son_by_person":             {family(twoKeys, "son"), false, nil},
		"the_mother_by_person":          {family(twoKeys, "mother"), false, []string{"app1#01"}},
		"a_daughter_who_lives_with_him": {family(twoKeys, "daughter", "son"), true, []string{"app1#01"}},
		"a_neighbour":                   {family(twoKeys, "neighbour"), true, nil},
	} {
		if got := ids(read(t, s, c.people, c.byHousehold).Earlier); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What is too long ago to count anywhere is not carried along, and one person named
// twice is one condition.
func TestAGuardForgetsWhatIsLongAgo(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	twice := family(oneKey, "mother", "son", "son")
	for n, app := range []string{"app1", "app2", "app3"} {
		at := func(a *award.Award) { a.At, a.Year = now.AddDate(n, 0, 0), 2027+n }
		if err := grant(t.Context(), s, read(t, s, twice, true), helped(app, twice, at)); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(read(t, s, family(oneKey, "son"), true).Earlier); !slices.Equal(got, []string{"app1#01", "app2#01", "app3#01"}) {
		t.Errorf("within two years: %v", got)
	}
	late := func(a *award.Award) { a.At, a.Year = now.AddDate(2, 0, 4), 2030 }
	if err := grant(t.Context(), s, read(t, s, twice, true), helped("app4", twice, late)); err != nil {
		t.Fatal(err)
	}
	if got := ids(read(t, s, family(oneKey, "son"), true).Earlier); !slices.Equal(got, []string{"app2#01", "app3#01", "app4#01"}) {
		t.Errorf("after two years: %v", got)
	}
}
