package supervise_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/sampling"
)

// What cannot be drawn, and by whom.
func TestSamplesThatAreNotDrawn(t *testing.T) {
	t.Parallel()
	w := open(t)
	ask := func(more m) m {
		body := m{"division": city, "from": "2026-11-01", "to": "2026-11-20", "confidence_percent": 95, "margin_percent": 5}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	w.post(supervisor, "/v1/staff/samples", ask(nil)).want(t, 400, "sample-empty")
	r := w.post(supervisor, "/v1/staff/samples", ask(m{"confidence_percent": 96, "margin_percent": 1})).want(t, 400, "")
	for _, want := range []string{"/confidence_percent", "/margin_percent"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not named: %s", want, r.body)
		}
	}
	w.post(supervisor, "/v1/staff/samples", ask(m{"from": "x", "to": "y"})).want(t, 400, "")
	w.post(supervisor, "/v1/staff/samples", ask(m{"to": "2026-12-01"})).want(t, 400, "")
	w.post(supervisor, "/v1/staff/samples", ask(m{"division": "511700000000"})).want(t, 404, "sample-not-found")
	w.post(supervisor, "/v1/staff/samples", ask(m{"division": "x"})).want(t, 404, "sample-not-found")
	w.post(clerk, "/v1/staff/samples", ask(m{"division": unit})).want(t, 403, "")
	w.send(supervisor, "GET", "/v1/staff/samples/none", "", nil).want(t, 404, "sample-not-found")
}

// Several people call the drawn at once: every result is kept, each case once.
func TestResults(t *testing.T) {
	t.Parallel()
	w := open(t)
	s := sampling.Sample{ID: w.IDs.New(), Version: 1, Division: city, At: w.Now(), Confidence: 95, Margin: 5, Population: 20}
	for i := range 8 {
		s.Picks = append(s.Picks, sampling.Pick{Application: fmt.Sprint("app-", i)})
	}
	by := w.staff(supervisor).Actor()
	if err := sampling.Commit(t.Context(), w.Store, s, s.Event("drawn", by, w.Now())); err != nil {
		t.Fatal(err)
	}
	path := "/v1/staff/samples/" + s.ID
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if r := w.post([]string{supervisor, second}[i%2], path+"/results", m{"application": fmt.Sprint("app-", i), "result": "right"}); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	wg.Wait()
	w.post(second, path+"/results", m{"application": "app-5", "result": "not_received", "text": "说没收到"}).want(t, 200, "")
	w.post(second, path+"/results", m{"application": "app-5", "result": "not_received"}).want(t, 200, "") // sent again
	w.post(supervisor, path+"/results", m{"application": "app-5", "result": "right"}).want(t, 409, "sample-said")
	w.post(supervisor, path+"/results", m{"application": "app-6", "result": "unreached"}).want(t, 200, "")
	w.post(supervisor, path+"/results", m{"application": "app-9", "result": "right"}).want(t, 404, "sample-no-such-case")
	w.post(clerk, path+"/results", m{"application": "app-7", "result": "right"}).want(t, 404, "sample-not-found")
	w.Pass(time.Minute)
	r := w.send(supervisor, "GET", path, "", nil).want(t, 200, "")
	if r.out["asked"] != 5.0 || r.out["wrong"] != 1.0 || r.out["tally"].(m)["unreached"] != 1.0 || strings.Contains(r.body, "说没收到") {
		t.Error(r.body)
	}
}
