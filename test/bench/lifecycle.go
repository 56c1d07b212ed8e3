package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	domain "github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/test/caller"
)

// stage is a whole system on the disk, made for being measured: a world that
// remembers nothing, a bank that pays at once, no limits on one caller.
type stage struct {
	*local.System
	caller   caller.Caller
	consent  string
	clerk    caller.Caller
	approver caller.Caller
	next     atomic.Int64 // the next person
	loaded   int64        // copies stored so far
}

func open(ctx context.Context, dir string, change func(*local.Options)) (*stage, error) {
	o := local.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Store: local.Embedded, Data: dir,
		ForgetfulWorld: true, BankRate: 1_000_000, PayDelay: time.Millisecond, AsyncDelay: time.Millisecond, SweepEvery: time.Minute,
		Limits: httpapi.Limits{PerSecond: 1e9, Burst: 1e9}, Log: os.Stderr, Level: slog.LevelWarn, FundFen: 90_000_000_00}
	change(&o)
	s, err := local.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	st := &stage{System: s}
	st.caller = caller.Caller{Base: s.URL, HTTP: &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 256}}}
	if st.consent, err = st.caller.ConsentText(ctx); err == nil {
		st.clerk, err = st.caller.SignIn(ctx, "/v1/staff/sessions", "staff:clerk-1", "320400")
	}
	if err == nil {
		st.approver, err = st.caller.SignIn(ctx, "/v1/staff/sessions", "staff:approver-1", "320400")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return st, nil
}

// one is one whole life of a case: a person signs in and applies, the registers
// are asked, one officer proposes, another approves, the bank pays and calls
// back, the person is told and confirms.
func (s *stage) one(ctx context.Context) error {
	n := int(s.next.Add(1))
	citizen, err := s.caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:bench-%d", n), "")
	if err != nil {
		return err
	}
	id, err := s.submit(ctx, citizen, n)
	if err != nil {
		return err
	}
	if err := s.until(ctx, func() (bool, error) { return s.verified(ctx, id) }); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	path := "/v1/staff/applications/" + id
	var proposed struct {
		ProposalVersion int64 `json:"proposal_version"`
		AmountFen       int64 `json:"amount_fen"`
	}
	if err := s.clerk.Do(ctx, http.MethodPost, path+"/proposals", "p"+id, map[string]any{}, &proposed); err != nil {
		return err
	}
	if err := s.approver.Do(ctx, http.MethodPost, path+"/approvals", "a"+id, proposed, nil); err != nil {
		return err
	}
	if err := s.until(ctx, func() (bool, error) {
		p, err := payout.Get(ctx, s.Table, payout.Key(id, "01"))
		return p.State == payout.Paid, err
	}); err != nil {
		return fmt.Errorf("payment: %w", err)
	}
	return citizen.Do(ctx, http.MethodPost, "/v1/applications/"+id+"/receipts", "r"+id, map[string]any{"award": "01", "answer": "received"}, nil)
}

func (s *stage) submit(ctx context.Context, citizen caller.Caller, n int) (string, error) {
	var a struct {
		ID string `json:"id"`
	}
	err := citizen.Do(ctx, http.MethodPost, "/v1/applications", fmt.Sprintf("bench-%d", n), caller.Application(n, s.consent), &a)
	return a.ID, err
}

var errSlow = errors.New("not there after 30 s")

// until looks at the store, not over HTTP, so that waiting costs what a push
// notification would.
func (s *stage) until(ctx context.Context, done func() (bool, error)) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return errSlow
}

// rate is how fast something went.
type rate struct {
	perSecond float64
	p50, p99  time.Duration
	failed    int64
	first     error
}

func (r rate) String() string {
	s := fmt.Sprintf("%9.1f/s   p50 %8s   p99 %8s", r.perSecond, r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond))
	if r.failed > 0 {
		s += fmt.Sprintf("   %d FAILED, the first: %v", r.failed, r.first)
	}
	return s
}

// measure does work with so many clients for so long.
func measure(ctx context.Context, clients int, lasting time.Duration, work func(context.Context) error) rate {
	var mu sync.Mutex
	var took []time.Duration
	var r rate
	begin := time.Now()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for time.Since(begin) < lasting && ctx.Err() == nil {
				start := time.Now()
				err := work(ctx)
				d := time.Since(start)
				mu.Lock()
				if err != nil {
					if r.failed == 0 {
						r.first = err
					}
					r.failed++
				} else {
					took = append(took, d)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.perSecond = float64(len(took)) / time.Since(begin).Seconds()
	if len(took) > 0 {
		slices.Sort(took)
		r.p50, r.p99 = took[len(took)/2], took[len(took)*99/100]
	}
	return r
}

func (s *stage) verified(ctx context.Context, id string) (bool, error) {
	a, err := domain.Get(ctx, s.Table, id)
	return a.State != domain.Accepted, err
}
