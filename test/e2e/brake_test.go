package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/payout"
)

// desk is one member of staff at the API.
type desk struct {
	t          *testing.T
	url, token string
}

func signIn(t *testing.T, s *local.System, who string) desk {
	t.Helper()
	d := desk{t: t, url: s.URL}
	d.token, _ = d.post("/v1/staff/sessions", map[string]any{"code": "staff:" + who})["token"].(string)
	if d.token == "" {
		t.Fatalf("%s cannot sign in", who)
	}
	return d
}

func (d desk) post(path string, in map[string]any) (out map[string]any) {
	d.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", ident.Derive(path, string(body)))
	if d.token != "" {
		r.Header.Set("Authorization", "Bearer "+d.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusCreated {
		d.t.Fatalf("POST %s: %d %v %v", path, resp.StatusCode, out, err)
	}
	return out
}

// The rail is braked before a case comes: it is decided and owed and not paid;
// two others lift it, and the money arrives with nobody touching the case.
func TestABrakedRailPaysWhenTwoOthersLiftIt(t *testing.T) {
	t.Parallel()
	s := start(t, func(*local.Options) {})
	step := func(who, path string, in map[string]any) map[string]any {
		return signIn(t, s, who).post("/v1/staff/brakes"+path, in)
	}
	b := step("320400-supervisor-1", "", map[string]any{"kind": "rail", "division": "320400000000", "target": "bank", "reason": "rail_fault"})
	id := "/" + b["id"].(string)
	step("320400-finance-2", id+"/second", map[string]any{"version": 1})

	var out bytes.Buffer
	var played error
	var play sync.WaitGroup
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(stop)
	play.Go(func() {
		played = demo.Run(ctx, demo.Options{URL: s.URL, Region: "320400", Patient: time.Minute, Out: &out, HTTP: &http.Client{}})
	})
	// The payment is decided, and offered to the brake more than once.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for braked := false; !braked; {
		select {
		case <-ctx.Done():
			t.Fatal("no payment became due")
		case <-tick.C:
			st, err := s.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if st.InFlight.Count > 0 || st.Payouts[payout.Paid].Count > 0 {
				t.Fatalf("money left: %+v", st.Payouts)
			}
			braked = st.Payouts[payout.Due].Count == 1 && st.Payouts[payout.Due].OldestSeconds >= 3 && len(st.Brakes) == 1
		}
	}
	step("320400-supervisor-2", id+"/lift-request", map[string]any{"version": 2})
	step("320400-chief-1", id+"/lift", map[string]any{"version": 3})
	play.Wait()
	if played != nil {
		t.Fatalf("%v\n%s", played, out.String())
	}
}
