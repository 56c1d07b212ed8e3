package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program builds the doudi command once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "doudi-e2e-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "doudi")
	// Compiled as the Lambda zips are, which other tests build anyway.
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc,nethttpomithttp2", "-o", bin, "github.com/doudi-aid/doudi/cmd/doudi")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", &buildError{string(out)}
	}
	return bin, nil
})

type buildError struct{ output string }

func (e *buildError) Error() string { return "build: " + e.output }

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// freePorts picks n ports that nobody listens on now.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// server is `doudi up` as a process.
type server struct {
	bin, data, api string
	cmd            *exec.Cmd
	log            bytes.Buffer
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.bin, "up", "-listen", s.api, "-data", s.data, "-sweep", "1s")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "已就绪") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	t.Fatalf("up ended before it was ready:\n%s", s.log.String())
}

// kill ends the process as a power cut would, and waits until it is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// TestKilledInTheMiddle kills the whole system (API, queues, store and world
// are one process) as soon as the demo has shown a step, starts it again, and
// demands that the same demo ends with the money once in the bank's book.
func TestKilledInTheMiddle(t *testing.T) {
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, after string }{
		{"application_accepted", "已受理："},
		{"registers_answered", "核对完成"},
		{"proposed", "提出先行救助意见"},
		{"approved", "资金同时预留"},
		{"bank_told", "银行"}, // the first thing heard about the payment
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ports := freePorts(t, 1)
			s := &server{bin: bin, data: t.TempDir(), api: ports[0]}
			s.start(t)
			defer func() { s.kill() }()
			demo := exec.CommandContext(t.Context(), bin, "demo", "-url", "http://"+s.api)
			out, err := demo.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var errs bytes.Buffer
			demo.Stderr = &errs
			if err := demo.Start(); err != nil {
				t.Fatal(err)
			}
			var seen strings.Builder
			killed := false
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				seen.WriteString(lines.Text() + "\n")
				if !killed && strings.Contains(lines.Text(), c.after) {
					killed = true
					s.kill()
					s.start(t)
				}
			}
			if err := demo.Wait(); err != nil || !killed {
				t.Fatalf("killed %v, %v\n%s%s\nserver:\n%s", killed, err, seen.String(), errs.String(), s.log.String())
			}
			if !strings.Contains(seen.String(), "有且只有一笔") {
				t.Errorf("the demo did not look into the bank's book:\n%s", seen.String())
			}
		})
	}
}

// TestCommandLine: every wrong call says what is wrong and changes nothing.
func TestCommandLine(t *testing.T) {
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	nobody := freePorts(t, 1)[0]
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":          {nil, 2, "doudi <command>"},
		"help":             {[]string{"help"}, 0, "demo"},
		"unknown command":  {[]string{"uo"}, 2, `no command "uo"`},
		"unknown flag":     {[]string{"up", "-port", "1"}, 2, "port"},
		"argument":         {[]string{"demo", "now"}, 2, `"now"`},
		"unknown store":    {[]string{"up", "-store", "mysql", "-listen", "127.0.0.1:0", "-world", "127.0.0.1:0"}, 1, `no store "mysql"`},
		"no server":        {[]string{"demo", "-url", "http://" + nobody, "-wait", "1s"}, 1, "make up"},
		"scenario missing": {[]string{"up", "-scenario", "/nonexistent", "-data", "", "-listen", "127.0.0.1:0", "-world", "127.0.0.1:0"}, 1, "scenario"},
	} {
		cmd := exec.CommandContext(t.Context(), bin, c.args...)
		cmd.Dir = t.TempDir()
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: exit %d, want %d with %q:\n%s", name, cmd.ProcessState.ExitCode(), c.code, c.says, out)
		}
	}
	if _, err := http.Get("http://" + nobody); err == nil {
		t.Error("something answers where nobody should")
	}
}
