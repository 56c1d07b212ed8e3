package bank_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
)

func statementAbout(s bank.FileStatement) string {
	raw, err := bank.MarshalFile(s, time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// TestStatementsAboutFiles: what is said must be whole, and nothing more.
func TestStatementsAboutFiles(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a", 64)
	good := bank.FileStatement{Agreement: "A-1", File: "f1", Status: bank.FileAccepted, Digest: digest, Lines: 3, TotalFen: 300}
	for name, s := range map[string]bank.FileStatement{
		"accepted":  good,
		"returned":  {Agreement: "A-1", File: "f1", Status: bank.FileAccepted, Digest: digest, Lines: 3, TotalFen: 300, Edition: 2, ReturnDigest: digest},
		"rejected":  {Agreement: "A-1", File: "f1", Status: bank.FileRejected, Digest: digest, Lines: 3, TotalFen: 300, Code: "BAD_FILE"},
		"not found": {Agreement: "A-1", File: "f1", Status: bank.FileNotFound},
		"busy":      {Agreement: "A-1", File: "f1", Status: bank.FileBusy, Code: "BANK_BUSY"},
		"refused":   {Agreement: "A-1", File: "f1", Status: bank.FileRefused, Code: "NO_AGREEMENT"},
	} {
		if got, at, err := bank.ParseFileStatement([]byte(statementAbout(s))); err != nil || got.Status != s.Status || at.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]bank.FileStatement{
		"no file":                 {Status: bank.FileNotFound},
		"a file that is no id":    {File: "A b", Status: bank.FileNotFound},
		"no status":               {File: "f1"},
		"unknown is no statement": {File: "f1", Status: bank.FileUnknown},
		"accepted without a sum":  {File: "f1", Status: bank.FileAccepted, Digest: digest, Lines: 3},
		"accepted without bytes":  {File: "f1", Status: bank.FileAccepted, Lines: 3, TotalFen: 3},
		"edition without digest":  {File: "f1", Status: bank.FileAccepted, Digest: digest, Lines: 3, TotalFen: 3, Edition: 1},
		"digest without edition":  {File: "f1", Status: bank.FileAccepted, Digest: digest, Lines: 3, TotalFen: 3, ReturnDigest: digest},
		"rejected, no reason":     {File: "f1", Status: bank.FileRejected, Digest: digest, Lines: 3, TotalFen: 3},
		"not found, with lines":   {File: "f1", Status: bank.FileNotFound, Lines: 1},
		"a code that is none":     {File: "f1", Status: bank.FileBusy, Code: "so sorry"},
	} {
		if _, _, err := bank.ParseFileStatement([]byte(statementAbout(s))); err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := statementAbout(good)
	for name, bad := range map[string]string{"cut": text[:20], "unknown key": strings.Replace(text, `"file"`, `"x":1,"file"`, 1),
		"twice": strings.Replace(text, `"file"`, `"file":"f2","file"`, 1), "another type": strings.Replace(text, `"lines":3`, `"lines":"3"`, 1),
		"no time": strings.Replace(text, "2026-11-28", "some day", 1), "nothing": ""} {
		if _, _, err := bank.ParseFileStatement([]byte(bad)); err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(bank.FileStatuses()) != 6 {
		t.Error("statuses")
	}
}

func FuzzParseFileStatement(f *testing.F) {
	f.Add([]byte(statementAbout(bank.FileStatement{File: "f1", Status: bank.FileNotFound})))
	f.Add([]byte(statementAbout(bank.FileStatement{File: "f1", Status: bank.FileAccepted, Digest: strings.Repeat("a", 64), Lines: 1, TotalFen: 1})))
	f.Add([]byte(`{"file":"f1","status":"accepted","edition":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, _, err := bank.ParseFileStatement(raw)
		if err == nil && (s.Lines < 0 || s.Edition < 0 || s.File == "") {
			t.Fatalf("%+v", s)
		}
	})
}

// TestCallsAboutFiles: only a verified statement about the right file is believed,
// and a send ends nothing.
func TestCallsAboutFiles(t *testing.T) {
	t.Parallel()
	accepted := bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileAccepted, Digest: strings.Repeat("a", 64), Lines: 3, TotalFen: 300, Edition: 1, ReturnDigest: strings.Repeat("b", 64)}
	rejected := bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileRejected, Digest: strings.Repeat("a", 64), Lines: 3, TotalFen: 300, Code: "BAD_FILE"}
	missing := bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileNotFound}
	other := accepted
	other.File = "f2"
	foreign := accepted
	foreign.Agreement = "B-1"
	for name, c := range map[string]struct {
		status      int
		body        string
		sent, asked bank.FileStatus
	}{
		"accepted":            {200, statementAbout(accepted), bank.FileAccepted, bank.FileAccepted},
		"rejected":            {200, statementAbout(rejected), bank.FileUnknown, bank.FileRejected},
		"not found":           {404, statementAbout(missing), bank.FileUnknown, bank.FileNotFound},
		"not found, well":     {200, statementAbout(missing), bank.FileUnknown, bank.FileUnknown},
		"broken, but signed":  {500, statementAbout(accepted), bank.FileUnknown, bank.FileUnknown},
		"about another":       {200, statementAbout(other), bank.FileUnknown, bank.FileUnknown},
		"for somebody else":   {200, statementAbout(foreign), bank.FileUnknown, bank.FileUnknown},
		"not a statement":     {200, `{"status":"accepted"}`, bank.FileUnknown, bank.FileUnknown},
		"busy":                {429, statementAbout(bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileBusy}), bank.FileBusy, bank.FileBusy},
		"refused":             {403, statementAbout(bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileRefused, Code: "NO_AGREEMENT"}), bank.FileRefused, bank.FileRefused},
		"refused, yet a 200":  {200, statementAbout(bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileRefused, Code: "NO_AGREEMENT"}), bank.FileUnknown, bank.FileUnknown},
		"something different": {409, statementAbout(bank.FileStatement{Agreement: "A1", File: "f1", Status: bank.FileRefused, Code: "DUPLICATE_DIFFERENT"}), bank.FileRefused, bank.FileRefused},
	} {
		client := answering(t, c.status, []byte(c.body))
		if r := client.SendFile(t.Context(), "f1", []byte("bytes")); r.Status != c.sent || r.File != "f1" {
			t.Errorf("%s: a send brought %s (%s)", name, r.Status, r.Code)
		}
		r := client.QueryFile(t.Context(), "f1")
		if r.Status != c.asked || r.Evidence == "" {
			t.Errorf("%s: a question brought %s (%s)", name, r.Status, r.Code)
		}
		if r.Differs() != strings.HasPrefix(name, "something") {
			t.Errorf("%s: differs", name)
		}
	}
	client := answering(t, http.StatusOK, []byte("the return file"))
	if raw, ok := client.FetchReturn(t.Context(), "f1", 1); !ok || string(raw) != "the return file" {
		t.Errorf("%q %v", raw, ok)
	}
	for _, edition := range []int{0, -1} {
		if _, ok := client.FetchReturn(t.Context(), "f1", edition); ok {
			t.Error("an edition that is none")
		}
	}
	if _, ok := client.FetchReturn(t.Context(), "../x", 1); ok {
		t.Error("a file that is none")
	}
	if _, ok := answering(t, http.StatusNotFound, []byte("x")).FetchReturn(t.Context(), "f1", 1); ok {
		t.Error("not found is no file")
	}
	if r := client.QueryFile(t.Context(), "../x"); r.Status != bank.FileUnknown || r.Evidence != "" {
		t.Errorf("%+v", r)
	}
	if client.Agreement() != "A1" {
		t.Error(client.Agreement())
	}
}
