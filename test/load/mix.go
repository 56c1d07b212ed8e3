package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/document"
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

	pictures []picture    // that were acknowledged
	faults   atomic.Int64 // answers that were a 500
}

// picture is a document of an application.
type picture struct{ application, id string }

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

// picture sends the photo that the nth person took.
func (c *crowd) picture(ctx context.Context, a own, n int) error {
	m := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 8 {
		m.Set(i, 0, color.RGBA{byte(n >> (8 * i)), byte(i), 0, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return err
	}
	sum := sha256.Sum256(b.Bytes())
	in := map[string]any{"kind": "incident", "media_type": "image/png", "sha256": hex.EncodeToString(sum[:]), "content_base64": base64.StdEncoding.EncodeToString(b.Bytes())}
	var out struct {
		Document string `json:"document"`
	}
	if err := a.person.Do(ctx, http.MethodPost, "/v1/applications/"+a.id+"/documents", "picture", in, &out); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pictures = append(c.pictures, picture{a.id, out.Document})
	return nil
}

// missing counts the acknowledged pictures that do not open in a system's folder.
func (c *crowd) missing(ctx context.Context, data string) (n int, err error) {
	kept, err := document.OpenDirectory(filepath.Join(data, "documents"), c.Box)
	if err != nil {
		return 0, err
	}
	for _, p := range c.pictures {
		if _, err := kept.Get(ctx, application.Partition(p.application), p.id); err != nil {
			fmt.Println("\na picture that does not open:", err)
			n++
		}
	}
	return n, nil
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
