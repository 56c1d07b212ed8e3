package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/cmd/doudi/audit"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/tamper"
)

// supervisor is the supervision body beside a system.
type supervisor struct {
	t       *testing.T
	s       *local.System
	witness audit.Witness
	pins    audit.Pins
}

// oversee starts a system that takes the cosignatures of a supervision body, and
// plays one case in it. The stream brings nothing: the log's own sweep finds all.
func oversee(t *testing.T) *supervisor {
	t.Helper()
	dir := t.TempDir()
	key, err := audit.InitWitness(rand.Reader, dir, "jjw.example.cn", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	v := &supervisor{t: t}
	v.s = start(t, func(o *local.Options) { o.Witnesses, o.WithoutLogStream = []string{key.Public()}, true })
	play(t, v.s, "320400")
	w, err := evidence.NewWitness(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	v.pins = audit.Pins{Key: v.s.Evidence.Verifier, Witnesses: []note.Verifier{w}, Copy: dir}
	v.witness = audit.Witness{URL: v.s.URL, HTTP: http.DefaultClient, Dir: dir, Key: key, Log: v.s.Evidence.Verifier, Now: time.Now}
	return v
}

// published brings what is published to where the table is.
func (v *supervisor) published() {
	v.t.Helper()
	_, err := v.s.Evidence.Log.Sweep(v.t.Context(), time.Now().Add(-time.Hour))
	if err == nil {
		_, err = v.s.Evidence.Publish(v.t.Context())
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *supervisor) export() audit.Report {
	v.t.Helper()
	dir := filepath.Join(v.t.TempDir(), "export")
	x := audit.Exporter{Table: v.s.Table, Publisher: v.s.Evidence, Now: time.Now}
	about, err := http.Get(v.s.URL + "/v1/log")
	if err != nil {
		v.t.Fatal(err)
	}
	defer about.Body.Close()
	var said struct{ Key string }
	if err := json.NewDecoder(about.Body).Decode(&said); err != nil {
		v.t.Fatal(err)
	}
	x.Key = said.Key
	if _, err := x.Export(v.t.Context(), dir); err != nil {
		v.t.Fatal(err)
	}
	r, err := audit.Verify(v.t.Context(), dir, v.pins, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

func (v *supervisor) look(w audit.Witness) audit.Sight {
	v.t.Helper()
	s, err := w.Look(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// edit does what nobody may: it writes over an item by hand.
func (v *supervisor) edit(item table.Item, old, becomes string) {
	v.t.Helper()
	if !strings.Contains(string(item.Body), old) {
		v.t.Fatalf("%s has no %s: %s", item.Key.SK, old, item.Body)
	}
	item.Version++
	item.Body = []byte(strings.Replace(string(item.Body), old, becomes, 1))
	if err := v.s.Table.Transact(v.t.Context(), table.Replace{Item: item}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *supervisor) find(pk, prefix, holding string) table.Item {
	v.t.Helper()
	page, err := v.s.Table.Query(v.t.Context(), table.Query{PK: pk}.Prefix(prefix))
	if err != nil {
		v.t.Fatal(err)
	}
	for _, item := range page.Items {
		if strings.Contains(string(item.Body), holding) {
			return item
		}
	}
	v.t.Fatalf("nothing in %s begins with %s and holds %s", pk, prefix, holding)
	return table.Item{}
}

func has(r []audit.Finding, kind audit.Kind, what string) bool {
	return slices.ContainsFunc(r, func(f audit.Finding) bool { return f.Kind == kind && strings.Contains(f.String(), what) })
}

// A played case is wholly in the log, and its export agrees with itself; then an
// operator edits the table, cuts the log, signs anew and swaps keys, and each is
// named, by the export's check and by the witness.
func TestTheSupervisionBodyFindsOut(t *testing.T) {
	t.Parallel()
	v := oversee(t)
	v.published()
	if s := v.look(v.witness); !s.Cosigned || s.New == 0 || s.New != s.Size || len(s.Findings) != 0 {
		t.Fatalf("the first look: %+v", s)
	}
	// A kill after the cosignature was made and before it was handed back: looking
	// again hands it back.
	if s := v.look(v.witness); !s.Cosigned || len(s.Findings) != 0 {
		t.Fatalf("the second look: %+v", s)
	}
	r := v.export()
	if !r.Good() || !r.Pinned || r.Witnessed == 0 || r.Awards != 1 || r.Slices == 0 {
		t.Fatalf("an honest export: %+v", r)
	}

	// The witness meets a server that lies.
	private, _, err := note.GenerateKey(rand.Reader, local.LogOrigin)
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	published, err := v.s.Evidence.Published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	honest := evidence.Checkpoint{Origin: local.LogOrigin, Size: published.Edge.Size, Root: published.Edge.Root()}
	for kind, lie := range map[audit.Kind]string{
		audit.Truncated:  tamper.Note(t, evidence.Checkpoint{Origin: honest.Origin, Size: 1, Root: honest.Root}, v.s.Evidence.Signer),
		audit.Forked:     tamper.Note(t, evidence.Checkpoint{Origin: honest.Origin, Size: honest.Size}, v.s.Evidence.Signer),
		audit.KeySwapped: tamper.Note(t, honest, other),
	} {
		w := v.witness
		w.URL = tamper.Liar(t, v.s.URL, lie)
		if s := v.look(w); s.Cosigned || !has(s.Findings, kind, "") {
			t.Errorf("%s: %+v", kind, s)
		}
	}
	down := v.witness
	down.URL = "http://127.0.0.1:1"
	if _, err := down.Look(t.Context()); err == nil {
		t.Error("a log that cannot be seen is no error")
	}

	// The operator edits the table.
	entries, err := v.s.Evidence.Log.Read(t.Context(), 0, int(r.Leaves))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(entries, func(e evidence.Entry) bool { return e.Event.Noun == "payout" && e.Event.Kind == "paid" })
	if at < 0 {
		t.Fatal("the payment is not in the log")
	}
	paid := entries[at].Event
	v.edit(v.find(paid.PK, fmt.Sprintf("EVENT#payout#%s#%010d", paid.ID, paid.Version), `"paid"`), `"paid"`, `"pa1d"`)
	v.edit(v.find(paid.PK, "HEAD", `"state"`), `"state":"`, `"state":"x`)
	if s := v.look(v.witness); !s.Cosigned { // events are the operator's; the witness sees leaves
		t.Errorf("%+v", s)
	}
	r = v.export()
	if !has(r.Findings, audit.Edited, fmt.Sprintf("leaf %d ", at)) || !has(r.Findings, audit.Missing, "application/") {
		t.Errorf("an edited event at leaf %d, an edited case: %v", at, r.Findings)
	}
	// … and the log in the table.
	v.edit(v.find(fmt.Sprintf("LOG#%012d", at/evidence.Block), fmt.Sprintf("%015d", at), `leaf`), `paid`, `pald`)
	if r = v.export(); !has(r.Findings, audit.Edited, fmt.Sprintf("leaf %d ", at)) || !has(r.Findings, audit.Edited, "published") {
		t.Errorf("an edited leaf %d: %v", at, r.Findings)
	}
}
