package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/functions/decide"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/watch"
	"github.com/doudi-aid/doudi/test/stage"
)

// proposal is a case that waits for its approval.
type proposal struct {
	id              string
	ProposalVersion int64 `json:"proposal_version"`
	AmountFen       int64 `json:"amount_fen"`
}

// inspections measures what the inspection models add to an approval: the same
// route over the same durable store in one run, with every shipped model and with
// none, one approval of each in turn, so that whatever the disk does it does to both.
func inspections(ctx context.Context, o options) error {
	s, err := stage.Open(ctx, o.dir, func(lo *local.Options) { lo.SweepEvery = 24 * time.Hour })
	if err != nil {
		return err
	}
	cases, err := proposals(ctx, s, o.lasting)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	// Nothing else runs while approvals are measured: no registers, no bank.
	all, err := model.Shipped()
	if err != nil {
		return err
	}
	keys, err := seal.OpenKeyFile(filepath.Join(o.dir, "keys.json"), ident.Random())
	if err != nil {
		return err
	}
	store, err := embedded.Open(filepath.Join(o.dir, "store"))
	if err != nil {
		return err
	}
	defer store.Close()
	with, without := approving(s, store, keys, all), approving(s, store, keys, nil)
	defer with.Close()
	defer without.Close()
	var took [2][]time.Duration
	for i, p := range cases {
		variant := i % 2
		c := s.Approver
		c.Base = []string{with.URL, without.URL}[variant]
		start := time.Now()
		if err := c.Do(ctx, http.MethodPost, "/v1/staff/applications/"+p.id+"/approvals", "a"+p.id, p, nil); err != nil {
			return err
		}
		if i >= len(cases)/10 { // the first tenth warms
			took[variant] = append(took[variant], time.Since(start))
		}
	}
	at := func(variant, percent int) time.Duration {
		slices.Sort(took[variant])
		return took[variant][len(took[variant])*percent/100]
	}
	fmt.Printf("| approval | p50 | p99 |\n|---|---|---|\n")
	for variant, name := range []string{fmt.Sprintf("all %d models", len(all.All())), "no model"} {
		fmt.Printf("| %s, %d approvals | %s | %s |\n", name, len(took[variant]), at(variant, 50).Round(10*time.Microsecond), at(variant, 99).Round(10*time.Microsecond))
	}
	fmt.Printf("\nadded: p50 %s, p99 %s; ratio of medians %.2f\n", (at(0, 50) - at(1, 50)).Round(10*time.Microsecond),
		(at(0, 99) - at(1, 99)).Round(10*time.Microsecond), float64(at(0, 50))/float64(at(1, 50)))
	return ctx.Err()
}

// approving is the decide function over a store, with those models.
func approving(s *stage.Stage, store table.Store, keys *seal.KeyFile, models *model.Set) *httptest.Server {
	routes := decide.Routes(decide.Deps{Table: store, Box: seal.NewBox(keys, rand.Reader), Blind: keys.Blind(), Book: s.Book, Tree: s.Tree, IDs: ident.Random(), Now: time.Now, Models: models})
	return httptest.NewServer(httpapi.New(httpapi.Config{Sessions: session.NewStore(store, rand.Reader, time.Now), Now: time.Now, IDs: ident.Random(),
		Logger: telemetry.NewLogger(io.Discard, slog.LevelError), Watch: watch.Over(store, time.Now)}, routes...))
}

// proposals makes cases that wait for approval, for so long.
func proposals(ctx context.Context, s *stage.Stage, lasting time.Duration) ([]proposal, error) {
	made := make(chan proposal, 1<<16)
	var dropped atomic.Int64
	r := measure(ctx, 16, lasting, func(ctx context.Context) error {
		n := s.Next()
		citizen, err := s.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:models-%d", n), "")
		if err != nil {
			return err
		}
		p := proposal{}
		if p.id, err = s.Submit(ctx, citizen, n); err != nil {
			return err
		}
		if err := s.Until(ctx, func() (bool, error) { return s.Verified(ctx, p.id) }); err != nil {
			return err
		}
		if err := s.Clerk.Do(ctx, http.MethodPost, "/v1/staff/applications/"+p.id+"/proposals", "p"+p.id, map[string]any{}, &p); err != nil {
			return err
		}
		select {
		case made <- p:
		default:
			dropped.Add(1)
		}
		return nil
	})
	close(made)
	var all []proposal
	for p := range made {
		all = append(all, p)
	}
	if len(all) < 20 {
		return nil, fmt.Errorf("%d cases wait for approval, %d failed: %w", len(all), r.failed, r.first)
	}
	return all, nil
}
