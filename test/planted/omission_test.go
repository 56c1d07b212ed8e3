package planted

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/discovery"
)

// omission is a hardship of which a source tells, in the township of the office.
type omission struct {
	Name    string `toml:"name"`
	Of      string `toml:"of"`
	Pattern string `toml:"pattern"`
	Kind    string `toml:"kind"`
	Applied bool   `toml:"applied"` // the person has applied before the list came
	Visit   string `toml:"visit"`   // what was found at the door; "" for nobody went
	// Finding is "coverage" for one that stands open, "application" for one that was
	// applied for at the door; nothing for the clean ones.
	Finding string `toml:"finding"`
}

const office = "320402005000"

// signs hands in one list with everything that o says, walks to the doors, and
// gives the signal of each.
func (f *field) signs(t *testing.T, all []omission) map[string]discovery.Signal {
	t.Helper()
	clerk, grid := f.officer(t, "320400", "clerk-1"), f.officer(t, "320400", "grid-1")
	var rows, records []doc
	for _, o := range all {
		p := f.person(t, "320400", "fresh")
		if o.Applied {
			id, _ := f.file(t, "320400", step{Cause: o.Kind}, p, p.Account)
			f.verified(t, id)
		}
		rows = append(rows, doc{"number": o.Name, "kind": o.Kind, "place": p.Village, "happened_on": calendar.Today(time.Now()).String(), "person": person(p)})
	}
	if err := clerk.Do(t.Context(), http.MethodPost, "/v1/staff/signals", "signs", doc{"source": "planted", "rows": rows}, nil); err != nil {
		t.Fatal(err)
	}
	if err := grid.Do(t.Context(), http.MethodPost, "/v1/staff/visit-lists", "walk", doc{"township": office, "most": 40}, nil); err != nil {
		t.Fatal(err)
	}
	for i, o := range all {
		if o.Visit != "" {
			rec := doc{"number": i + 1, "signal": discovery.SignalID("planted", o.Name), "at": time.Now().Format(time.RFC3339), "finding": o.Visit}
			if o.Visit == "needs_help" {
				rec["consent_sha256"] = application.Authorisation().SHA256
			}
			records = append(records, rec)
		}
	}
	var kept struct {
		Records []struct{ Result, Code string }
	}
	if err := grid.Do(t.Context(), http.MethodPost, "/v1/staff/visit-records", "doors", doc{"device": "00000000000000000000000009", "records": records}, &kept); err != nil {
		t.Fatal(err)
	}
	for _, r := range kept.Records {
		if r.Result != "stored" {
			t.Fatalf("a visit: %+v", r)
		}
	}
	out := map[string]discovery.Signal{}
	for _, o := range all {
		s, err := discovery.Get(t.Context(), f.Table, discovery.SignalID("planted", o.Name))
		if err != nil {
			t.Fatal(err)
		}
		out[o.Name] = s
	}
	return out
}

// person is p as a source writes somebody down.
func person(p world.Person) doc {
	d := who(p, p.Phone)
	d["address"] = "乙字楼三单元"
	return d
}

// listed are the signals that the supervisor sees open in the township.
func (f *field) listed(t *testing.T) map[string]bool {
	t.Helper()
	var page struct{ Signals []struct{ ID string } }
	if err := f.officer(t, "320400", "supervisor-1").Do(t.Context(), http.MethodGet, "/v1/staff/signals?township="+office+"&limit=100", "", nil, &page); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, s := range page.Signals {
		all[s.ID] = true
	}
	return all
}

// uncovered is the figure 应享未享 of the township: how many stand open, by kind.
func (f *field) uncovered(t *testing.T) (count int64, byKind map[string]int64) {
	t.Helper()
	today := calendar.Today(time.Now()).String()
	var report struct {
		Figures []struct {
			Indicator string
			Count     int64
			Parts     []struct {
				Code  string
				Count int64
			}
		}
	}
	path := fmt.Sprintf("/v1/staff/indicators?division=%s&from=%s&to=%s", office, today, today)
	if err := f.officer(t, "320400", "supervisor-1").Do(t.Context(), http.MethodGet, path, "", nil, &report); err != nil {
		t.Fatal(err)
	}
	byKind = map[string]int64{}
	for _, figure := range report.Figures {
		if figure.Indicator == "coverage" {
			count = figure.Count
			for _, p := range figure.Parts {
				byKind[p.Code] = p.Count
			}
		}
	}
	return count, byKind
}

// omissions says of each hardship what shows that nobody helps, and that nothing is
// said of those who are.
func (f *field) omissions(t *testing.T, s scenario, say func(name, finding string)) {
	signals := f.signs(t, slices.Concat(s.Omissions, s.Found))
	open := map[string]int64{}
	for _, o := range s.Omissions {
		if o.Finding == "coverage" {
			open[o.Kind]++
		}
	}
	var want int64
	for _, n := range open {
		want += n
	}
	// The figures follow the log within seconds; both are asked until they agree.
	var count int64
	var byKind map[string]int64
	if err := f.Until(t.Context(), func() (bool, error) {
		count, byKind = f.uncovered(t)
		return count == want, nil
	}); err != nil {
		t.Fatalf("the figure says %d %v, planted are %v: %v", count, byKind, open, err)
	}
	listed := f.listed(t)
	for _, o := range slices.Concat(s.Omissions, s.Found) {
		signal := signals[o.Name]
		stands := listed[signal.ID] && signal.State == discovery.Open && byKind[o.Kind] > 0
		switch {
		case o.Finding == "coverage" && stands:
			say(o.Name, "coverage")
		case o.Finding == "application" && signal.State == discovery.Helped && signal.Application != "" && !listed[signal.ID]:
			say(o.Name, "application")
		case o.Finding == "" && !listed[signal.ID] && signal.State != discovery.Open:
			say(o.Name, "")
		default:
			raw, _ := json.Marshal(signal)
			t.Errorf("%s: want %q; listed %v, figure %v, %s", o.Pattern, cmp.Or(o.Finding, "nothing"), listed[signal.ID], byKind, raw)
		}
	}
}
