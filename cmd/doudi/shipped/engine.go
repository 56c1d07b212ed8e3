package shipped

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Engine is a DynamoDB engine that runs beside the system.
type Engine struct {
	URL  string
	cmd  *exec.Cmd
	gone chan struct{}
	died chan error
}

// engineStart is how long an engine may take to answer.
const engineStart = 20 * time.Second

// StartEngine starts dynoxide on the loopback address, with its tables in data,
// or in memory when that is empty.
func StartEngine(ctx context.Context, program, data string) (*Engine, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	args := []string{"--host", "127.0.0.1", "--port", port}
	if data != "" {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, err
		}
		args = append(args, "--db-path", filepath.Join(data, "table.db"))
	}
	e := &Engine{URL: "http://127.0.0.1:" + port, cmd: exec.Command(program, args...), gone: make(chan struct{}), died: make(chan error, 1)}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	go func() {
		e.died <- fmt.Errorf("engine: %s ended: %w", program, errors.Join(e.cmd.Wait(), errors.New("nobody asked it to")))
		close(e.gone)
	}()
	if err := e.answers(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			return res.Body.Close() // only that it answers matters
		}
		select {
		case <-ctx.Done():
			return errors.New("engine: it does not answer")
		case <-e.gone:
			return <-e.died
		case <-tick.C:
		}
	}
}

// Died gets an error when the engine ends by itself.
func (e *Engine) Died() <-chan error { return e.died }

// Close ends the engine. What it acknowledged is on the disk.
func (e *Engine) Close() {
	_ = e.cmd.Process.Kill() // fails only when it is gone
	<-e.gone
}
