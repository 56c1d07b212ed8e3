package main

import (
	"io"
	"strings"
	"testing"
)

const profile = `mode: atomic
github.com/doudi-aid/doudi/shared/money/money.go:1.1,2.2 9 4
github.com/doudi-aid/doudi/shared/money/money.go:3.1,4.2 1 0
github.com/doudi-aid/doudi/shared/fund/fund.go:1.1,2.2 8 1
github.com/doudi-aid/doudi/shared/fund/fund.go:3.1,4.2 2 0
github.com/doudi-aid/doudi/shared/fund/fund.go:5.1,6.2 10 0
github.com/doudi-aid/doudi/shared/fund/fund.go:5.1,6.2 10 2
`

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		floor    int
		packages string
		wrong    string // part of the error; "" for none
	}{
		"at_the_floor_is_enough":         {90, "shared/money", ""},
		"below_the_floor":                {91, "shared/money", "shared/money: 9 of 10"},
		"block_seen_twice_counts_once":   {90, "shared/fund", ""},
		"package_that_is_not_there":      {0, "shared/none", "shared/none: not in the profile"},
		"every_low_package_is_named":     {95, "shared/money shared/fund", "shared/fund: 18 of 20"},
		"one_low_package_fails_the_rest": {91, "shared/money shared/fund", "shared/money: 9 of 10"},
	} {
		err := check(strings.NewReader(profile), io.Discard, c.floor, strings.Fields(c.packages))
		if c.wrong == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := check(strings.NewReader("mode: set\nx y\n"), io.Discard, 1, nil); err == nil {
		t.Error("a profile that is not one was read")
	}
}
