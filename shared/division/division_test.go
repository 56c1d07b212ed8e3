package division

import (
	"bytes"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/civil"
)

var today = civil.Date(2026, 11, 22)

func TestShipped(t *testing.T) {
	t.Parallel()
	tree, err := Parse(strings.NewReader(divisions))
	if err != nil {
		t.Fatal(err)
	}
	levels := map[civil.DivisionCode]map[civil.Level]int{}
	for code, versions := range tree.read().versions {
		if len(versions) != 1 || versions[0].Name == "" || len(code) != 12 {
			t.Errorf("%s: %+v", code, versions)
		}
		region, ok := tree.Region(code)
		if !ok {
			if code.Level() > civil.ProvinceLevel {
				t.Errorf("%s belongs to no region", code)
			}
			continue
		}
		if levels[region] == nil {
			levels[region] = map[civil.Level]int{}
		}
		levels[region][code.Level()]++
	}
	for _, want := range []struct {
		region                      civil.DivisionCode
		counties, townships, places int
	}{
		{"120112000000", 1, 15, 306}, {"320400000000", 6, 67, 1049}, {"511700000000", 7, 200, 2283},
	} {
		got := levels[want.region]
		if got[civil.CountyLevel] != want.counties || got[civil.TownshipLevel] != want.townships || got[civil.VillageLevel] != want.places {
			t.Errorf("%s: %v, want %+v", want.region, got, want)
		}
	}
}

func TestShippedAnswers(t *testing.T) {
	t.Parallel()
	tree := Shipped()
	var names []string
	for _, d := range tree.Path("120112103003", today) {
		names = append(names, d.Name)
	}
	// A district of a municipality hangs on the municipality: no placeholder.
	if got := strings.Join(names[:3], " "); got != "天津市 津南区 双港镇" || len(names) != 4 {
		t.Errorf("path is %q", names)
	}
	if d, ok := tree.TownshipOf("320402005001", today); !ok || d.Name != "天宁街道" {
		t.Errorf("township is %+v, %v", d, ok)
	}
	if d, ok := tree.CountyOf("511723000000", today); !ok || d.Name != "开江县" {
		t.Errorf("county is %+v, %v", d, ok)
	}
	if _, ok := tree.TownshipOf("511723000000", today); ok {
		t.Error("a county has a township above it")
	}
	if n := len(tree.Children("320400000000", today)); n != 6 {
		t.Errorf("Changzhou has %d counties", n)
	}
	if !tree.Within("320402005000", "320400000000", today) || tree.Within("320402005000", "511700000000", today) {
		t.Error("Tianning street is not in Changzhou alone")
	}
	if r, ok := tree.Region("320000000000"); ok {
		t.Errorf("a province is in region %s", r)
	}
	if len(tree.Regions()) != 3 {
		t.Errorf("regions are %v", tree.Regions())
	}
}

// A street that moved to another district keeps its digits.
const moved = `from 2020-01-01
region 3204
32 江苏省
	3204 常州市
		320402 天宁区
			320402005 天宁街道 to=2025-12-31
		320411 新北区
			320402005 天宁街道 from=2026-01-01
		320499 旧区 to=2021-06-30
`

func TestMembershipIsByTreeAndDay(t *testing.T) {
	t.Parallel()
	tree, err := Parse(strings.NewReader(moved))
	if err != nil {
		t.Fatal(err)
	}
	const street, old, next = "320402005000", "320402000000", "320411000000"
	last, first := civil.Date(2025, 12, 31), civil.Date(2026, 1, 1)
	if !tree.Within(street, old, last) || tree.Within(street, next, last) {
		t.Error("on its last day it is not in the old district")
	}
	if tree.Within(street, old, first) || !tree.Within(street, next, first) {
		t.Error("on the first day it is not in the new district")
	}
	if got := len(tree.Children(next, first)) - len(tree.Children(next, last)); got != 1 {
		t.Errorf("the new district gained %d", got)
	}
	if _, ok := tree.Find("320499000000", civil.Date(2021, 6, 30)); !ok {
		t.Error("gone on its last day")
	}
	if _, ok := tree.Find("320499000000", civil.Date(2021, 7, 1)); ok {
		t.Error("there after its last day")
	}
	if tree.Within(street, street, civil.Date(2019, 12, 31)) {
		t.Error("belongs before it is known")
	}
	if r, ok := tree.Region(street); !ok || r != "320400000000" {
		t.Errorf("region is %s", r)
	}
}

func TestParseReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader(`region 99
from yesterday
lonely
32 江苏省 from=2020-01-01
		320402005 太深 from=2020-01-01
	3204 常州市 from=2020-01-01 to=2019-01-01 until=2020-01-01 from=x
	32040x 坏代码 from=2020-01-01
	320402 天宁区 from=2020-01-01
	320402 天宁区 from=2020-06-01
	320411 新北区 from=2019-01-01
		3205 苏州市 from=2020-01-01
	320412 武进区
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"line 2: bad day", "line 3: too few", "line 5: 320402005000 is deeper", "line 6: unknown key", "line 6: bad day",
		"ends before", `bad code "32040x"`, "320402000000 is two things on 2020-06-01", "320411000000 stands in nothing",
		"320500000000 cannot stand in 320411000000", "line 12: 320412000000 has no first day", "region 990000000000 is not in the tree",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among:\n%v", want, err)
		}
	}
	if _, err := Parse(strings.NewReader("")); err == nil {
		t.Error("an empty tree was accepted")
	}
}

// FuzzParse reads anything as a list of divisions; what is let through hangs
// together.
func FuzzParse(f *testing.F) {
	f.Add([]byte("region 3204\nfrom 2020-01-01\n32 江苏省\n\t3204 常州市\n\t\t320402 天宁区\n"))
	f.Add([]byte("region 99\nfrom yesterday\n\t\t\t\t\t1 a from= to=\n"))
	f.Add([]byte("32 江苏省 from=2020-01-01 to=2019-01-01\n32 江苏省"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tree, err := Parse(bytes.NewReader(raw))
		if err != nil {
			return
		}
		day := civil.Date(2026, 11, 28)
		for _, region := range tree.Regions() {
			for _, child := range tree.Children(region, day) {
				if !tree.Within(child.Code, region, day) {
					t.Errorf("%s stands below %s and not within it", child.Code, region)
				}
			}
		}
	})
}
