// Package engine starts the real DynamoDB engines that tests compare the store
// with: dynoxide, which everybody can run, and Amazon DynamoDB Local where
// there is a Java. Both listen on the loopback address only and end with the
// test. It knows nothing of the store.
package engine

import (
	"bytes"
	_ "embed"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Engine is one that runs.
type Engine struct {
	Name string // as in the list of known deviations
	URL  string
}

// The engines.
const (
	Dynoxide      = "dynoxide"
	DynamoDBLocal = "dynamodb-local"
)

//go:embed Loopback.java
var loopback []byte

// All starts every engine that this machine has; each ends with t. An engine
// that is not here is named in the log; with DOUDI_ENGINES=all it is a failure,
// and so is having none at all.
func All(t testing.TB) []Engine {
	t.Helper()
	var running []Engine
	var missing []string
	for _, name := range []string{Dynoxide, DynamoDBLocal} {
		command, why := find(t, name)
		if why != "" {
			missing = append(missing, name+": "+why)
			continue
		}
		running = append(running, start(t, name, command))
	}
	for _, m := range missing {
		t.Logf("LEFT OUT: %s; `make tools` fetches it", m)
	}
	if len(missing) > 0 && (os.Getenv("DOUDI_ENGINES") == "all" || len(running) == 0) {
		t.Fatalf("no DynamoDB engine to compare with: %v", missing)
	}
	return running
}

// Any starts the first engine that this machine has, for a test to which it does
// not matter which; none is a failure.
func Any(t testing.TB) Engine {
	t.Helper()
	var missing []string
	for _, name := range []string{Dynoxide, DynamoDBLocal} {
		command, why := find(t, name)
		if why == "" {
			return start(t, name, command)
		}
		missing = append(missing, name+": "+why)
	}
	t.Fatalf("no DynamoDB engine: %v", missing)
	return Engine{}
}

// find is the command that starts an engine on a port, or why there is none.
func find(t testing.TB, name string) (command func(port string) *exec.Cmd, why string) {
	t.Helper()
	home := filepath.Join(root(t), ".tools", name)
	switch name {
	case Dynoxide:
		binary := filepath.Join(home, "dynoxide")
		if _, err := os.Stat(binary); err != nil {
			return nil, "not in .tools"
		}
		return func(port string) *exec.Cmd { return exec.Command(binary, "--host", "127.0.0.1", "--port", port) }, ""
	case DynamoDBLocal:
		lib := filepath.Join(home, "emulator", "DynamoDBLocal_lib")
		jar := filepath.Join(home, "emulator", "DynamoDBLocal.jar")
		if _, err := os.Stat(jar); err != nil {
			return nil, "not in .tools"
		}
		java, err := exec.LookPath("java")
		if err != nil {
			return nil, "this machine has no Java"
		}
		source := filepath.Join(t.TempDir(), "Loopback.java")
		if err := os.WriteFile(source, loopback, 0o600); err != nil {
			t.Fatal(err)
		}
		return func(port string) *exec.Cmd {
			return exec.Command(java, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.library.path="+lib,
				"-cp", jar+string(filepath.ListSeparator)+filepath.Join(lib, "*"), source,
				"-inMemory", "-disableTelemetry", "-port", port)
		}, ""
	}
	return nil, "unknown engine"
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// patience is how long an engine may take to answer; a JVM on a busy machine is slow.
const patience = 60 * time.Second

func start(t testing.TB, name string, command func(port string) *exec.Cmd) Engine {
	t.Helper()
	var said output
	for range 3 { // somebody else may take the free port first
		cmd := command(freePort(t))
		cmd.Stdout, cmd.Stderr = &said, &said
		in, err := cmd.StdinPipe() // DynamoDB Local ends when this process does
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		gone := make(chan struct{})
		go func() {
			_ = cmd.Wait() // killed is how it always ends
			close(gone)
		}()
		t.Cleanup(func() {
			_ = in.Close()
			_ = cmd.Process.Kill() // fails only when it is gone
			<-gone
		})
		url := "http://127.0.0.1:" + cmd.Args[slices.IndexFunc(cmd.Args, func(a string) bool { return a == "--port" || a == "-port" })+1]
		if answers(url, gone) {
			return Engine{Name: name, URL: url}
		}
	}
	t.Fatalf("%s does not answer: %s", name, said.String())
	return Engine{}
}

// answers waits until something speaks HTTP at url, or the engine is gone.
func answers(url string, gone <-chan struct{}) bool {
	client := http.Client{Timeout: time.Second}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return false
		case <-deadline.C:
			return false
		case <-tick.C:
			if resp, err := client.Get(url); err == nil {
				_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // only that it answers matters
				_ = resp.Body.Close()
				return true
			}
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// output keeps what an engine says, for when it does not start.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf.Len() < 1<<16 {
		o.buf.Write(p)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
