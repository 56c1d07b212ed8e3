package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ups starts the real program, first on nothing and then on what that left, and
// measures the time until it says it is ready and the memory it then keeps.
func ups(ctx context.Context, o options) error {
	bin := filepath.Join(o.dir, "doudi")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/doudi-aid/doudi/cmd/doudi").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, what := range []string{"first start", "second start"} {
		ready, resident, err := start(ctx, bin, filepath.Join(o.dir, "data"))
		if err != nil {
			return err
		}
		fmt.Printf("| %-12s | ready after %4d ms | resident at rest %3d MB |\n", what, ready.Milliseconds(), resident>>20)
	}
	return nil
}

func start(ctx context.Context, bin, data string) (ready time.Duration, resident int64, err error) {
	cmd := exec.CommandContext(ctx, bin, "up", "-listen", "127.0.0.1:0", "-world", "127.0.0.1:0", "-data", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	url := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if ready == 0 && strings.Contains(lines.Text(), "ready") {
			ready = time.Since(begin)
		}
		if _, at, ok := strings.Cut(lines.Text(), "接口 API"); ok {
			url = strings.TrimSpace(at)
			break
		}
	}
	if url == "" {
		return 0, 0, fmt.Errorf("up ended before it was ready")
	}
	res, err := http.Get(url + "/v1/health")
	if err != nil {
		return 0, 0, err
	}
	res.Body.Close()
	select { // at rest: a few sweeps have gone by
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(15 * time.Second):
	}
	resident, err = residentBytes(cmd.Process.Pid)
	return ready, resident, err
}

// residentBytes is what the kernel says a process keeps in memory.
func residentBytes(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS")
}
