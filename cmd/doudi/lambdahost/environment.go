package lambdahost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/shared/ident"
)

// initLimit is how long a function may take to ask for its first event.
const initLimit = 10 * time.Second

// Failure is a function that did not answer.
type Failure struct {
	Function string
	Type     string // as Lambda names it: Runtime.ExitError, Sandbox.Timedout, or the function's own
	Message  string
}

// Error names the function and what became of it.
func (f *Failure) Error() string { return f.Function + ": " + f.Type + ": " + f.Message }

// function is one deployed function and its environments.
type function struct {
	name, home string
	settings   []string
	timeout    time.Duration
	ctx        context.Context
	ids        *ident.Source
	log        *slog.Logger
	output     io.Writer
	room       chan struct{} // as many as there may be environments at work

	mu     sync.Mutex
	idle   []*environment
	all    map[*environment]bool
	report Report
}

// environment is one process, and the Runtime API it speaks to.
type environment struct {
	of     *function
	cmd    *exec.Cmd
	server *http.Server
	events chan *invocation // taken by the process when it asks for the next
	ready  chan struct{}    // closed when the process first asks for an event
	gone   chan struct{}    // closed when the process has ended
	begun  time.Time
	served sync.WaitGroup
	once   sync.Once

	mu  sync.Mutex
	now *invocation // given to the process and not answered
}

// invocation is one event on its way through a function.
type invocation struct {
	id     string
	event  []byte
	answer chan answer // of one
}

type answer struct {
	body []byte
	err  error
}

func (f *function) invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case f.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.ctx.Done():
		return nil, f.ctx.Err()
	}
	defer func() { <-f.room }()
	var e *environment
	var body []byte
	var err error
	begun := time.Now()
	for warm := true; warm && (e == nil || errors.Is(err, errEnded)); { // one that ended while idle is nobody's failure
		if e, warm, err = f.take(); err != nil {
			return nil, err
		}
		body, err = e.run(event)
	}
	if errors.Is(err, errEnded) {
		err = e.failed("Runtime.ExitError", "the process ended before it asked for an event")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Invocations++
	f.report.Busy += time.Since(begun)
	if err != nil {
		f.report.Failures++
	}
	select {
	case <-e.gone:
	default:
		f.idle = append(f.idle, e)
	}
	return body, err
}

// errEnded: the process ended before it asked for an event.
var errEnded = errors.New("lambdahost: environment ended")

// take is an environment that is idle, the last used first, or a new one.
func (f *function) take() (e *environment, warm bool, err error) {
	f.mu.Lock()
	for len(f.idle) > 0 {
		e := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		select {
		case <-e.gone:
		default:
			f.mu.Unlock()
			return e, true, nil
		}
	}
	f.mu.Unlock()
	e, err = f.start()
	return e, false, err
}

// start is a cold start: a process and its own Runtime API.
func (f *function) start() (*environment, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &environment{of: f, events: make(chan *invocation), ready: make(chan struct{}), gone: make(chan struct{}), begun: time.Now()}
	e.server = &http.Server{Handler: e.api(), ReadHeaderTimeout: initLimit}
	e.served.Go(func() { _ = e.server.Serve(l) }) // ends with Close, and with nothing else
	e.cmd = exec.Command(filepath.Join(f.home, "bootstrap"))
	e.cmd.Dir, e.cmd.Stdout, e.cmd.Stderr = f.home, f.output, f.output
	e.cmd.Env = append(f.settings[:len(f.settings):len(f.settings)], "AWS_LAMBDA_RUNTIME_API="+l.Addr().String())
	if err := e.cmd.Start(); err != nil {
		_ = e.server.Close()
		return nil, fmt.Errorf("lambdahost: %s: %w", f.name, err)
	}
	f.mu.Lock()
	if f.all == nil {
		f.all = map[*environment]bool{}
	}
	f.all[e] = true
	f.report.Starts++
	f.mu.Unlock()
	go func() {
		err := e.cmd.Wait()
		f.log.Info("environment ended", "function", f.name, "why", fmt.Sprint(err))
		f.mu.Lock()
		delete(f.all, e)
		f.report.CPU += e.cmd.ProcessState.UserTime() + e.cmd.ProcessState.SystemTime()
		f.mu.Unlock()
		_ = e.server.Close() // nobody speaks to it any more
		e.served.Wait()
		close(e.gone)
	}()
	return e, nil
}

