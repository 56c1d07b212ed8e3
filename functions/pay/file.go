package pay

import (
	"context"
	"errors"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

const (
	// pageLines is how many payouts one transaction takes into a file: four writes
	// each, and those of the file, within what a transaction may have; fewer where a
	// payout brings more.
	pageLines = 20
	// fileWrites are the writes of the file itself beside them: its version, its
	// event, the page and the brakes' condition.
	fileWrites = 4
	// pagesAtOnce is how many transactions one message makes. Then the file is
	// stored as still owed, so that no function runs out of time with a large one.
	pagesAtOnce = 15
)

// file does what a file that pays many is owed next. A message that comes twice,
// or two at once, meet the version of the file: one wins.
func (d Deps) file(ctx context.Context, b batch.Batch) error {
	if d.Files == nil || b.Next.IsZero() || d.Now().Before(b.Next) {
		return nil
	}
	var err error
	switch b.State {
	case batch.Filling:
		err = d.fill(ctx, b)
	case batch.Sealing:
		err = d.seal(ctx, b)
	case batch.Ready:
		err = d.sendFile(ctx, b)
	}
	if errors.Is(err, batch.ErrMovedOn) {
		return nil // whoever moved it goes on
	}
	return err
}

func (d Deps) commitFile(ctx context.Context, b batch.Batch, kind string, more ...table.Write) error {
	return batch.Commit(ctx, d.Table, b, b.Event(kind, actor, d.Now()), more...)
}

// fill takes waiting payouts into b. If we die anywhere, the pages that are
// stored are there, their payouts are in the file, and the rest still waits.
func (d Deps) fill(ctx context.Context, b batch.Batch) error {
	mark, moved := b.Mark, false // how far, and whether that is not stored yet
	for range pagesAtOnce {
		room := b.Room(d.Files.MaxLines())
		if room.Count <= 0 {
			return d.complete(ctx, b)
		}
		found, after, done, err := b.Candidates(ctx, d.Table, mark, min(pageLines, room.Count))
		if err != nil {
			return err
		}
		if done {
			return d.complete(ctx, b)
		}
		board, err := brake.Read(ctx, d.Table, b.ID)
		if err != nil {
			return err
		}
		var lines []claimed
		for _, p := range found {
			if slices.ContainsFunc(lines, func(c claimed) bool { return c.head.ID == p.Award.Application }) {
				continue // one condition for each application: the other waits for another file
			}
			c, ok, err := d.claim(ctx, b, board, p)
			if err != nil {
				return err
			}
			if total, sumErr := room.Fen.Sub(p.Award.AmountFen); ok && sumErr == nil && total >= 0 {
				room.Fen = total
				lines = append(lines, c)
			}
		}
		moved = true
		for part := range parts(lines) {
			// How far we are is stored with the last part: if we die before it, what
			// is left of the page is looked at again.
			to := mark
			if len(part.rest) == 0 {
				to = after
			}
			next, err := d.take(ctx, b, board, part.lines, to)
			if err != nil {
				return err
			}
			moved = next.Mark != after
			b = next
		}
		mark = after
	}
	if !moved {
		return nil
	}
	next, err := b.Filled(nil, mark, d.Now())
	if err != nil {
		return err
	}
	return d.commitFile(ctx, next, "searched")
}

// claimed is one payout on its way into a file.
type claimed struct {
	line  batch.Line
	claim payout.Outcome
	head  application.Application
	also  []table.Write // what leads its reference back, and what was found
}

// writes is how many writes c brings into a transaction.
func (c claimed) writes() int { return 3 + len(c.also) } // the payout, its event, the application's condition

// part is some lines of a page, as many as one transaction takes, and the others.
type part struct{ lines, rest []claimed }

func parts(lines []claimed) func(func(part) bool) {
	return func(yield func(part) bool) {
		for len(lines) > 0 {
			n, total := 0, fileWrites
			for n < len(lines) && (n == 0 || total+lines[n].writes() <= table.MaxWrites) {
				total += lines[n].writes()
				n++
			}
			p := part{lines[:n], lines[n:]}
			lines = p.rest
			if !yield(p) {
				return
			}
		}
	}
}

// claim is what takes p into b, but for its line; ok is false when p waits on: it
// is held, stopped, taken, or cannot stand in a file.
func (d Deps) claim(ctx context.Context, b batch.Batch, board brake.Board, p payout.Payout) (c claimed, ok bool, err error) {
	if p.State != payout.Due || p.Rail() != award.BankBatch || p.Since.After(b.Cutoff) {
		return c, false, nil
	}
	if c.head, err = application.Get(ctx, d.Table, p.Award.Application); err != nil {
		return c, false, err
	}
	free, found, err := d.free(ctx, c.head, board, p)
	if err != nil || !free {
		return c, false, err
	}
	to, err := payout.OpenPayee(ctx, d.Table, d.Box, p)
	if err != nil {
		return c, false, err
	}
	reference, attempt := p.NextReference()
	digest, err := d.Files.Line(rail.Order{Reference: reference, AmountFen: p.Award.AmountFen, Payee: to, Purpose: Purpose})
	if err != nil {
		if fault.Of(err).Kind != fault.Invalid {
			return c, false, err
		}
		d.alarm(ctx, p, batch.AlarmLine) // it waits on, and a person must choose another way
		return c, false, nil
	}
	if c.claim, err = payout.Step(p, payout.Claim{Payee: digest, File: b.ID}, actor, d.Now()); err != nil || c.claim.Event == "" {
		return c, false, err
	}
	ref, err := p.Filed(reference, attempt)
	c.also = append(found, ref)
	c.line = batch.Line{Application: p.Award.Application, Award: p.Award.ID, Attempt: attempt, Reference: reference,
		AmountFen: p.Award.AmountFen, Payee: digest, To: to}
	return c, err == nil, err
}

// take stores one page of lines with their claims, all or nothing. When somebody
// moved one of them meanwhile, that one waits on and the others are taken one by
// one less.
func (d Deps) take(ctx context.Context, b batch.Batch, board brake.Board, lines []claimed, mark batch.Mark) (batch.Batch, error) {
	for len(lines) > 0 {
		now := d.Now()
		var plain []batch.Line
		var writes []table.Write
		for i, c := range lines {
			c = c.numbered(b.Lines.Count + i + 1)
			step, err := c.claim.Writes()
			if err != nil {
				return b, err
			}
			plain = append(plain, c.line)
			writes = append(append(append(writes, step...), c.also...), c.head.Unmoved())
		}
		next, err := b.Filled(plain, mark, now)
		if err != nil {
			return b, err
		}
		page, err := batch.Page(ctx, d.Box, b.ID, next.Pages, plain)
		if err != nil {
			return b, err
		}
		err = d.commitFile(ctx, next, "filled", append(writes, page, board.Check())...)
		if err == nil {
			d.Metrics.Count("payout_filed", int64(len(lines)))
			return next, nil
		}
		failed, is := errors.AsType[*table.ConditionError](err)
		if !is {
			return b, err
		}
		if _, ours := failed.On(batch.Key(b.ID)); ours || board.Moved(failed) {
			return b, err
		}
		lines = without(lines, failed)
	}
	return b, nil
}

// numbered is c as that line of its file.
func (c claimed) numbered(n int) claimed {
	c.line.Number = n
	c.claim.Payout.Attempts = slices.Clone(c.claim.Payout.Attempts)
	c.claim.Payout.Attempts[len(c.claim.Payout.Attempts)-1].Line = n
	return c
}

// without is lines without those that a condition kept out.
func without(lines []claimed, failed *table.ConditionError) []claimed {
	var left []claimed
	for _, c := range lines {
		gone := false
		for _, w := range append(c.also[:len(c.also):len(c.also)], c.head.Unmoved(), table.Check{Key: c.line.Key()}) {
			_, is := failed.On(w.Target())
			gone = gone || is
		}
		if !gone {
			left = append(left, c)
		}
	}
	if len(left) == len(lines) {
		return nil // what failed is none of them: look again
	}
	return left
}

func (d Deps) complete(ctx context.Context, b batch.Batch) error {
	next, err := b.Complete(d.Now())
	if err != nil {
		return err
	}
	return d.commitFile(ctx, next, "completed")
}

// seal makes the bytes of b and stores them. If we die half way, the same bytes
// are made again.
func (d Deps) seal(ctx context.Context, b batch.Batch) error {
	lines, err := batch.Full(ctx, d.Table, d.Box, b)
	if err != nil {
		return err
	}
	f := rail.FileOrder{ID: b.ID, Layout: b.Layout, At: b.At()}
	for _, l := range lines {
		f.Lines = append(f.Lines, rail.Order{Reference: l.Reference, AmountFen: l.AmountFen, Payee: l.To, Purpose: Purpose})
	}
	raw, err := d.Files.Encode(f)
	if err != nil {
		if fault.Of(err).Kind != fault.Invalid {
			return err
		}
		next, err := b.Unwritable(d.Now())
		if err != nil {
			return err
		}
		d.fileAlarm(ctx, b, batch.AlarmLine)
		return d.commitFile(ctx, next, "unwritable")
	}
	chunks, err := b.KeepBytes(ctx, d.Table, d.Box, raw)
	if err != nil {
		return err
	}
	next, err := b.Sealed(batch.Digest(raw), len(raw), chunks, d.Now())
	if err != nil {
		return err
	}
	return d.commitFile(ctx, next, "sealed")
}

// stopped is an error when a brake stops any of what the file would pay: what is
// in a file leaves together or not at all.
func (d Deps) stopped(board brake.Board, b batch.Batch) error {
	people := []event.Actor{b.Proposed.By, b.Released.By}
	for _, township := range b.Townships {
		if err := board.Stopped(brake.Payment{Township: township, Programme: award.FirstAid, Rail: award.BankBatch, People: people}, d.Now()); err != nil {
			return err
		}
	}
	return nil
}

// sendFile sends the stored bytes. If we die after the claim, the lease runs out
// and settle asks; it never makes another file.
func (d Deps) sendFile(ctx context.Context, b batch.Batch) error {
	board, err := brake.Read(ctx, d.Table, b.ID)
	if err != nil {
		return err
	}
	if d.stopped(board, b) != nil {
		d.Metrics.Count("pay_braked", 1)
		return nil // it stays owed, and the sweep offers it again
	}
	raw, err := b.Raw(ctx, d.Table, d.Box)
	if err != nil {
		return err
	}
	if admitted, err := d.Files.Admit(ctx, rail.Sending); err != nil || !admitted {
		return err
	}
	sending, err := b.Claim(d.Now())
	if err != nil {
		return err
	}
	if err := d.commitFile(ctx, sending, "sent", board.Check()); err != nil {
		return err
	}
	d.Metrics.Count("file_sent", 1)
	said := d.Files.Send(ctx, b.ID, raw)
	if said.Alarm != "" {
		d.fileAlarm(ctx, b, said.Alarm)
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
	defer cancel()
	next, kind, alarm, err := sending.Reply(said, d.Now())
	if err != nil {
		return err
	}
	if alarm != "" {
		d.fileAlarm(ctx, b, alarm)
	}
	return d.commitFile(save, next, kind)
}

func (d Deps) fileAlarm(ctx context.Context, b batch.Batch, code string) {
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: code})
	d.Log.ErrorContext(ctx, "a payment file needs a person", "code", code, "file", b.ID, "state", string(b.State))
}
