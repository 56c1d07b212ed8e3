package audit

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/tamper"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const person = "b1.0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk"

// synthetic is an export of made-up cases, written without a table.
type synthetic struct {
	tamper.Export
	keys    evidence.Keys
	witness *evidence.WitnessKey
	now     time.Time
}

// cases are the events of made-up cases, ten each.
func events(n int) func(yield func(event.Event) bool) {
	return func(yield func(event.Event) bool) {
		clerk, bank := event.Actor{Kind: event.Staff, ID: "320400-clerk-1", Person: person}, event.Actor{Kind: event.Provider, ID: "bank"}
		for i := range (n + 9) / 10 {
			id, at := ident.Derive("case", fmt.Sprint(i)), t0.Add(time.Duration(i)*3*time.Minute)
			pk := "APP#" + id
			left := min(10, n-10*i)
			for v := range left {
				e := event.Event{PK: pk, Noun: "application", ID: id, Version: int64(v + 1), Kind: "proposed", At: at.Add(time.Duration(v) * time.Second), Actor: clerk,
					Rules: "320400/2026-01-01/9f2c", Facts: event.Facts{"amount_fen": 300000, "office": "河海街道经办", "rail": "bank"}}
				if v >= 6 {
					e = event.Event{PK: pk, Noun: "payout", ID: "01", Version: int64(v - 5), Kind: "submitted", At: e.At, Actor: bank,
						Facts: event.Facts{"award": "01", "amount_fen": 300000, "rail": "bank", "state": "submitted", "reference": id}}
				}
				if v == 9 {
					e.Kind, e.Facts["state"], e.Facts["paid_fen"], e.Facts["paid_at"] = "paid", "paid", 300000, e.At.Format(time.RFC3339)
				}
				item := table.Item{Key: table.Key{PK: pk, SK: "HEAD"}, Version: e.Version, Body: fmt.Appendf(nil, `{"id":"%s","version":%d}`, id, v)}
				if e.Noun == "payout" {
					item.Key.SK = "PAYOUT#01"
				}
				e.Made = map[string][]byte{item.Key.SK: event.Sum(item)}
				if !yield(e) {
					return
				}
			}
		}
	}
}

const slicePK = "FUND#relief-2026#320411001000"

// make writes an export of n leaves into dir.
func synthesize(t testing.TB, dir string, n int) *synthetic {
	t.Helper()
	s := &synthetic{Export: tamper.Export(dir), now: t0.Add(time.Duration(n) * 3 * time.Minute)}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	clock := func() time.Time { return s.now }
	var err error
	s.keys, err = evidence.NewKeys(rand.Reader, "doudi/320400")
	must(err)
	s.witness, err = evidence.NewWitnessKey(rand.Reader, "jjw.example.cn", clock)
	must(err)
	leaves, err := create(dir, leavesFile)
	must(err)
	hashes, err := create(dir, hashesFile)
	must(err)
	now, err := create(dir, eventsFile)
	must(err)
	states, err := create(dir, statesFile)
	must(err)
	ledger, err := create(dir, ledgerFile)
	must(err)
	items, err := create(dir, itemsFile)
	must(err)
	statements, err := create(dir, statementsFile)
	must(err)
	var edge evidence.Edge
	salt := make([]byte, 32)
	balances := map[fund.Account]money.Fen{fund.External: 0, fund.Available: 0, fund.Reserved: 0, fund.Paid: 0, fund.Returned: 0}
	var count int64
	book := func(e entryLine) {
		count++
		for _, l := range e.Legs {
			balances[l.Account] += l.Fen
		}
		must(ledger.put(ledgerLine{Slice: slicePK, Entry: &e}))
	}
	book(entryLine{Cause: "appropriate#1", Kind: fund.Appropriated, Legs: []fund.Leg{{Account: fund.External, Fen: -1e12}, {Account: fund.Available, Fen: 1e12}}, By: []string{"a", "b"}, At: t0})
	for e := range events(n) {
		leaf := evidence.NewLeaf(e, salt, e.At.Add(2*time.Second))
		raw := leaf.Encode()
		for sk, sum := range leaf.Made() {
			if e.Version == 6 || e.Noun == "payout" && e.Version == 4 {
				must(items.put(itemLine{PK: leaf.PK, SK: sk, Sum: sum}))
			}
		}
		h := tlog.RecordHash(raw)
		edge.Add(h)
		_, err := leaves.w.Write(append(raw, '\n'))
		must(err)
		_, err = hashes.w.Write(h[:])
		must(err)
		must(now.put(eventLine{Index: int64(edge.Size) - 1, Hash: &h}))
		if e.Kind != "paid" {
			continue
		}
		app := e.PK[len("APP#"):]
		must(states.put(stateLine{PK: e.PK, Noun: "application", ID: app, Version: 6}))
		must(states.put(stateLine{PK: e.PK, Noun: "payout", ID: "01", Version: 4, State: "paid", Fen: 300000, PaidFen: 300000, Slice: slicePK}))
		book(entryLine{Cause: app + "#01#001#reserve", Kind: fund.Reservation, Legs: []fund.Leg{{Account: fund.Available, Fen: -300000}, {Account: fund.Reserved, Fen: 300000}}, At: e.At})
		book(entryLine{Cause: app + "#01#001#resolve", Kind: fund.Posted, Answers: app + "#01#001#reserve", Legs: []fund.Leg{{Account: fund.Reserved, Fen: -300000}, {Account: fund.Paid, Fen: 300000}}, At: e.At})
	}
	must(ledger.put(ledgerLine{Slice: slicePK, Count: count, Balances: balances}))
	for _, l := range []*lines{leaves, hashes, now, states, ledger, statements, items} {
		must(l.close())
	}
	s.sign(t, edge)
	return s
}

// sign writes checkpoint and manifest over edge.
func (s *synthetic) sign(t testing.TB, edge evidence.Edge) {
	t.Helper()
	signer, err := note.NewSigner(s.keys.Private)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(Manifest{Format: Format, Origin: "doudi/320400", Key: s.keys.Public, ExportedAt: s.now, Leaves: edge.Size})
	if err != nil {
		t.Fatal(err)
	}
	s.Write(t, manifestFile, []string{string(manifest)})
	s.Sign(t, "doudi/320400", edge, signer, s.witness)
	s.Write(t, witnessedFile, s.Read(t, checkpointFile))
}

// pins are what a supervisor knows of it.
func (s *synthetic) pins(t testing.TB) Pins {
	t.Helper()
	key, err := note.NewVerifier(s.keys.Public)
	if err != nil {
		t.Fatal(err)
	}
	w, err := evidence.NewWitness(s.witness.Public())
	if err != nil {
		t.Fatal(err)
	}
	return Pins{Key: key, Witnesses: []note.Verifier{w}}
}

// cpu is what this process has used, of all cores.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMillionLeaves checks a whole export of a million leaves, offline, with
// its cases and its ledger:
//
//	go test ./cmd/doudi/audit -run '^$' -bench MillionLeaves -benchtime 1x
func BenchmarkMillionLeaves(b *testing.B) {
	const n = 1_000_000
	s := synthesize(b, b.TempDir(), n)
	pins := s.pins(b)
	before := cpu(b)
	for b.Loop() {
		r, err := Verify(b.Context(), string(s.Export), pins, nil)
		if err != nil || !r.Good() || r.Leaves != n || r.Witnessed != n || r.Awards != n/10 {
			b.Fatalf("%+v %v", r, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // no figure of memory where there is no /proc
	}
	var kb float64
	for line := range linesOf(status) {
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			b.ReportMetric(kb/1024, "peak-MB")
		}
	}
}
