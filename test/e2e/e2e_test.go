// Package e2e plays whole cases against whole systems: in one process, and as
// the program a newcomer starts and somebody kills.
package e2e

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
)

// start starts a local system for one test.
func start(t testing.TB, change func(*local.Options)) *local.System {
	t.Helper()
	o := local.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Store: local.Embedded, SweepEvery: time.Second,
		PayDelay: 50 * time.Millisecond, Log: t.Output(), Level: slog.LevelWarn}
	change(&o)
	s, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func play(t testing.TB, s *local.System, region string) string {
	t.Helper()
	var out bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	err := demo.Run(ctx, demo.Options{URL: s.URL, Region: region, Patient: time.Minute, Out: &out, HTTP: &http.Client{}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

func TestEveryRegion(t *testing.T) {
	s := start(t, func(*local.Options) {})
	for _, region := range []string{"320400", "511700", "120112"} {
		out := play(t, s, region)
		for _, want := range []string{"明 白 卡", "第五十条", "有且只有一笔", "银行已将救助金打入账户", "收到"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the demo does not say %q:\n%s", region, want, out)
			}
		}
	}
}

func TestWithEveryMessageLost(t *testing.T) {
	s := start(t, func(o *local.Options) { o.WithoutRelay = true })
	play(t, s, "320400")
}

func TestADataDirectoryIsTakenUpAgain(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		func() {
			s := start(t, func(o *local.Options) { o.Data = dir })
			play(t, s, "320400")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}()
	}
}
