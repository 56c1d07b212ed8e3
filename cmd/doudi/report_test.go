package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
)

// TestReportOfAPlayedCase plays a case and reads about it as the supervisor does:
// the log, the fold and the API are those of the running system.
func TestReportOfAPlayedCase(t *testing.T) {
	t.Parallel()
	s, err := local.Start(t.Context(), local.Options{Listen: "127.0.0.1:0", Store: local.Embedded, SweepEvery: 100 * time.Millisecond, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	if err := demo.Run(ctx, demo.Options{URL: s.URL, Region: "320400", Patient: time.Minute, Out: io.Discard, HTTP: http.DefaultClient}); err != nil {
		t.Fatal(err)
	}
	drawn := filepath.Join(t.TempDir(), "waits.svg")
	var text string
	for ctx.Err() == nil && !strings.Contains(text, "EXPLAINED 1") { // the demonstration's last event
		var out, errs bytes.Buffer
		if code := run(ctx, []string{"report", "-url", s.URL, "-by", "division", "-rules", "-svg", drawn, "320400"}, &out, &errs); code != 0 {
			t.Fatalf("%d %s", code, errs.String())
		}
		text = out.String()
	}
	for _, words := range []string{"常州市", "受理到决定用时", "1/1", "100.0%", "GRANTED 1, PAID 1", "天宁区", "《社会救助法》", "图 drawing"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %s in\n%s", words, text)
		}
	}
	if svg, err := os.ReadFile(drawn); err != nil || !bytes.Contains(svg, []byte("<path")) {
		t.Errorf("%s %v", svg, err)
	}
	for args, want := range map[string]string{"511700": "not-allowed", "320400000000 more": "takes one division", "x": "takes one division", "-by weather 320400": "indicator-by"} {
		var out, errs bytes.Buffer
		words := append([]string{"report", "-url", s.URL, "-as", "staff:320400-supervisor-1"}, strings.Fields(args)...)
		if code := run(ctx, words, &out, &errs); code == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: %d %s", args, code, errs.String())
		}
	}
}
