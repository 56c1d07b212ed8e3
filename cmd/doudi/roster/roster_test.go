package roster_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/roster"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, calendar.Zone)

func example(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/roster.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheExampleGoesInOnceHoweverOften(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	d := roster.Desk{Table: embedded.Memory(), Box: seal.NewBox(keys, rand.Reader), Blind: keys.Blind(), Tree: division.Shipped(), Now: func() time.Time { return at }}
	f, err := roster.Read([]byte(example(t)), d.Tree, calendar.Today(at))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []roster.Done{{Appointed: 2, Provided: 1}, {Left: 2, Provided: 1}} {
		if done, err := roster.Import(t.Context(), d, f); err != nil || done != want {
			t.Fatalf("time %d: %+v %v", i+1, done, err)
		}
	}
	s, err := staff.Acting(t.Context(), d.Table, "320400-finance-2")
	if err != nil || len(s.Kin) != 1 || len(s.Holds(at, staff.Finance)) != 1 {
		t.Errorf("%+v %v", s, err)
	}
	slice, err := fund.Read(t.Context(), d.Table, fund.ID{Fund: "relief-2026", Township: "320402005000"})
	if err != nil || slice.Source != "county" || slice.Balances.Of(fund.Available) != 500_000_00 {
		t.Errorf("%+v %v", slice, err)
	}
	// The same paper cannot order another amount, and nobody orders alone under two names.
	f.Money[0].AmountFen++
	if _, err := roster.Import(t.Context(), d, f); err == nil {
		t.Error("one paper booked two amounts")
	}
	f.Money[0].Second, f.Money[0].Reference = "finance-3", "other"
	f.Staff = append(f.Staff, f.Staff[0])
	f.Staff[2].ID = "finance-3"
	if _, err := roster.Import(t.Context(), d, f); err == nil || !strings.Contains(err.Error(), "one person") {
		t.Errorf("two accounts of one person ordered money: %v", err)
	}
}

func TestWhatIsWrongIsNamedWithoutNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"region":       {`region = "320400"`, `region = "990000"`, "990000"},
		"number":       {"320402197201109004", "320402197201109005", "staff 1 (finance-1)"},
		"kin":          {"32040219731216951X", "320402197312169511", "staff 2 (finance-2)"},
		"role":         {`role = "finance"`, `role = "mayor"`, "mayor"},
		"division":     {`division = "320402000000"`, `division = "511702000000"`, "not in the region"},
		"township":     {`township = "320402005000"`, `township = "1"`, "not in the region"},
		"twin_id":      {`id = "finance-2"`, `id = "finance-1"`, "that of another"},
		"no_from":      {"from = 2026-01-01T00:00:00+08:00\n\n[", "\n[", "from when"},
		"alone":        {`second = "finance-2"`, `second = "finance-1"`, "two people order money"},
		"no_amount":    {"amount_fen = 50000000", "amount_fen = 0", "amount_fen"},
		"purpose":      {`"relief"`, `"party"`, "party"},
		"key":          {"low_fen", "lo_fen", "appropriation.lo_fen means nothing"},
		"cannot_parse": {`paper = "320402197201109004"`, `paper = 320402197201109004x`, "line 10"},
		"wrong_kind":   {`paper = "320402197201109004"`, `paper = 320402197201109004`, "cannot be read"},
	} {
		text := example(t)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		_, err := roster.Read([]byte(strings.Replace(text, c.old, c.new, 1)), division.Shipped(), calendar.Today(at))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, secret := range []string{"3204021972", "3204021973", "钱若溪", "陆景行"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error says %s", name, secret)
			}
		}
	}
}

// FuzzRead reads anything as a roster: what is let through is complete, and what
// is said of a bad one has no identity number in it.
func FuzzRead(f *testing.F) {
	raw, err := os.ReadFile("../../../docs/roster.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte(strings.Replace(string(raw), "320402197201109004", "32040219720110900", 1)))
	f.Add([]byte("region = 3\n[[staff]]\n"))
	f.Add([]byte("[[staff]]\npaper = \"320402197201109005\"\nname = 7"))
	tree, day := division.Shipped(), calendar.Today(at)
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := roster.Read(raw, tree, day)
		if err != nil {
			if strings.Contains(string(raw), "320402197201109005") && strings.Contains(err.Error(), "320402197201109005") && strings.Count(string(raw), "320402197201109005") == 1 {
				for _, p := range file.Staff {
					if p.Paper == "320402197201109005" {
						t.Errorf("it says whose number is wrong: %v", err)
					}
				}
			}
			return
		}
		for _, p := range file.Staff {
			if p.ID == "" || p.From.IsZero() || !slices.Contains(staff.Roles(), staff.Role(p.Role)) {
				t.Errorf("let through: %+v", p.ID)
			}
		}
		for _, m := range file.Money {
			if m.AmountFen <= 0 || m.First == m.Second {
				t.Errorf("let through: %+v", m)
			}
		}
	})
}
