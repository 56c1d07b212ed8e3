// Package lambda plays whole cases on the shipped zips: the real bootstrap
// binaries over the real Runtime API, on a DynamoDB engine.
package lambda

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
)

// zips builds every function once for all tests, as `make build` does, for this
// machine.
var zips = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "doudi-zips-")
	if err != nil {
		return "", err
	}
	return dir, build(dir)
})

type buildError struct{ output string }

func (e *buildError) Error() string { return "build: " + e.output }

func build(dir string, only ...string) error {
	cmd := exec.Command("scripts/build", append([]string{runtime.GOARCH, dir}, only...)...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return &buildError{string(out)}
	}
	return nil
}

// The tests wait for leases and hidden messages far longer than they compute.
const atOnce = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	code := m.Run()
	if dir, _ := zips(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// start starts the system for one test.
func start(t *testing.T, endpoint string, trouble shipped.Trouble) *shipped.System {
	t.Helper()
	dir, err := zips()
	if err != nil {
		t.Fatal(err)
	}
	s, err := shipped.Start(t.Context(), shipped.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Endpoint: endpoint, Zips: dir,
		PayDelay: 50 * time.Millisecond, Wallets: true, Log: t.Output(), Level: slog.LevelWarn, Trouble: trouble})
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

// play plays a case to its end: the money once in the bank's book.
func play(t *testing.T, s *shipped.System, region string) string {
	return playInto(t, s, region, false)
}

// playInto plays a case that may end in the person's wallet instead.
func playInto(t *testing.T, s *shipped.System, region string, wallet bool) string {
	t.Helper()
	var out bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	if err := demo.Run(ctx, demo.Options{URL: s.URL, Region: region, Wallet: wallet, Patient: time.Minute, Out: &out, HTTP: &http.Client{}}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}
