package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/money"
)

// An auditor needs the address and a folder, and is told what does not add up.
func TestAnAuditorMakesEveryTotalAgain(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, calendar.Zone)
	l := disclosure.Ledger{Appropriated: map[civil.DivisionCode]money.Fen{"320402005000": 100}}
	for _, who := range []string{"a", "b", "c", "d", "e"} {
		l.Decisions = append(l.Decisions, disclosure.Decision{Fact: disclosure.Fact{Key: who, Person: who, Village: "320402005000", Township: "320402005000", County: "320402000000", AmountFen: 7}, At: at})
	}
	e, ok, err := disclosure.Make(disclosure.Heading{Kind: disclosure.Decisions, County: "320402000000", Year: 2026, At: at, Days: 30, LeastCell: 5,
		Place: func(c civil.DivisionCode) string { return string(c) }}, l, nil)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if e, err = e.Publish(at); err != nil {
		t.Fatal(err)
	}
	files, err := disclosure.Open([]disclosure.Edition{e})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if name == "2026" {
			name = disclosure.ManifestFile
		}
		if !strings.HasPrefix(r.URL.Path, "/v1/open-data/320402/2026") || files[name] == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(files[name])
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "open")
	do := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"opendata"}, args...), &out, &errs)
		return code, out.String() + errs.String()
	}
	if code, said := do("-url", server.URL, "-division", "320402", "-year", "2026", dir); code != 0 || !strings.Contains(said, "adds up") {
		t.Fatalf("%d %s", code, said)
	}
	if code, said := do(dir); code != 0 {
		t.Errorf("%d %s", code, said)
	}
	if err := os.WriteFile(filepath.Join(dir, "cells.jsonl"), bytes.Replace(files["cells.jsonl"], []byte(`35`), []byte(`36`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := do(dir); code != 1 || !strings.Contains(said, "cells") {
		t.Errorf("an altered file: %d %s", code, said)
	}
	for _, bad := range [][]string{{}, {"-x", dir}, {"-url", server.URL, dir}} {
		if code, said := do(bad...); code != 2 {
			t.Errorf("%v: %d %s", bad, code, said)
		}
	}
	if code, _ := do("-url", server.URL, "-division", "320404", "-year", "2026", dir); code != 1 {
		t.Errorf("a county that is not there: %d", code)
	}
}
