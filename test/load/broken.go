package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/invariant"
	"github.com/doudi-aid/doudi/test/stage"
)

// half is a scenario in which one call in five of a service runs into a time-out
// and one in twenty is answered 502, over and over.
func half(service string) string {
	var timeouts, errs []string
	for n := 1; n <= 20_000; n++ {
		switch {
		case n%20 == 7:
			errs = append(errs, fmt.Sprint(n))
		case n%5 == 0:
			timeouts = append(timeouts, fmt.Sprint(n))
		}
	}
	rule := "[[rule]]\nservice = %q\nnth = [%s]\neffect = %q\n"
	return fmt.Sprintf(rule, service, strings.Join(timeouts, ","), "cut_before") +
		fmt.Sprintf(rule+"status = 502\n", service, strings.Join(errs, ","), "status")
}

// brownout makes each dependency in turn half useless under a usual load.
func brownout(ctx context.Context, o *options, r *report) error {
	c, end, err := ordinary(ctx, o, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	each := o.lasting(2 * time.Minute)
	rec := newRecord("brownout")
	for _, service := range []string{"exchange", "bank", "wechat", "sms"} {
		if err := c.scenario(ctx, half(service)); err != nil {
			return err
		}
		rec.mark(service)
		rec.drive(ctx, each, steadily(o.rate/3), patient(c.mixed))
	}
	if err := c.scenario(ctx, "title = \"well again\"\n"); err != nil {
		return err
	}
	if err := r.finish(rec); err != nil {
		return err
	}
	all := rec.all()
	r.promise(float64(all.failed) <= 0.1*float64(all.due), "%d of %d calls failed (sign-in needs WeChat; nothing else may)", all.failed, all.due)
	refused := 0
	c.mu.Lock()
	acked := c.acked
	c.mu.Unlock()
	for _, a := range acked {
		var view struct {
			State string `json:"state"`
		}
		if err := a.person.Do(ctx, http.MethodGet, "/v1/applications/"+a.id, "", nil, &view); err == nil && view.State == "refused" {
			refused++
		}
	}
	r.promise(refused == 0, "%d applications refused by a machine", refused)
	keeps(ctx, c, r)
	return nil
}

// victim is the system that is killed: a process of its own, with its world.
func victim(ctx context.Context, dir, listen string) error {
	s, err := local.Start(ctx, local.Options{Listen: listen, Store: local.Embedded, Data: dir, BankRate: 1_000_000, PayDelay: time.Millisecond,
		AsyncDelay: time.Millisecond, SweepEvery: time.Second, Limits: httpapi.Limits{PerSecond: 1e9, Burst: 1e9}, Log: os.Stderr, Level: slog.LevelError, FundFen: 90_000_000_00})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return s.Close()
}

// process is a victim that runs.
type process struct{ cmd *exec.Cmd }

func begin(ctx context.Context, dir, listen string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", dir, "-listen", listen)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, fmt.Errorf("the system ended before it was ready: %w", cmd.Wait())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return &process{cmd}, nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed: that it did not end well is the point
}

// kills ends the process as a power cut would, every half second or so, while
// people apply and officers release. Whoever gets no answer asks again with the
// same key, as the mini-program does.
func kills(ctx context.Context, o *options, r *report) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	data := filepath.Join(o.dir, "data")
	p, err := begin(ctx, data, listen)
	if err != nil {
		return err
	}
	c := &crowd{Stage: &stage.Stage{Caller: caller.Caller{Base: "http://" + listen, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}}}, rand: rand.New(rand.NewPCG(3, 4))}
	if err := stubborn(ctx, func(ctx context.Context) (err error) {
		if c.Consent, err = c.Caller.ConsentText(ctx); err != nil {
			return err
		}
		if c.Clerk, err = c.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:clerk-1", "320400"); err != nil {
			return err
		}
		c.Approver, err = c.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:approver-1", "320400")
		return err
	}); err != nil {
		return err
	}
	length := o.lasting(5 * time.Minute)
	rec := newRecord("kills")
	stop := make(chan struct{})
	var killer sync.WaitGroup
	var deaths atomic.Int64
	var failed error
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(300+rand.IntN(400)) * time.Millisecond):
			}
			p.kill()
			deaths.Add(1)
			next, err := begin(ctx, data, listen)
			if err != nil {
				failed = err
				return
			}
			p = next
		}
	})
	rec.drive(ctx, length, steadily(o.rate/10), func(ctx context.Context) error {
		c.mu.Lock()
		k := c.rand.IntN(10)
		c.mu.Unlock()
		if k < 7 {
			n := c.Next()
			var person caller.Caller
			var id string
			err := stubborn(ctx, func(ctx context.Context) (err error) {
				if person.Token == "" {
					if person, err = c.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:kill-%d", n), ""); err != nil {
						return err
					}
				}
				id, err = c.Submit(ctx, person, n)
				return err
			})
			if err == nil {
				c.mu.Lock()
				c.acked, c.open = append(c.acked, own{id, person}), append(c.open, own{id, person})
				c.mu.Unlock()
			}
			return err
		}
		c.mu.Lock()
		if len(c.open) < 20 { // the newest are still being looked up
			c.mu.Unlock()
			return errAgain
		}
		a := c.open[0]
		c.open = c.open[1:]
		c.mu.Unlock()
		return stubborn(ctx, func(ctx context.Context) error { return c.release(ctx, a.id) })
	})
	close(stop)
	killer.Wait()
	if failed != nil {
		return failed
	}
	if err := r.finish(rec); err != nil {
		return err
	}
	fmt.Printf("\nkilled %d times in %s\n", deaths.Load(), length)
	keeps(ctx, c, r)
	p.kill()
	return afterwards(ctx, data, c, r)
}

