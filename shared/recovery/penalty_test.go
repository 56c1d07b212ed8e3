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
	if (Penalty{MaxPercent: 200}).Allows(1<<62, 1) {
		t.Error("an overflow is allowed")
	}
}
