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
	"github.com/doudi-aid/doudi/shared/application"
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

// brownout makes each dependency in turn half useless under a usual load: first
// those outside, then what the system stands on.
func brownout(ctx context.Context, o *options, r *report) error {
	g := &ground{}
	c, end, err := ordinary(ctx, o, func(lo *local.Options) { lo.Under, lo.SweepEvery = g.under(), time.Second })
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

	inner := newRecord("brownout-inside")
	for _, p := range []part{theStore, theKeys, theFiles, theQueues} {
		inner.mark(string(p))
		g.weak.Store(p)
		inner.drive(ctx, each, steadily(o.rate/10), c.insist)
	}
	g.weak.Store(part(""))
	if err := r.finish(inner); err != nil {
		return err
	}
	all = inner.all()
	r.promise(all.failed == 0 && all.shed == 0, "everybody who asks again is told: %d of %d were not", all.failed+all.shed, all.due)
	r.promise(c.faults.Load() == 0, "%d answers called a brown-out a defect of ours (500)", c.faults.Load())
	missing, err := c.missing(ctx, o.dir)
	if err != nil {
		return err
	}
	r.promise(missing == 0, "%d of %d acknowledged pictures cannot be opened", missing, len(c.pictures))
	refused := 0
	for _, a := range c.acked {
		var view struct {
			State string `json:"state"`
		}
		if err := a.person.Do(ctx, http.MethodGet, "/v1/applications/"+a.id, "", nil, &view); err == nil && view.State == "refused" {
			refused++
		}
	}
	r.promise(refused == 0, "%d applications refused by a machine", refused)
	keeps(ctx, c, r)
	return c.ends(ctx, r, 5*time.Minute)
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
	if err := c.stubborn(ctx, func(ctx context.Context) (err error) {
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
	rec.drive(ctx, length, steadily(o.rate/10), c.insist)
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

// insist is one person who applies and sends a picture, or two officers who release
// money, and who ask again with the same key until they are told.
func (c *crowd) insist(ctx context.Context) error {
	c.mu.Lock()
	k := c.rand.IntN(10)
	c.mu.Unlock()
	if k < 7 {
		n := c.Next()
		var person caller.Caller
		var id string
		if err := c.stubborn(ctx, func(ctx context.Context) (err error) {
			if person.Token == "" {
				if person, err = c.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:kill-%d", n), ""); err != nil {
					person.Token = ""
					return err
				}
			}
			id, err = c.Submit(ctx, person, n)
			return err
		}); err != nil {
			return err
		}
		c.mu.Lock()
		c.acked, c.open = append(c.acked, own{id, person}), append(c.open, own{id, person})
		c.mu.Unlock()
		if k > 3 {
			return nil
		}
		return c.stubborn(ctx, func(ctx context.Context) error { return c.picture(ctx, own{id, person}, n) })
	}
	c.mu.Lock()
	if len(c.open) < 20 { // the newest are still being looked up
		c.mu.Unlock()
		return errAgain
	}
	a := c.open[0]
	c.open = c.open[1:]
	c.mu.Unlock()
	var view struct {
		State application.State `json:"state"`
	}
	if err := c.stubborn(ctx, func(ctx context.Context) error {
		return c.Clerk.Do(ctx, http.MethodGet, "/v1/staff/applications/"+a.id, "", nil, &view)
	}); err != nil {
		return err
	}
	if view.State == application.Accepted { // registers have not answered
		c.mu.Lock()
		c.open = append(c.open, a)
		c.mu.Unlock()
		return errAgain
	}
	return c.stubborn(ctx, func(ctx context.Context) error { return c.release(ctx, a.id) })
}

// stubborn repeats what got no answer, or the answer "not now", for a minute.
func (c *crowd) stubborn(ctx context.Context, do func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		err := do(ctx)
		if refused, ok := errors.AsType[*caller.Refused](err); ok && refused.Status == http.StatusInternalServerError {
			c.faults.Add(1)
		}
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
	missing, err := c.missing(ctx, data)
	if err != nil {
		return err
	}
	r.promise(missing == 0, "%d of %d acknowledged pictures cannot be opened", missing, len(c.pictures))
	return c.ends(ctx, r, time.Minute)
}

// ends waits until everything that was released is paid and looks at every case.
func (c *crowd) ends(ctx context.Context, r *report, within time.Duration) error {
	var released []string
	for _, a := range c.acked {
		switch _, err := payout.Get(ctx, c.Table, payout.Key(a.id, "01")); {
		case err == nil:
			released = append(released, a.id)
		case !errors.Is(err, payout.ErrNotFound):
			return err
		}
	}
	paid := c.settled(ctx, released, within)
	r.promise(paid == len(released), "%d of %d released cases are paid", paid, len(released))
	book, err := c.book(ctx)
	if err != nil {
		return err
	}
	by := map[string][]invariant.Transfer{}
	for _, e := range book {
		by[e.Reference] = append(by[e.Reference], e.Transfer)
	}
	view := invariant.View{Table: c.Table, Rules: c.Book, Bank: func(_ context.Context, reference string) ([]invariant.Transfer, error) { return by[reference], nil }}
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
