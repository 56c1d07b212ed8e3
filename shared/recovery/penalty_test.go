package recovery

import (
	"strings"
	"testing"
)

func TestPenaltiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	good := string(penaltyData)
	if all, err := Penalties(); err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for name, bad := range map[string]string{
		"nothing":        "",
		"empty":          "[]",
		"more":           good + "[]",
		"unknown key":    strings.Replace(good, `"name"`, `"x":1,"name"`, 1),
		"no article":     strings.Replace(good, `"article": "《社会救助法》第七十三条"`, `"article": ""`, 1),
		"no name":        strings.Replace(good, `"name": "LAW2026"`, `"name": ""`, 1),
		"no text":        strings.Replace(good, `"text": "处非法获取的财物和利益价值二倍以下的罚款"`, `"text": ""`, 1),
		"on one day":     strings.Replace(good, "2014-05-01", "2026-07-01", 1),
		"beyond reason":  strings.Replace(good, `"max_percent": 300`, `"max_percent": 1001`, 1),
		"no day":         strings.Replace(good, `"from": "2014-05-01",`, ``, 1),
		"wrong order":    strings.Replace(good, "2014-05-01", "2027-05-01", 1),
		"less than none": strings.Replace(good, `"min_percent": 100`, `"min_percent": -1`, 1),
		"most below":     strings.Replace(good, `"max_percent": 300`, `"max_percent": 50`, 1),
		"absurd":         strings.Replace(good, `"max_percent": 300`, `"max_percent": 3000`, 1),
	} {
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := parsePenalties([]byte(bad)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	for name, right := range map[string]string{
		"a frame of one number":     strings.Replace(good, `"max_percent": 300`, `"max_percent": 100`, 1),
		"ten times, which is a lot": strings.Replace(good, `"max_percent": 300`, `"max_percent": 1000`, 1),
		"the first only":            good[:strings.Index(good, "},")+1] + "]",
	} {
		if _, err := parsePenalties([]byte(right)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (Penalty{MaxPercent: 200}).Allows(1<<62, 1) {
		t.Error("an overflow is allowed")
	}
	if (Penalty{MinPercent: 200, MaxPercent: 200}).Allows(1<<62, 1) || (Penalty{MaxPercent: 200}).Allows(1, 1<<62) {
		t.Error("an overflow is allowed")
	}
}
