package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/outside"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/invariant"
)

// slice is where everybody in these loads lives.
func slice() fund.ID {
	return fund.ID{Fund: fund.Named(fund.Relief, time.Now().Year()), Township: civil.DivisionCode("320402005000")}
}

// prepared is a system with n cases that two officers could release now.
func prepared(ctx context.Context, o *options, n int, change func(*local.Options)) (*crowd, func(), error) {
	c, end, err := ordinary(ctx, o, change)
	if err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n - len(c.acked)))
	errs := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := c.apply(ctx); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err = <-errs:
		end()
		return nil, nil, err
	default:
	}
	show := newProgress("registers answer", 0)
	for i, a := range c.acked {
		show.at(0, int64(len(c.acked)-i))
		if err := c.Until(ctx, func() (bool, error) { return c.Verified(ctx, a.id) }); err != nil {
			end()
			return nil, nil, err
		}
	}
	show.end()
	return c, end, nil
}

// hotFund approves many cases whose money comes from one slice.
func hotFund(ctx context.Context, o *options, r *report) error {
	n := o.count(5000)
	c, end, err := prepared(ctx, o, n, func(*local.Options) {})
	if err != nil {
		return err
	}
	defer end()
	// Proposals first: what is measured is the approving write.
	type ready struct {
		id       string
		proposed map[string]any
	}
	proposals := make(chan ready, len(c.acked)) // there may be more than n
	for _, a := range c.acked {
		var p struct {
			ProposalVersion int64 `json:"proposal_version"`
			AmountFen       int64 `json:"amount_fen"`
		}
		if err := c.Clerk.Do(ctx, http.MethodPost, "/v1/staff/applications/"+a.id+"/proposals", "p"+a.id, map[string]any{}, &p); err != nil {
			return err
		}
		proposals <- ready{a.id, map[string]any{"proposal_version": p.ProposalVersion, "amount_fen": p.AmountFen}}
	}
	close(proposals)
	before, err := fund.Read(ctx, c.Table, slice())
	if err != nil {
		return err
	}
	rec := newRecord("fund")
	var approved, fen, again atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for p := range proposals {
				at := time.Since(rec.begin)
				var err error
				for range 20 {
					err = c.Approver.Do(ctx, http.MethodPost, "/v1/staff/applications/"+p.id+"/approvals", "a"+p.id, p.proposed, nil)
					if err == nil {
						approved.Add(1)
						fen.Add(p.proposed["amount_fen"].(int64))
						break
					}
					again.Add(1)
				}
				rec.add(at, err)
			}
		})
	}
	wg.Wait()
	took := time.Since(rec.begin)
	if err := r.finish(rec); err != nil {
		return err
	}
	after, err := fund.Read(ctx, c.Table, slice())
	if err != nil {
		return err
	}
	drawn := before.Balances.Of(fund.Available) - after.Balances.Of(fund.Available)
	fmt.Printf("\n%d approvals in %s: %.0f/s on one slice, %.2f repeats by the caller each\n", approved.Load(), took.Round(time.Millisecond),
		float64(approved.Load())/took.Seconds(), float64(again.Load())/float64(max(approved.Load(), 1)))
	r.promise(int(approved.Load()) == len(c.acked), "%d of %d approved", approved.Load(), len(c.acked))
	r.promise(drawn == money.Fen(fen.Load()), "the slice gave %d fen for approvals of %d fen", drawn, fen.Load())
	err = fund.Coherent(ctx, c.Table, slice())
	r.promise(err == nil, "its balances are the fold of its entries (%v)", err)
	return nil
}

// entry is a line of the bank's book.
type entry struct {
	invariant.Transfer
	Accepted time.Time `json:"accepted_at"`
}

func (c *crowd) book(ctx context.Context) ([]entry, error) {
	var book struct{ Entries []entry }
	err := caller.Caller{Base: c.WorldURL, HTTP: c.Caller.HTTP}.Do(ctx, http.MethodGet, "/world/bank/book", "", nil, &book)
	return book.Entries, err
}

