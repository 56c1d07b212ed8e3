// Package stage is a whole system in this process, made for being measured or
// loaded over HTTP: a world that remembers nothing, a bank that pays at once, no
// limits on one caller.
package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	domain "github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/test/caller"
)

// Stage is a running system with the people every case needs.
type Stage struct {
	*local.System
	Caller          caller.Caller // nobody in particular
	Consent         string        // SHA-256 of the authorisation
	Clerk, Approver caller.Caller

	options local.Options
	next    atomic.Int64 // the next person
	loaded  int64        // copies stored so far
}

// Open starts one in a directory; "" keeps nothing.
func Open(ctx context.Context, dir string, change func(*local.Options)) (*Stage, error) {
	o := local.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Store: local.Embedded, Data: dir,
		ForgetfulWorld: true, BankRate: 1_000_000, PayDelay: time.Millisecond, AsyncDelay: time.Millisecond, SweepEvery: time.Minute,
		Limits: httpapi.Limits{PerSecond: 1e9, Burst: 1e9}, Log: os.Stderr, Level: slog.LevelWarn, FundFen: 90_000_000_00}
	change(&o)
	st := &Stage{options: o, Caller: caller.Caller{HTTP: &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 256}}}}
	if err := st.start(ctx); err != nil {
		return nil, err
	}
	return st, nil
}

// start starts the system and signs its staff in.
func (s *Stage) start(ctx context.Context) (err error) {
	if s.System, err = local.Start(ctx, s.options); err != nil {
		return err
	}
	// It comes back where it was, so that whoever has a session goes on.
	s.options.Listen = strings.TrimPrefix(s.URL, "http://")
	s.Caller.HTTP.CloseIdleConnections()
	s.Caller.Base = s.URL
	if s.Consent, err = s.Caller.ConsentText(ctx); err == nil {
		s.Clerk, err = s.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:clerk-1", "320400")
	}
	if err == nil {
		s.Approver, err = s.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:approver-1", "320400")
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// Close ends the system that runs now.
func (s *Stage) Close() error { return s.System.Close() }

// Next is the number of a person whom nobody has been yet.
func (s *Stage) Next() int { return int(s.next.Add(1)) }

// One is one whole life of a case: a person signs in and applies, the registers
// are asked, one officer proposes, another approves, the bank pays and calls
// back, the person is told and confirms.
func (s *Stage) One(ctx context.Context) error {
	n := s.Next()
	citizen, err := s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:bench-%d", n), "")
	if err != nil {
		return err
	}
	id, err := s.Submit(ctx, citizen, n)
	if err != nil {
		return err
	}
	if err := s.Until(ctx, func() (bool, error) { return s.Verified(ctx, id) }); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	path := "/v1/staff/applications/" + id
	var proposed struct {
		ProposalVersion int64 `json:"proposal_version"`
		AmountFen       int64 `json:"amount_fen"`
	}
	if err := s.Clerk.Do(ctx, http.MethodPost, path+"/proposals", "p"+id, map[string]any{}, &proposed); err != nil {
		return err
	}
	if err := s.Approver.Do(ctx, http.MethodPost, path+"/approvals", "a"+id, proposed, nil); err != nil {
		return err
	}
	if err := s.Until(ctx, func() (bool, error) {
		p, err := payout.Get(ctx, s.Table, payout.Key(id, "01"))
		return p.State == payout.Paid, err
	}); err != nil {
		return fmt.Errorf("payment: %w", err)
	}
	return citizen.Do(ctx, http.MethodPost, "/v1/applications/"+id+"/receipts", "r"+id, map[string]any{"award": "01", "answer": "received"}, nil)
}

// Submit files the application of the nth person.
func (s *Stage) Submit(ctx context.Context, citizen caller.Caller, n int) (string, error) {
	var a struct {
		ID string `json:"id"`
	}
	err := citizen.Do(ctx, http.MethodPost, "/v1/applications", fmt.Sprintf("bench-%d", n), caller.Application(n, s.Consent), &a)
	return a.ID, err
}

var errSlow = errors.New("not there after 30 s")

// Until looks at the store, not over HTTP, so that waiting costs what a push
// notification would.
func (s *Stage) Until(ctx context.Context, done func() (bool, error)) error {
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

// Verified says whether the registers have answered.
func (s *Stage) Verified(ctx context.Context, id string) (bool, error) {
	a, err := domain.Get(ctx, s.Table, id)
	return a.State != domain.Accepted, err
}
