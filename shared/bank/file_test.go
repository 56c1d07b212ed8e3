package bank_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/outside"
)

var fileDay = civil.Date(2026, 11, 21)

func gz(raw []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(raw)
	_ = z.Close()
	return b.Bytes()
}

// archive is a bank that gives a ticket and then a file, each as told.
func archive(t *testing.T, ticket any, status int, file []byte, mute bool) *bank.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, code := file, http.StatusOK
		if !strings.Contains(r.URL.Path, "/files/") {
			body, _ = json.Marshal(ticket)
			if s, ok := ticket.(string); ok {
				body = []byte(s)
			}
			code = status
		}
		if !mute || !strings.Contains(r.URL.Path, "/files/") {
			h, err := bank.Sign(r.Context(), bank.NewEd25519Signer("b1", theirs), outside.AnswerKind(code), r.Method, r.URL.EscapedPath(), r.Header.Get(bank.HeaderNonce), noon, body)
			if err != nil {
				t.Error(err)
			}
			for k, v := range h {
				w.Header()[k] = v
			}
		}
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return client(t, server.URL)
}

func TestAStatementIsBelievedByItsDigest(t *testing.T) {
	t.Parallel()
	raw := []byte("#doudi-statement\n")
	good := bank.TicketDocument{Agreement: "A1", Account: bank.Payouts, Day: fileDay.String(), Ready: true, Issue: 3, Bytes: len(raw), SHA256: outside.Evidence(raw), Packing: "gzip"}
	with := func(change func(*bank.TicketDocument)) bank.TicketDocument { x := good; change(&x); return x }
	bomb := gz(make([]byte, bank.FileLimit+1))
	for name, c := range map[string]struct {
		ticket any
		status int
		file   []byte
		mute   bool
		code   string
	}{
		"as it should be":           {good, 200, gz(raw), false, ""},
		"not packed":                {with(func(x *bank.TicketDocument) { x.Packing = "" }), 200, raw, false, ""},
		"not there yet":             {bank.TicketDocument{Agreement: "A1", Account: bank.Payouts, Day: fileDay.String()}, 200, nil, false, bank.CodeNotReady},
		"X060 another digest":       {with(func(x *bank.TicketDocument) { x.SHA256 = strings.Repeat("0", 64) }), 200, gz(raw), false, bank.CodeDigest},
		"K21 other bytes":           {good, 200, gz([]byte("#doudi-statemenT\n")), false, bank.CodeDigest},
		"another length":            {with(func(x *bank.TicketDocument) { x.Bytes++ }), 200, gz(raw), false, bank.CodeDigest},
		"an unsigned file":          {good, 200, gz(raw), true, bank.CodeUnverified},
		"another agreement":         {with(func(x *bank.TicketDocument) { x.Agreement = "A2" }), 200, gz(raw), false, bank.CodeOther},
		"another account":           {with(func(x *bank.TicketDocument) { x.Account = bank.Treasury }), 200, gz(raw), false, bank.CodeOther},
		"another day":               {with(func(x *bank.TicketDocument) { x.Day = "2026-11-20" }), 200, gz(raw), false, bank.CodeOther},
		"an error":                  {good, 500, gz(raw), false, bank.CodeStatus},
		"broken packing":            {good, 200, gz(raw)[:10], false, bank.CodePacking},
		"a bomb":                    {good, 200, bomb, false, bank.CodePacking},
		"a second file glued to it": {good, 200, append(gz(raw), gz(raw)...), false, bank.CodePacking},
		"a ticket without digest":   {with(func(x *bank.TicketDocument) { x.SHA256 = "" }), 200, gz(raw), false, bank.CodeMalformed},
		"a ticket too large":        {with(func(x *bank.TicketDocument) { x.Bytes = bank.FileLimit + 1 }), 200, gz(raw), false, bank.CodeMalformed},
		"another packing":           {with(func(x *bank.TicketDocument) { x.Packing = "zip" }), 200, gz(raw), false, bank.CodeMalformed},
		"a ticket with more in it":  {`{"agreement":"A1","account":"payouts","day":"2026-11-21","ready":false,"url":"http://elsewhere"}`, 200, nil, false, bank.CodeMalformed},
		"a ticket that is none":     {`[]`, 200, nil, false, bank.CodeMalformed},
	} {
		f := archive(t, c.ticket, c.status, c.file, c.mute).Fetch(t.Context(), bank.Payouts, fileDay)
		if f.Code != c.code || (c.code == "") != (string(f.Raw) == string(raw)) || c.code != "" && f.Raw != nil {
			t.Errorf("%s: %q with %d bytes", name, f.Code, len(f.Raw))
		}
		if c.code == "" && (f.Issue != 3 || f.Digest != outside.Evidence(raw)) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := client(t, "http://127.0.0.1:1").Fetch(t.Context(), bank.Payouts, fileDay); f.Raw != nil || f.Code != string(outside.Unreachable) {
		t.Errorf("nobody there: %+v", f)
	}
}

func FuzzTicket(f *testing.F) {
	for _, s := range []string{`{"agreement":"A1","account":"payouts","day":"2026-11-21","ready":true,"issue":1,"bytes":5,"sha256":"` + strings.Repeat("a", 64) + `","packing":"gzip"}`,
		`{"ready":false}`, `{"ready":true}`, `{"ready":false,"ready":true}`, `{}`, `null`, `{"issue":1e2}`, `{"bytes":-1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ticket, err := bank.ParseTicket(raw)
		if err == nil && ticket.Ready && (ticket.Bytes > bank.FileLimit || len(ticket.SHA256) != 64 || ticket.Issue < 1) {
			t.Errorf("believed %+v", ticket)
		}
	})
}
