package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// own is an application and whose it is.
type own struct {
	id     string
	person caller.Caller
}

// crowd are the people and officers of a system, and what they were promised.
type crowd struct {
	*stage.Stage
	mu    sync.Mutex
	rand  *rand.Rand
	acked []own // every application that was acknowledged, in that order
	open  []own // those that no officer has taken yet
}

func newCrowd(ctx context.Context, s *stage.Stage, people int) (*crowd, error) {
	c := &crowd{Stage: s, rand: rand.New(rand.NewPCG(1, 2))}
	for range people {
		if err := c.apply(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// apply is a person nobody has seen before, who signs in and asks for help.
func (c *crowd) apply(ctx context.Context) error {
	n := c.Next()
	p, err := c.Caller.SignIn(ctx, "/v1/sessions", fmt.Sprintf("wx:load-%d", n), "")
	if err != nil {
		return err
	}
	id, err := c.Submit(ctx, p, n)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = append(c.acked, own{id, p})
	c.open = append(c.open, own{id, p})
	return nil
}

// look is a person who looks at their own case.
func (c *crowd) look(ctx context.Context) error {
	c.mu.Lock()
	a := c.acked[c.rand.IntN(len(c.acked))]
	c.mu.Unlock()
	return a.person.Do(ctx, http.MethodGet, "/v1/applications/"+a.id, "", nil, nil)
}

// estimate is somebody who wants to know what there would be.
func (c *crowd) estimate(ctx context.Context) error {
	return c.Caller.Do(ctx, http.MethodPost, "/v1/estimates", "", map[string]any{"place": "320402005000", "cause": "fire", "persons": 3, "months": 1}, nil)
}

// work is a clerk who opens a case.
func (c *crowd) work(ctx context.Context) error {
	c.mu.Lock()
	a := c.acked[c.rand.IntN(len(c.acked))]
	c.mu.Unlock()
	return c.Clerk.Do(ctx, http.MethodGet, "/v1/staff/applications/"+a.id, "", nil, nil)
}

// award is two officers who release first-step aid for the oldest open case.
func (c *crowd) award(ctx context.Context) error {
	c.mu.Lock()
	if len(c.open) == 0 {
		c.mu.Unlock()
		return errAgain
	}
	a := c.open[0]
	c.open = c.open[1:]
	c.mu.Unlock()
	if ok, err := c.Verified(ctx, a.id); err != nil || !ok {
		c.mu.Lock()
		c.open = append(c.open, a)
		c.mu.Unlock()
		return errors.Join(err, errAgain)
	}
	return c.release(ctx, a.id)
}

func (c *crowd) release(ctx context.Context, id string) error {
	path := "/v1/staff/applications/" + id
	var proposed struct {
		ProposalVersion int64 `json:"proposal_version"`
		AmountFen       int64 `json:"amount_fen"`
	}
	if err := c.Clerk.Do(ctx, http.MethodPost, path+"/proposals", "p"+id, map[string]any{}, &proposed); err != nil {
		return err
	}
	return c.Approver.Do(ctx, http.MethodPost, path+"/approvals", "a"+id, proposed, nil)
}

// mixed is one call of the steady mix: of a hundred, 70 look at their case, 15
// ask for an estimate, 8 apply, 5 officers open a case, 2 release money.
func (c *crowd) mixed(ctx context.Context) error {
	c.mu.Lock()
	n := c.rand.IntN(100)
	c.mu.Unlock()
	switch {
	case n < 70:
		return c.look(ctx)
	case n < 85:
		return c.estimate(ctx)
	case n < 93:
		return c.apply(ctx)
	case n < 98:
		return c.work(ctx)
	}
	return c.award(ctx)
}

// lost counts the acknowledged applications that their people cannot find.
func (c *crowd) lost(ctx context.Context) (acknowledged, lost int, err error) {
	c.mu.Lock()
	all := c.acked
	c.mu.Unlock()
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan own)
	for range 16 {
		wg.Go(func() {
			for a := range next {
				if e := a.person.Do(ctx, http.MethodGet, "/v1/applications/"+a.id, "", nil, nil); e != nil {
					mu.Lock()
					lost++
					err = e
					mu.Unlock()
				}
			}
		})
	}
	for _, a := range all {
		next <- a
	}
	close(next)
	wg.Wait()
	return len(all), lost, err
}
