package telemetry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/doudi-aid/doudi/shared/telemetry"
)

func TestTheTraceGoesToTheOtherSide(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get(telemetry.Header))
	}))
	t.Cleanup(server.Close)
	c := http.Client{Transport: telemetry.Carry(&http.Transport{Proxy: nil})}
	for _, trace := range []string{"t-1", ""} {
		r, err := http.NewRequestWithContext(telemetry.WithTrace(t.Context(), trace), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || r.Header.Get(telemetry.Header) != "" {
			t.Error("somebody else's request was changed", err)
		}
	}
	c.CloseIdleConnections()
	if len(got) != 2 || got[0] != "t-1" || got[1] != "" {
		t.Errorf("carried %q", got)
	}
}
