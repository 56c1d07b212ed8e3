package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// What does not fit is told to come back and never reaches its handler; when
// there is room again, it is served.
func TestMoreThanFitsIsToldToComeBack(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}, 3), make(chan struct{})
	slow := httpapi.JSON("GET /slow", http.StatusOK, httpapi.Options{Caller: httpapi.Anyone}, func(context.Context, httpapi.Call[httpapi.None]) (string, error) {
		inside <- struct{}{}
		<-leave
		return "done", nil
	})
	server := httptest.NewServer(httpapi.New(httpapi.Config{Now: time.Now, IDs: ident.Random(), Logger: telemetry.NewLogger(io.Discard, slog.LevelError), AtOnce: 2}, slow))
	defer server.Close()
	statuses := make(chan int, 2)
	for range 2 {
		go func() {
			res, err := http.Get(server.URL + "/slow")
			if err != nil {
				statuses <- 0
				return
			}
			res.Body.Close()
			statuses <- res.StatusCode
		}()
		<-inside
	}
	res, err := http.Get(server.URL + "/slow")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "2" || len(inside) != 0 {
		t.Errorf("third: %d, Retry-After %q, %d got in", res.StatusCode, res.Header.Get("Retry-After"), len(inside))
	}
	close(leave)
	for range 2 {
		if s := <-statuses; s != http.StatusOK {
			t.Errorf("one of the two: %d", s)
		}
	}
	if res, err = http.Get(server.URL + "/slow"); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("with room again: %d", res.StatusCode)
	}
}