// stubborn repeats what got no answer, or the answer "not now", for a minute.
func stubborn(ctx context.Context, do func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || !transient(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// transient says whether whoever asked may ask again: no answer at all, or one
// that says so.
func transient(err error) bool {
	var refused *caller.Refused
	return !errors.As(err, &refused) || refused.Status >= 500 || refused.Status == http.StatusTooManyRequests ||
		refused.Status == http.StatusConflict
}

// afterwards opens what the last kill left, lets it finish what is owed and
// looks at every case.
func afterwards(ctx context.Context, data string, c *crowd, r *report) error {
	s, err := local.Start(ctx, local.Options{Listen: "127.0.0.1:0", Store: local.Embedded, Data: data, BankRate: 1_000_000, PayDelay: time.Millisecond,
		AsyncDelay: time.Millisecond, SweepEvery: time.Second, Limits: httpapi.Limits{PerSecond: 1e9, Burst: 1e9}, Log: os.Stderr, Level: slog.LevelError})
	if err != nil {
		return err
	}
	defer s.Close()
	c.System = s
	var released []string
	for _, a := range c.acked {
		switch _, err := payout.Get(ctx, s.Table, payout.Key(a.id, "01")); {
		case err == nil:
			released = append(released, a.id)
		case !errors.Is(err, payout.ErrNotFound):
			return err
		}
	}
	paid := c.settled(ctx, released, time.Minute)
	r.promise(paid == len(released), "%d of %d released cases are paid", paid, len(released))
	book, err := c.book(ctx)
	if err != nil {
		return err
	}
	by := map[string][]invariant.Transfer{}
	for _, e := range book {
		by[e.Reference] = append(by[e.Reference], e.Transfer)
	}
	view := invariant.View{Table: s.Table, Rules: s.Book, Bank: func(_ context.Context, reference string) ([]invariant.Transfer, error) { return by[reference], nil }}
	wrong := 0
	for _, a := range c.acked {
		if err := view.Case(ctx, a.id); err != nil {
			if wrong++; wrong == 1 {
				fmt.Println("\nthe first that breaks an invariant:", err)
			}
		}
	}
	r.promise(wrong == 0, "%d of %d cases break an invariant", wrong, len(c.acked))
	return nil
}
