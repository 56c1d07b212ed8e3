package world

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/money"
)

func (w *World) adminPeople(rw http.ResponseWriter, r *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{"people": w.People(r.URL.Query().Get("region"))})
}

func (w *World) adminAdd(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	var q struct {
		Region string `json:"region"`
	}
	if json.Unmarshal(raw, &q) != nil {
		writeJSON(rw, http.StatusBadRequest, map[string]string{"error": "body must be {\"region\": …}"})
		return
	}
	p, err := w.Add(q.Region)
	if err != nil {
		writeJSON(rw, http.StatusBadRequest, map[string]string{"error": "no such region", "regions": strings.Join(Regions(), " ")})
		return
	}
	writeJSON(rw, http.StatusCreated, p)
}

// Entry is one line of the bank's book as shown to people.
type Entry struct {
	Reference  string      `json:"reference"`
	Status     bank.Status `json:"status"`
	AmountFen  money.Fen   `json:"amount_fen"`
	Payee      string      `json:"payee"`
	Account    string      `json:"account"` // masked
	Purpose    string      `json:"purpose"`
	AcceptedAt time.Time   `json:"accepted_at"`
	At         time.Time   `json:"at"` // when it reached the status
	Code       string      `json:"code,omitempty"`
}

// Filter picks lines of the bank's book; empty fields pick everything.
type Filter struct{ Reference, Purpose, Account string }

// Book is the bank's book in the order transfers were accepted.
func (w *World) Book(f Filter) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []Entry{}
	for _, ref := range w.order {
		t := w.book[ref]
		if (f.Reference != "" && ref != f.Reference) || (f.Purpose != "" && t.Purpose != f.Purpose) || (f.Account != "" && t.Account != f.Account) {
			continue
		}
		s, at := t.state(w.now())
		e := Entry{Reference: ref, Status: s, AmountFen: t.AmountFen, Payee: t.Name, Account: mask(t.Account), Purpose: t.Purpose, AcceptedAt: t.AcceptedAt, At: at}
		if s == bank.Failed || s == bank.Returned {
			e.Code = t.Code
		}
		out = append(out, e)
	}
	return out
}

func (w *World) adminBook(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	writeJSON(rw, http.StatusOK, map[string]any{"entries": w.Book(Filter{Reference: q.Get("reference"), Purpose: q.Get("purpose"), Account: q.Get("account")})})
}

// Messages are what was sent to somebody: a sign-in name, an open id or a
// telephone number, or everybody for "". Addresses come masked.
func (w *World) Messages(to string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	to = strings.TrimPrefix(to, "wx:")
	out := []Message{}
	for _, m := range w.messages {
		if to == "" || m.To == to || m.To == "+86"+to || (m.Name != "" && m.Name == to) {
			m.To = mask(m.To)
			out = append(out, m)
		}
	}
	return out
}

func (w *World) adminMessages(rw http.ResponseWriter, r *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{"messages": w.Messages(r.URL.Query().Get("to"))})
}

func (w *World) adminScenario(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	picked := make([]int, len(w.script.counts))
	for i, c := range w.script.counts {
		for _, n := range c {
			picked[i] += n
		}
	}
	writeJSON(rw, http.StatusOK, map[string]any{"title": w.script.Title, "rules": len(w.script.Rules), "picked": picked})
}

func (w *World) adminLoad(rw http.ResponseWriter, r *http.Request) {
	raw, ok := readBody(rw, r)
	if !ok {
		return
	}
	s, err := ParseScenario(raw)
	if err != nil {
		writeJSON(rw, http.StatusBadRequest, map[string]any{"problems": strings.Split(err.Error(), "\n")})
		return
	}
	w.Load(s)
	writeJSON(rw, http.StatusOK, map[string]any{"title": s.Title, "rules": len(s.Rules)})
}
