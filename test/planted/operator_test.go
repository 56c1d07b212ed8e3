package planted

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/cmd/doudi/audit"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/tamper"
)

// tampering is one thing that an operator does who is not honest.
type tampering struct {
	Name    string `toml:"name"`
	Pattern string `toml:"pattern"`
	Where   string `toml:"where"` // table, export or api
	// In the table: which item, by the beginnings of its partition (a case's when
	// there is none) and sort key, and what is written over in it.
	Partition string `toml:"partition"`
	Item      string `toml:"item"`
	Old       string `toml:"old"`
	New       string `toml:"new"`
	Copy      string `toml:"copy"`      // the item is put once more, under this id
	Backdated bool   `toml:"backdated"` // an event of a month ago is put
	// In an export, or shown to a witness: what is done.
	Act      string `toml:"act"`
	Resigned bool   `toml:"resigned"`
	Finding  string `toml:"finding"` // the kind of the finding that names it
}

// witness is the supervision body beside the system.
type witness struct {
	audit.Witness
	pins audit.Pins
	of   *local.System
	key  string // the log's, as the operator says
}

func (w *witness) look(t *testing.T) audit.Sight {
	t.Helper()
	s, err := w.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published brings what is published to where the table is.
func (w *witness) published(t *testing.T) {
	t.Helper()
	_, err := w.of.Evidence.Log.Sweep(t.Context(), time.Now().Add(-time.Hour))
	if err == nil {
		_, err = w.of.Evidence.Publish(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *witness) export(t *testing.T) tamper.Export {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	x := audit.Exporter{Table: w.of.Table, Publisher: w.of.Evidence, Now: time.Now, Key: w.key}
	if _, err := x.Export(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return tamper.Export(dir)
}

func (w *witness) verify(t *testing.T, x tamper.Export) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), string(x), w.pins, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// round is everything that the log's own round says about the whole log.
func (w *witness) round(t *testing.T) []evidence.Found {
	t.Helper()
	for range 100 { // the system's own turns move it on as well
		turn, err := w.of.Evidence.Log.Revisit(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if turn.From == 0 {
			return turn.Findings
		}
	}
	t.Fatal("the round never begins")
	return nil
}

// oversight has a supervisor tell a unit something and draw a sample, so that there
// is something of theirs to tamper with.
func (f *field) oversight(t *testing.T) {
	t.Helper()
	supervisor, today := f.officer(t, "320400", "supervisor-1"), calendar.Today(time.Now())
	rows := []doc{{"number": "1", "kind": "measure", "title": "核查临时救助备用金台账", "unit": office, "due": today.AddDays(20).String(), "text": "请于期限前报送台账。"}}
	for path, body := range map[string]doc{
		"/v1/staff/mandates": {"body": "320400000000", "list": "百日行动", "rows": rows},
		"/v1/staff/samples":  {"division": "320400000000", "from": today.String(), "to": today.String(), "confidence_percent": 95, "margin_percent": 10},
	} {
		if err := supervisor.Do(t.Context(), http.MethodPost, path, "oversight", body, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// victim finds an item that fits c, in a partition that no plant touched yet.
func (f *field) victim(t *testing.T, c tampering, cases []string, touched map[table.Key]bool) table.Item {
	t.Helper()
	partitions := cases
	if c.Partition != "" {
		partitions = f.partitions(t, c.Partition)
	}
	for _, pk := range partitions {
		if slices.ContainsFunc(slices.Collect(maps.Keys(touched)), func(k table.Key) bool { return k.PK == pk }) {
			continue
		}
		for item, err := range table.All(t.Context(), f.Table, table.Query{PK: pk}.Prefix(c.Item)) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(item.Body), c.Old) {
				touched[item.Key] = true
				return item
			}
		}
	}
	t.Fatalf("%s: nothing to tamper with", c.Name)
	return table.Item{}
}

// partitions are those of the log that begin with prefix.
func (f *field) partitions(t *testing.T, prefix string) (all []string) {
	t.Helper()
	entries, err := f.Evidence.Log.Read(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Event.PK, prefix) && !slices.Contains(all, e.Event.PK) {
			all = append(all, e.Event.PK)
		}
	}
	return all
}

// rewrite does in the table what c says, and tells what its finding must speak of.
func (f *field) rewrite(t *testing.T, c tampering, cases []string, touched map[table.Key]bool) string {
	t.Helper()
	item := f.victim(t, c, cases, touched)
	var write table.Write
	about := nameOf(item.Key)
	switch {
	case c.Backdated: // it follows the newest version of the case
		e, err := event.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		head, _, err := f.Table.Get(t.Context(), table.Key{PK: item.Key.PK, SK: "HEAD"})
		if err != nil {
			t.Fatal(err)
		}
		e.Version, e.At, e.Made = head.Version+1, time.Now().AddDate(0, -1, 0), nil
		if write, err = e.Write(); err != nil {
			t.Fatal(err)
		}
		touched[write.Target()] = true
		about = nameOf(write.Target())
	case c.Copy != "":
		item.Key.SK, item.Version, item.Places = c.Item+c.Copy, 1, nil
		write, about = table.Put{Item: item}, item.Key.PK+" payout/"+c.Copy
	default:
		item.Version++
		item.Body = []byte(strings.Replace(string(item.Body), c.Old, c.New, 1))
		write = table.Replace{Item: item}
		if strings.HasPrefix(c.Item, "ENTRY#") { // the slice does not add up
			about = item.Key.PK
		}
	}
	err := f.Table.Transact(t.Context(), write)
	if put, ok := write.(table.Put); ok && err == nil {
		_, err = f.Evidence.Log.Sequence(t.Context(), put.Item) // as the stream does, which may be busy
	}
	if err != nil {
		t.Fatal(err)
	}
	return about
}

// inTable has the operator write over the running system's table, and holds what is
// found against what was planted: each of them named, and nothing besides.
func (f *field) inTable(t *testing.T, all []tampering, cases []string, say func(name, finding string)) {
	touched := map[table.Key]bool{}
	speaks := map[string]string{} // by plant, what its finding must speak of
	for _, c := range all {
		if c.Where == "table" {
			speaks[c.Name] = f.rewrite(t, c, cases, touched)
		}
	}
	f.witness.published(t)
	r := f.witness.verify(t, f.witness.export(t))
	round := f.witness.round(t)
	for _, c := range all {
		if c.Where != "table" {
			continue
		}
		about := speaks[c.Name]
		pk, _, _ := strings.Cut(about, " ") // a payout is spoken of as item and as thing; no two plants are in one partition
		if !slices.ContainsFunc(r.Findings, func(g audit.Finding) bool {
			return string(g.Kind) == c.Finding && (strings.HasPrefix(g.What, about) || strings.HasPrefix(g.What, pk+" payout/"))
		}) {
			t.Errorf("%s: want %s of %v, found\n%v", c.Pattern, c.Finding, about, r.Findings)
			continue
		}
		by := "verify-log"
		if slices.ContainsFunc(round, func(g evidence.Found) bool { return nameOf(g.Key) == about }) {
			by = "log, " + by
		}
		say(c.Name, c.Finding+" ("+by+")")
	}
	// Whatever else is found is about an honest item.
	for _, g := range r.Findings {
		pk, _, _ := strings.Cut(g.What, " ")
		if g.What != "" && !slices.ContainsFunc(slices.Collect(maps.Keys(touched)), func(k table.Key) bool { return k.PK == pk }) {
			t.Errorf("nobody touched what this is about: %v", g)
		}
	}
	for _, g := range round {
		if !touched[g.Key] {
			t.Errorf("nobody touched %v, and the round says it is %s", g.Key, g.Opening)
		}
	}
}

// nameOf is how findings speak of the item at key.
func nameOf(key table.Key) string {
	if noun, id, version, ok := event.Named(key); ok {
		return fmt.Sprintf("%s %s/%s v%d", key.PK, noun, id, version)
	}
	return key.PK + " " + key.SK
}

// acts are what is done to a leaf at n, and what the check must name there.
func acts(n int) map[string]tamper.Change {
	return map[string]tamper.Change{
		"edit": tamper.Edit(n, `"version":`, `"version":9`), "delete": tamper.Without(n), "insert": tamper.Twice(n-40, n),
		"swap": tamper.Swapped(n, n+1), "cut": tamper.Cut(n), "key": func(l []string) []string { return l },
	}
}

// handedOver has the operator change what is handed over, and sign it anew.
func (f *field) handedOver(t *testing.T, c tampering, honest tamper.Export) string {
	t.Helper()
	x, at := honest.Clone(t), len(honest.Read(t, tamper.Leaves))/2
	signer := f.Evidence.Signer
	switch change := acts(at)[c.Act]; {
	case c.Act == "leave_out":
		items := x.Read(t, tamper.Items)
		i := slices.IndexFunc(items, func(l string) bool { return strings.Contains(l, `"sk":"PAYOUT#`) })
		x.Change(t, tamper.Items, tamper.Without(i))
	case c.Resigned:
		if c.Act == "key" {
			signer = stranger(t)
		}
		x.Sign(t, local.LogOrigin, x.Whole(t, change), signer)
	default:
		x.Change(t, tamper.Leaves, change)
	}
	r := f.witness.verify(t, x)
	i := slices.IndexFunc(r.Findings, func(g audit.Finding) bool {
		return string(g.Kind) == c.Finding && (g.Leaf == int64(at) || c.Act == "key" || c.Act == "leave_out")
	})
	if i < 0 {
		t.Fatalf("%s: want %s at %d, found\n%v", c.Pattern, c.Finding, at, r.Findings)
	}
	return c.Finding + " (verify-log)"
}

// shown has the operator show a witness another checkpoint.
func (f *field) shown(t *testing.T, c tampering) string {
	t.Helper()
	p, err := f.Evidence.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lie, signer := evidence.Checkpoint{Origin: local.LogOrigin, Size: p.Edge.Size, Root: p.Edge.Root()}, f.Evidence.Signer
	switch c.Act {
	case "shorter":
		lie.Size = 1
	case "fork":
		lie.Root[0] ^= 1
	case "key":
		signer = stranger(t)
	}
	w := *f.witness
	w.URL = tamper.Liar(t, f.URL, tamper.Note(t, lie, signer))
	s := w.look(t)
	if s.Cosigned || !slices.ContainsFunc(s.Findings, func(g audit.Finding) bool { return string(g.Kind) == c.Finding }) {
		t.Fatalf("%s: want %s, the witness says %+v", c.Pattern, c.Finding, s)
	}
	return c.Finding + " (witness)"
}

// stranger signs in the log's name with a key that is not the log's.
func stranger(t *testing.T) note.Signer {
	t.Helper()
	private, _, err := note.GenerateKey(rand.Reader, local.LogOrigin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// operator plays everything that an operator does, beside an honest system that
// nothing is said of.
func (f *field) operator(t *testing.T, s scenario, cases []string, say func(name, finding string)) {
	f.oversight(t)
	f.witness.published(t)
	if sight := f.witness.look(t); !sight.Cosigned || len(sight.Findings) > 0 {
		t.Fatalf("an honest log: %+v", sight)
	}
	honest := f.witness.export(t)
	if r := f.witness.verify(t, honest); !r.Good() || r.Items < 100 || r.Witnessed == 0 {
		t.Fatalf("an honest export: %d items, witnessed %d, %v", r.Items, r.Witnessed, r.Findings)
	}
	if found := f.witness.round(t); len(found) > 0 {
		t.Fatalf("an honest table: %+v", found)
	}
	for _, c := range s.Tamperings {
		switch c.Where {
		case "export":
			t.Run(c.Name, func(t *testing.T) { say(c.Name, f.handedOver(t, c, honest)) })
		case "api":
			t.Run(c.Name, func(t *testing.T) { say(c.Name, f.shown(t, c)) })
		case "table": // all of them at once, after these
		default:
			t.Fatalf("%s: nobody can tamper with %q", c.Name, cmp.Or(c.Where, "nothing"))
		}
	}
	f.inTable(t, s.Tamperings, cases, say)
}
