package settle

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

const (
	// pagesAtOnce is how many pages of a file one message settles, and linesAtOnce
	// how many lines of a page at the same time.
	pagesAtOnce = 10
	linesAtOnce = 8
	// stepsOfALine bounds how often a line starts again because its payout moved.
	stepsOfALine = 5
)

// Codes of what is wrong with a return file.
const (
	unreadable = "RETURN_UNREADABLE" // form, digest, totals, or a line twice
	notOurs    = "RETURN_NOT_OURS"   // another file or edition than the one asked for
	strange    = "RETURN_STRANGE"    // a line that was never sent
	altered    = "RETURN_ALTERED"    // an edition that was taken in before, with other bytes
)

// file does what a file is owed next: ask about it, or take in what came back.
func (d Deps) file(ctx context.Context, b batch.Batch) error {
	if d.Files == nil || b.Next.IsZero() || d.Now().Before(b.Next) {
		return nil
	}
	var err error
	switch {
	case b.State == batch.Applying || b.State == batch.Rejecting:
		err = d.takeIn(ctx, b)
	case b.Asks():
		err = d.askFile(ctx, b)
	}
	if errors.Is(err, batch.ErrMovedOn) {
		return nil // whoever moved it goes on
	}
	return err
}

func (d Deps) commitFile(ctx context.Context, b batch.Batch, kind string, more ...table.Write) error {
	return batch.Commit(ctx, d.Table, b, b.Event(kind, actor, d.Now()), more...)
}

// askFile asks what became of b, by its id; never is a new file made.
func (d Deps) askFile(ctx context.Context, b batch.Batch) error {
	if admitted, err := d.Files.Admit(ctx, rail.Asking); err != nil || !admitted {
		return err
	}
	said := d.Files.Query(ctx, b.ID)
	if said.Alarm != "" {
		d.fileAlarm(ctx, b, said.Alarm)
	}
	next, kind, alarm, wants, err := b.Answer(said, d.Now())
	if err != nil {
		return err
	}
	if wants {
		return d.fetchReturn(ctx, b, said)
	}
	if alarm != "" {
		d.fileAlarm(ctx, b, alarm)
	}
	save, cancel := context.WithTimeout(context.WithoutCancel(ctx), saving)
	defer cancel()
	return d.commitFile(save, next, kind)
}

// fetchReturn brings a return file here: whole, kept, and either to be taken in or
// parked. If we die before the commit, it is fetched again; what was kept stays.
func (d Deps) fetchReturn(ctx context.Context, b batch.Batch, said rail.FileSaid) error {
	raw, ok := d.Files.Fetch(ctx, b.ID, said.Edition)
	if !ok {
		silent := said
		silent.Word = payout.Silence
		next, kind, alarm, _, err := b.Answer(silent, d.Now())
		if err != nil {
			return err
		}
		if alarm != "" {
			d.fileAlarm(ctx, b, alarm)
		}
		return d.commitFile(ctx, next, kind)
	}
	digest, chunks, err := b.KeepReturn(ctx, d.Table, d.Box, raw)
	if err != nil {
		return err
	}
	why, err := d.wrong(ctx, b, said, digest, raw)
	if err != nil {
		return err
	}
	if why != "" {
		return d.parkReturn(ctx, b, digest, chunks, len(raw), why)
	}
	next, err := b.Take(said.Edition, digest, chunks, d.Now())
	if err != nil {
		return err
	}
	return d.commitFile(ctx, next, "returned")
}

// wrong is what is wrong with a return file as a whole, "" for nothing. What one
// line says otherwise than it was sent stops that line alone.
func (d Deps) wrong(ctx context.Context, b batch.Batch, said rail.FileSaid, digest string, raw []byte) (string, error) {
	report, err := d.Files.Read(b.Layout, raw)
	switch {
	case err != nil && fault.Of(err).Kind != fault.Invalid:
		return "", err
	case err != nil || digest != said.ReturnDigest:
		return unreadable, nil
	case report.File != b.ID || report.Edition != said.Edition:
		return notOurs, nil
	case report.Edition <= b.Edition:
		return altered, nil
	}
	pages, err := batch.Pages(ctx, d.Table, b, 1, b.Pages)
	if err != nil {
		return "", err
	}
	sent := make(map[int]string, b.Lines.Count)
	for _, page := range pages {
		for _, l := range page {
			sent[l.Number] = l.Reference
		}
	}
	for _, l := range report.Lines {
		if sent[l.Line] != l.Reference {
			return strange, nil
		}
	}
	return "", nil
}

// parkReturn refuses a return file. It is kept for ever, somebody is called, and
// nothing moves.
func (d Deps) parkReturn(ctx context.Context, b batch.Batch, digest string, chunks, bytes int, why string) error {
	next, err := b.Park(digest, d.Now())
	if err != nil {
		return err
	}
	next.Code = why
	d.fileAlarm(ctx, b, batch.AlarmReturn)
	parked, err := batch.Parked{File: b.ID, Digest: digest, Chunks: chunks, Bytes: bytes, Reason: why, At: d.Now()}.Write()
	if err != nil {
		return err
	}
	err = d.commitFile(ctx, next, "return_parked", parked)
	if _, there := table.FailedOn(err, parked.Target()); there {
		return d.commitFile(ctx, next, "return_parked") // the same file again: it is kept already
	}
	return err
}