// warm starts an environment and waits until it asks for an event.
func (f *function) warm() error {
	e, err := f.start()
	if err != nil {
		return err
	}
	begin := time.NewTimer(initLimit)
	defer begin.Stop()
	select {
	case <-e.ready:
	case <-e.gone:
		return e.failed("Runtime.ExitError", "the process ended before it asked for an event")
	case <-begin.C:
		e.end()
		return e.failed("Sandbox.Timedout", "the process did not ask for an event in "+initLimit.String())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, e)
	return nil
}

// asked notes that the process is ready.
func (e *environment) asked() {
	e.once.Do(func() {
		e.of.mu.Lock()
		e.of.report.Ready++
		e.of.report.Init += time.Since(e.begun)
		e.of.mu.Unlock()
		close(e.ready)
	})
}

// run gives the process one event and waits for what becomes of it.
func (e *environment) run(event []byte) ([]byte, error) {
	inv := &invocation{id: e.of.ids.New(), event: event, answer: make(chan answer, 1)}
	begin := time.NewTimer(initLimit)
	defer begin.Stop()
	select {
	case e.events <- inv:
	case <-e.gone:
		return nil, errEnded
	case <-begin.C:
		e.end()
		return nil, e.failed("Sandbox.Timedout", "the process did not ask for an event in "+initLimit.String())
	case <-e.of.ctx.Done():
		e.end()
		return nil, e.of.ctx.Err()
	}
	end := time.NewTimer(e.of.timeout)
	defer end.Stop()
	select {
	case a := <-inv.answer:
		return a.body, a.err
	case <-e.gone:
		select {
		case a := <-inv.answer: // it answered, and then it ended
			return a.body, a.err
		default:
		}
		return nil, e.failed("Runtime.ExitError", "the process ended before it answered")
	case <-end.C:
		e.end()
		return nil, e.failed("Sandbox.Timedout", "Task timed out after "+e.of.timeout.String())
	case <-e.of.ctx.Done():
		e.end()
		return nil, e.of.ctx.Err()
	}
}

func (e *environment) failed(kind, message string) error {
	return &Failure{Function: e.of.name, Type: kind, Message: message}
}

// end kills the process and waits until it is gone.
func (e *environment) end() {
	_ = e.cmd.Process.Kill() // fails only when it is gone
	<-e.gone
}

func (f *function) kill() int {
	f.mu.Lock()
	var all []*environment
	for e := range f.all {
		all = append(all, e)
	}
	f.mu.Unlock()
	for _, e := range all {
		e.end()
	}
	return len(all)
}

func (f *function) close() { f.kill() }

func (f *function) soFar() Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.report
}

// api is the Runtime API, version 2018-06-01, of one environment.
func (e *environment) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
		if err != nil {
			e.answer(w, r, answer{err: e.failed("Function.ResponseSizeTooLarge", "the answer is more than 6 MB or broke off")})
			return
		}
		e.answer(w, r, answer{body: body})
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		e.answer(w, r, answer{err: e.reported(r)})
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		e.of.log.Error("function cannot start", "function", e.of.name, "why", kind(e.reported(r)))
		accepted(w)
	})
	return mux
}

// maxAnswer is what Lambda takes of a function's answer, in bytes.
const maxAnswer = 6 << 20

// next waits until there is an event. The connection is as old as the
// environment, so it has no deadline.
func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.asked()
	e.mu.Lock()
	if e.now != nil { // it asks for the next without having answered the last
		e.now.answer <- answer{err: e.failed("Runtime.NoResponse", "the function asked for an event before it answered the last")}
		e.now = nil
	}
	e.mu.Unlock()
	select {
	case inv := <-e.events:
		until := time.Now().Add(e.of.timeout)
		e.mu.Lock()
		e.now = inv
		e.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(until.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", cloud.ARN("lambda", "function:"+e.of.name+":live"))
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-"+inv.id[:8]+"-"+inv.id[:24]+";Sampled=0")
		_, _ = w.Write(inv.event) // a process that is gone is noticed by run
	case <-r.Context().Done():
	}
}

// answer ends the invocation that a request names, once.
func (e *environment) answer(w http.ResponseWriter, r *http.Request, a answer) {
	e.mu.Lock()
	inv := e.now
	if inv == nil || inv.id != r.PathValue("id") {
		e.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`) // as above
		return
	}
	e.now = nil
	e.mu.Unlock()
	accepted(w)
	inv.answer <- a
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`) // a process that is gone is noticed by run
}
