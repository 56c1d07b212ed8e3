package supervise_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/supervise"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
)

const (
	clerk      = "320400-clerk-1"
	reviewer   = "320400-reviewer-1"
	elsewhere  = "511700-clerk-1"
	auditor    = "320400-auditor-1"
	supervisor = "320400-supervisor-1"
	second     = "320400-supervisor-8" // appointed by the test
	third      = "320400-supervisor-9"
	city       = "320400000000"
	unit       = string(firstaidtest.Township)
)

type m = map[string]any

type world struct {
	*firstaidtest.Office
	t        *testing.T
	url      string
	sessions *session.Store
	keys     atomic.Int64
	before   func([]table.Write) // before each transaction of the API
}

// seen is the store as the API sees it.
type seen struct {
	table.Store
	w *world
}

func (s seen) Transact(ctx context.Context, writes ...table.Write) error {
	if s.w.before != nil {
		s.w.before(writes)
	}
	return s.Store.Transact(ctx, writes...)
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{Office: firstaidtest.New(t), t: t}
	w.sessions = session.NewStore(w.Store, rand.Reader, w.Now)
	for _, id := range []string{second, third} {
		s := staff.Staff{ID: id, Region: "320400", Person: "person-" + id, Active: true,
			Grants: []staff.Grant{{Role: staff.Supervisor, Division: city, From: w.Now().AddDate(-1, 0, 0)}}}
		s.Version = 1
		if err := staff.Appoint(t.Context(), w.Store, s, s.Actor(), w.Now()); err != nil {
			t.Fatal(err)
		}
	}
	d := supervise.Deps{Table: seen{w.Store, w}, Box: w.Box, Blind: w.Blind, Tree: w.Tree, Random: rand.Reader, Now: w.Now}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: w.sessions, Watch: watch.Over(w.Store, w.Now), Now: w.Now, IDs: w.IDs,
		Logger: telemetry.NewLogger(t.Output(), slog.LevelError)}, supervise.Routes(d)...))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) staff(id string) staff.Staff {
	w.t.Helper()
	s, err := staff.Get(w.t.Context(), w.Store, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

type reply struct {
	status int
	body   string
	out    m
}

func (w *world) send(who, method, path, key string, body any) reply {
	w.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, w.url+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := w.sessions.Open(w.t.Context(), session.Opening{Principal: session.Principal{Kind: session.Staff, ID: who}, TTL: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{status: res.StatusCode, body: string(answer)}
	_ = json.Unmarshal(answer, &r.out)
	return r
}

func (w *world) post(who, path string, body any) reply {
	return w.send(who, "POST", path, fmt.Sprintf("key-%d", w.keys.Add(1)), body)
}

func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	if got, _ := r.out["code"].(string); r.status != status || code != "" && got != code {
		t.Fatalf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	return r
}

func row(number, kind string, more m) m {
	out := m{"number": number, "kind": kind, "title": "核查临时救助备用金台账", "unit": unit, "due": "2026-12-20", "text": "请于期限前报送台账。"}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (w *world) tell(rows ...m) reply {
	return w.post(supervisor, "/v1/staff/mandates", m{"body": city, "list": "百日行动", "rows": rows})
}

func (w *world) one(kind string, more m) string {
	w.t.Helper()
	r := w.tell(row(fmt.Sprint(w.keys.Add(1)), kind, more)).want(w.t, 200, "")
	return r.out["ids"].([]any)[0].(string)
}

var proof = strings.Repeat("a", 64)

func (w *world) steps(id string) (kinds []string) {
	r := w.send(supervisor, "GET", "/v1/staff/mandates/"+id, "", nil).want(w.t, 200, "")
	for _, s := range r.out["steps"].([]any) {
		kinds = append(kinds, s.(m)["kind"].(string))
	}
	return kinds
}

// From a measure to what became of it, and a notice that is looked at again.
func TestAMeasureAndANotice(t *testing.T) {
	t.Parallel()
	w := open(t)
	r := w.tell(row("1", "measure", nil), row("2", "rectification", nil)).want(t, 200, "")
	if r.out["new"] != 2.0 {
		t.Fatal(r.body)
	}
	if again := w.tell(row("1", "measure", nil), row("2", "rectification", nil)).want(t, 200, ""); again.out["new"] != 0.0 || again.out["known"] != 2.0 {
		t.Errorf("the same list twice: %s", again.body)
	}
	id := r.out["ids"].([]any)[1].(string)
	path := "/v1/staff/mandates/" + id
	mine := w.send(clerk, "GET", "/v1/staff/mandates?unit="+unit, "", nil).want(t, 200, "")
	if len(mine.out["mandates"].([]any)) != 2 {
		t.Errorf("%s", mine.body)
	}
	w.post(clerk, path+"/answers", m{"version": 1, "text": "已整改"}).want(t, 400, "mandate-proof")
	w.post(clerk, path+"/answers", m{"version": 1, "text": "已整改", "proof": []string{"x"}}).want(t, 400, "")
	w.post(supervisor, path+"/answers", m{"version": 1, "text": "已整改", "proof": []string{proof}}).want(t, 403, "")
	w.post(clerk, path+"/answers", m{"version": 1, "text": "已整改", "proof": []string{proof}}).want(t, 201, "")
	w.post(clerk, path+"/closures", m{"version": 2, "outcome": "put_right", "text": "可以"}).want(t, 403, "")
	w.post(supervisor, path+"/returns", m{"version": 2, "text": "缺少三月份的凭证"}).want(t, 201, "")
	w.post(reviewer, path+"/answers", m{"version": 3, "text": "已补", "proof": []string{proof}}).want(t, 201, "")
	body := m{"version": 4, "outcome": "put_right", "text": "属实"}
	first := w.send(supervisor, "POST", path+"/closures", "once", body).want(t, 201, "")
	if again := w.send(supervisor, "POST", path+"/closures", "once", body).want(t, 201, ""); again.body != first.body {
		t.Error("the same request got another answer")
	}
	w.send(supervisor, "POST", path+"/closures", "once", m{"version": 4, "outcome": "put_right", "text": "其他"}).want(t, 422, "")
	w.post(second, path+"/closures", body).want(t, 409, "mandate-moved")
	w.post(second, path+"/second-looks", m{"version": 5, "lasting": true, "text": "已查看"}).want(t, 409, "mandate-state")
	w.Pass(91 * 24 * time.Hour)
	w.post(supervisor, path+"/second-looks", m{"version": 5, "lasting": true, "text": "已查看"}).want(t, 403, "mandate-person")
	w.post(second, path+"/second-looks", m{"version": 5, "lasting": false, "text": "又犯"}).want(t, 201, "")
	if got := strings.Join(w.steps(id), " "); got != "told answered returned answered closed looked_again" {
		t.Error(got)
	}
	all := w.send(auditor, "GET", "/v1/staff/mandates?body="+city+"&limit=1", "", nil).want(t, 200, "")
	if all.out["next"] == nil || len(all.out["mandates"].([]any)) != 1 {
		t.Error(all.body)
	}
}

// A clue is verified by one supervisor and disposed of by another.
func TestAClue(t *testing.T) {
	t.Parallel()
	w := open(t)
	path := "/v1/staff/mandates/" + w.one("clue", m{"source": "complaint-1"})
	w.post(clerk, path+"/answers", m{"version": 1, "text": "属实"}).want(t, 403, "")
	w.post(second, path+"/answers", m{"version": 1, "text": "经核查属实"}).want(t, 201, "")
	w.post(second, path+"/closures", m{"version": 2, "outcome": "founded", "text": "处置"}).want(t, 403, "mandate-person")
	w.post(third, path+"/closures", m{"version": 2, "outcome": "done", "text": "处置"}).want(t, 400, "mandate-outcome")
	w.post(third, path+"/closures", m{"version": 2, "outcome": "founded", "text": "处置"}).want(t, 201, "")
}

func TestBadRowsAndStrangers(t *testing.T) {
	t.Parallel()
	w := open(t)
	rows := []m{row("1", "measure", nil), row("2", "measure", m{"unit": "511702001000", "due": "2020-01-01"}), row("3", "accountability", nil),
		row("4", "accountability", m{"about": "nobody"}), row("1", "measure", nil), row("6", "measure", m{"about": clerk})}
	r := w.tell(rows...).want(t, 400, "")
	for _, want := range []string{"/rows/1/unit", "/rows/1/due", "/rows/2/about", "/rows/3/about", "/rows/4/number", "/rows/5/about"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not named: %s", want, r.body)
		}
	}
	r = w.post(supervisor, "/v1/staff/mandates", m{"body": city, "list": "x", "skip_bad": true, "rows": rows}).want(t, 200, "")
	if r.out["new"] != 1.0 || len(r.out["bad"].([]any)) != 5 {
		t.Error(r.body)
	}
	id := w.one("measure", nil)
	w.post(clerk, "/v1/staff/mandates", m{"body": city, "list": "x", "rows": []m{row("1", "measure", nil)}}).want(t, 404, "")
	w.post(supervisor, "/v1/staff/mandates", m{"body": "511700000000", "list": "x", "rows": []m{row("1", "measure", nil)}}).want(t, 404, "mandate-not-found")
	w.send(elsewhere, "GET", "/v1/staff/mandates/"+id, "", nil).want(t, 404, "mandate-not-found")
	w.send(elsewhere, "GET", "/v1/staff/mandates?unit="+unit, "", nil).want(t, 404, "mandate-not-found")
	w.send(clerk, "GET", "/v1/staff/mandates?body="+city, "", nil).want(t, 404, "mandate-not-found")
	w.send(clerk, "GET", "/v1/staff/mandates?unit="+unit+"&limit=1000", "", nil).want(t, 400, "")
	w.send(clerk, "GET", "/v1/staff/mandates?unit="+unit+"&after=junk", "", nil).want(t, 400, "")
	w.send(clerk, "GET", "/v1/staff/mandates/none", "", nil).want(t, 404, "mandate-not-found")
}