// settled waits until the money of every released case is there.
func (c *crowd) settled(ctx context.Context, ids []string, within time.Duration) (paid int) {
	deadline := time.Now().Add(within)
	show := newProgress("payments", within)
	left := ids
	for len(left) > 0 && time.Now().Before(deadline) && ctx.Err() == nil {
		var open []string
		for _, id := range left {
			if p, err := payout.Get(ctx, c.Table, payout.Key(id, "01")); err == nil && p.State == payout.Paid {
				paid++
			} else {
				open = append(open, id)
			}
		}
		left = open
		show.at(within-time.Until(deadline), int64(len(left)))
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	show.end()
	return paid
}

// payouts releases many cases at once; the bank takes 100 a second.
func payouts(ctx context.Context, o *options, r *report) error {
	const cap = 100
	n := o.count(10_000)
	c, end, err := prepared(ctx, o, n, func(lo *local.Options) { lo.BankRate = cap })
	if err != nil {
		return err
	}
	defer end()
	rec := newRecord("payouts")
	begin := time.Now()
	work := make(chan own)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for a := range work {
				at := time.Since(rec.begin)
				rec.add(at, c.release(ctx, a.id))
			}
		})
	}
	var ids []string
	for _, a := range c.acked {
		work <- a
		ids = append(ids, a.id)
	}
	close(work)
	wg.Wait()
	paid := c.settled(ctx, ids, time.Duration(n/cap)*time.Second*4+time.Minute)
	took := time.Since(begin)
	if err := r.finish(rec); err != nil {
		return err
	}
	book, err := c.book(ctx)
	if err != nil {
		return err
	}
	seen, twice, most := map[string]int{}, 0, 0
	for i, e := range book {
		if seen[e.Reference]++; seen[e.Reference] > 1 {
			twice++
		}
		in := 1
		for j := i - 1; j >= 0 && e.Accepted.Sub(book[j].Accepted) < time.Second; j-- {
			in++
		}
		most = max(most, in)
	}
	fmt.Printf("\n%d payments in %s (the cap alone takes %s); at most %d in one second\n", paid, took.Round(time.Second), time.Duration(n/cap)*time.Second, most)
	r.promise(paid == len(ids), "%d of %d paid", paid, len(ids))
	r.promise(twice == 0 && len(book) == len(ids), "%d payments in the bank's book for %d awards", len(book), len(ids))
	r.promise(most <= cap, "never more than %d in one second: %d", cap, most)
	return nil
}

// callbacks floods settle with the bank's own news.
func callbacks(ctx context.Context, o *options, r *report) error {
	n := o.count(1000)
	c, end, err := prepared(ctx, o, n, func(lo *local.Options) { lo.PayDelay = o.lasting(time.Minute) / 2 })
	if err != nil {
		return err
	}
	defer end()
	load := "[[rule]]\nservice = \"bank\"\nop = \"callback\"\neffect = \"drop\"\n" // ours are the only ones
	if err := c.scenario(ctx, load); err != nil {
		return err
	}
	keys := world.LocalKeys(c.Blind.Ref("world", "seed"))
	sign := bank.NewEd25519Signer("bank-1", keys.BankOwn)
	var ids []string
	var says []bank.Statement
	for _, a := range c.acked {
		if err := c.release(ctx, a.id); err != nil {
			return err
		}
		ids = append(ids, a.id)
		var current payout.Attempt
		if err := c.Until(ctx, func() (bool, error) {
			p, err := payout.Get(ctx, c.Table, payout.Key(a.id, "01"))
			at, ok := p.Current()
			current = at
			if ok {
				says = append(says, bank.Statement{Agreement: keys.Agreement, Reference: at.Reference, Status: bank.Paid, AmountFen: p.Award.AmountFen, PayeeDigest: at.Payee})
			}
			return ok, err
		}); err != nil {
			return fmt.Errorf("%s: %w", current.Reference, err)
		}
	}
	kept := says[:len(says)*7/10] // the rest are lost for ever
	rec := newRecord("callbacks")
	rec.drive(ctx, o.lasting(time.Minute), steadily(1000), patient(func(ctx context.Context) error {
		c.mu.Lock()
		s := kept[c.rand.IntN(len(kept))]
		c.mu.Unlock()
		s.BankTime = time.Now()
		return c.tell(ctx, sign, s)
	}))
	paid := c.settled(ctx, ids, 2*time.Minute)
	if err := r.finish(rec); err != nil {
		return err
	}
	all := rec.all()
	r.promise(all.failed == 0, "%d callbacks failed otherwise than by being told to come again", all.failed)
	r.promise(all.quantile(99) < 3*time.Second, "p99 of an answer is %s (the limit is 3 s)", all.quantile(99))
	r.promise(paid == len(ids), "%d of %d paid, the %d whose news was lost included", paid, len(ids), len(says)-len(kept))
	err = fund.Coherent(ctx, c.Table, slice())
	r.promise(err == nil, "each effect once: balances are the fold of entries (%v)", err)
	return nil
}

// tell sends one signed callback.
func (c *crowd) tell(ctx context.Context, sign bank.Signer, s bank.Statement) error {
	const path = "/v1/callbacks/bank"
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	header, err := bank.Sign(ctx, sign, outside.CallbackKind, http.MethodPost, path, hex.EncodeToString(nonce), time.Now(), body)
	if err != nil {
		return err
	}
	return c.Caller.Send(ctx, http.MethodPost, path, header, body)
}

func (c *crowd) scenario(ctx context.Context, text string) error {
	return caller.Caller{Base: c.WorldURL, HTTP: c.Caller.HTTP}.Send(ctx, http.MethodPost, "/world/scenario", nil, []byte(text))
}