// takeIn settles the lines of some pages. Doing a page twice changes nothing: each
// line is a step of its payout, and a step that was taken is not taken again.
func (d Deps) takeIn(ctx context.Context, b batch.Batch) error {
	said, outcomes, err := d.verdicts(ctx, b)
	if err != nil {
		return err
	}
	first := max(b.Taking.NextPage, 1)
	last := min(first+pagesAtOnce-1, b.Pages)
	pages, err := batch.Pages(ctx, d.Table, b, first, last)
	if err != nil {
		return err
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(d.LinesAtOnce, linesAtOnce))
	for _, page := range pages {
		for _, l := range page {
			if s, is := said(l); is {
				g.Go(func() error { return d.line(within, l, s) })
			}
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if last < b.Pages {
		next, err := b.Taken(last+1, d.Now())
		if err != nil {
			return err
		}
		return d.commitFile(ctx, next, "taking_in")
	}
	next, alarm, err := b.Done(outcomes, d.Now())
	if err != nil {
		return err
	}
	if alarm != "" {
		d.fileAlarm(ctx, b, alarm)
	}
	return d.commitFile(ctx, next, "taken_in")
}

// verdicts is what is said of each line of b, and how much of each word.
func (d Deps) verdicts(ctx context.Context, b batch.Batch) (func(batch.Line) (payout.Said, bool), map[payout.Word]batch.Tally, error) {
	if b.State == batch.Rejecting {
		return func(l batch.Line) (payout.Said, bool) {
			return payout.Said{Word: payout.Retryable, Reference: l.Reference, AmountFen: l.AmountFen, Payee: l.Payee,
				Code: b.Taking.Code, Evidence: b.Taking.Digest}, true
		}, nil, nil
	}
	raw, err := b.RawReturn(ctx, d.Table, d.Box, b.Taking.Digest, b.Taking.Chunks)
	if err != nil {
		return nil, nil, err
	}
	report, err := d.Files.Read(b.Layout, raw)
	if err != nil {
		return nil, nil, err
	}
	of := make(map[int]payout.Said, len(report.Lines))
	outcomes := map[payout.Word]batch.Tally{}
	for _, l := range report.Lines {
		of[l.Line] = l.Said
		t := outcomes[l.Word]
		t.Count++
		if t.Fen, err = t.Fen.Add(l.AmountFen); err != nil {
			return nil, nil, fmt.Errorf("settle: %w", err)
		}
		outcomes[l.Word] = t
	}
	return func(l batch.Line) (payout.Said, bool) {
		s, is := of[l.Number]
		// What nobody understands is no news of that line.
		return s, is && s.Word != payout.Silence
	}, outcomes, nil
}

// line gives what is said of one line to its payout. Where the machine wishes to
// ask again about the very thing, it is told the same again: it was an answer to
// our question.
func (d Deps) line(ctx context.Context, l batch.Line, s payout.Said) error {
	var moved error
	for range stepsOfALine {
		p, err := payout.Get(ctx, d.Table, l.Key())
		if err != nil {
			return err
		}
		ctx := telemetry.WithTrace(ctx, p.Award.Trace)
		o, err := payout.Step(p, payout.Answer{Said: s}, actor, d.Now())
		if err != nil || o.Event == "" {
			return err
		}
		for _, code := range o.Alarms() {
			d.alarm(ctx, p, code)
		}
		switch err := payout.Commit(ctx, d.Table, o); {
		case errors.Is(err, payout.ErrMovedOn):
			moved = err
			continue
		case err != nil:
			return err
		}
		moved = nil
		if p.State != payout.Paid && o.Payout.State == payout.Paid {
			d.Metrics.Count("payout_paid", 1)
		}
		if !o.Payout.Asks() || o.Payout.Next.After(d.Now()) {
			return nil
		}
	}
	// What was moved by us stands in the due index, and is asked about by itself. A
	// line that others never let rest is owed with its file alone: the page is done
	// again, or it would stay without an outcome for ever.
	return moved
}

// askLine asks about one payout that stands in a file and was looked at by people:
// the file is asked for by its id, and its newest return file read for that line.
func (d Deps) askLine(ctx context.Context, p payout.Payout, current payout.Attempt) (payout.Said, error) {
	silence := payout.Said{Word: payout.Silence, Reference: current.Reference}
	b, err := batch.Get(ctx, d.Table, current.File)
	if err != nil {
		return silence, err
	}
	if admitted, err := d.Files.Admit(ctx, rail.Asking); err != nil || !admitted {
		return silence, err
	}
	said := d.Files.Query(ctx, b.ID)
	if said.Alarm != "" {
		d.alarm(ctx, p, said.Alarm)
	}
	if said.Word != payout.Processing || said.Edition < max(b.Edition, 1) {
		return silence, nil
	}
	raw, ok := d.Files.Fetch(ctx, b.ID, said.Edition)
	if !ok || batch.Digest(raw) != said.ReturnDigest {
		return silence, nil
	}
	report, err := d.Files.Read(b.Layout, raw)
	if err != nil || report.File != b.ID {
		return silence, nil //nolint:nilerr // a file that cannot be believed says nothing; the file's own turn parks it
	}
	for _, l := range report.Lines {
		if l.Line == current.Line && l.Reference == current.Reference && l.Word != payout.Silence {
			return l.Said, nil
		}
	}
	return silence, nil
}

func (d Deps) fileAlarm(ctx context.Context, b batch.Batch, code string) {
	d.Metrics.Count("payout_alarm", 1, telemetry.Label{Name: "code", Value: code})
	d.Log.ErrorContext(ctx, "a payment file needs a person", "code", code, "file", b.ID, "state", string(b.State))
}
