package decide

import (
	"context"
	"errors"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/batch"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// FileUse says where payments may leave in files that pay many.
type FileUse struct {
	In       func(civil.DivisionCode) bool // reports whether a township pays so; nil is nowhere
	Layout   string                        // the form of new files
	MaxLines int                           // the most payees of one file
}

// BatchIn proposes a file of everything that waits in a division now.
type BatchIn struct {
	Division string `json:"division" api:"required,max=12"`
}

// BatchOf restates what the caller saw: nobody releases what they have not read.
type BatchOf struct {
	Version  int64     `json:"version" api:"required,min=1"`
	Lines    int       `json:"lines" api:"required,min=1"`
	TotalFen money.Fen `json:"total_fen" api:"required,min=1"`
}

// BatchOut is a payment file. It names nobody.
type BatchOut struct {
	ID         string `json:"id"`
	Version    int64  `json:"version"`
	Division   string `json:"division"`
	Place      string `json:"place"`
	State      string `json:"state"`
	StateLabel string `json:"state_label"`
	Since      string `json:"since"`
	Cutoff     string `json:"cutoff"`
	// Proposed is the most that the file may pay: what two people saw. Filled is
	// what stands in it.
	ProposedLines int            `json:"proposed_lines"`
	ProposedFen   money.Fen      `json:"proposed_fen"`
	FilledLines   int            `json:"filled_lines"`
	FilledFen     money.Fen      `json:"filled_fen"`
	Layout        string         `json:"layout"`
	Digest        string         `json:"digest,omitempty"`
	SentAt        string         `json:"sent_at,omitempty"`
	Edition       int            `json:"return_edition,omitempty"`
	Outcomes      []BatchOutcome `json:"outcomes"`
	Parked        int            `json:"returns_refused,omitempty"`
	Code          string         `json:"code,omitempty"` // the bank's last
	ProposedBy    string         `json:"proposed_by"`
	ReleasedBy    string         `json:"released_by,omitempty"`
	CancelledBy   string         `json:"cancelled_by,omitempty"`
}

// BatchOutcome is how many lines have one outcome, as the newest return file has it.
type BatchOutcome struct {
	Outcome string    `json:"outcome"`
	Label   string    `json:"label"`
	Lines   int       `json:"lines"`
	Fen     money.Fen `json:"fen"`
}

// BatchWait is what waits in one township for a file. Nothing waits unseen.
type BatchWait struct {
	Township string    `json:"township"`
	Place    string    `json:"place"`
	Lines    int       `json:"lines"`
	Fen      money.Fen `json:"fen"`
	Oldest   string    `json:"oldest"`
	Hours    int64     `json:"hours"` // how long the oldest waits
}

// Batches is what waits in a division for a file, and its latest files.
type Batches struct {
	Waiting []BatchWait `json:"waiting"`
	Batches []BatchOut  `json:"batches"`
}

// outcomes says each word of a return file in Chinese.
var outcomes = []struct {
	word  payout.Word
	label string
}{{payout.Succeeded, "已入账"}, {payout.Declined, "发放失败"}, {payout.SentBack, "银行退回"}, {payout.Silence, "尚无结果或不能识别"}}

func (d Deps) batchOut(b batch.Batch, now time.Time) BatchOut {
	out := BatchOut{ID: b.ID, Version: b.Version, Division: string(b.Division), Place: d.name(b.Division, now), State: string(b.State), StateLabel: b.State.Label(),
		Since: clock(b.Since), Cutoff: clock(b.Cutoff), ProposedLines: b.Most.Count, ProposedFen: b.Most.Fen, FilledLines: b.Lines.Count, FilledFen: b.Lines.Fen,
		Layout: b.Layout, Digest: b.Digest, Edition: b.Edition, Outcomes: []BatchOutcome{}, Parked: len(b.Parked), Code: b.Code, ProposedBy: b.Proposed.By.ID}
	if !b.SentAt.IsZero() {
		out.SentAt = clock(b.SentAt)
	}
	if b.Released != nil {
		out.ReleasedBy = b.Released.By.ID
	}
	if b.Cancelled != nil {
		out.CancelledBy = b.Cancelled.By.ID
	}
	for _, o := range outcomes {
		if t := b.Outcomes[o.word]; t.Count > 0 {
			out.Outcomes = append(out.Outcomes, BatchOutcome{string(o.word), o.label, t.Count, t.Fen})
		}
	}
	return out
}

// recentBatches is how many files of a division are listed.
const recentBatches = 50

func listBatches(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Batches, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Batches{}, err
	}
	root, err := d.permitted(ctx, who, staff.ListBatches, civil.DivisionCode(call.Query("division")), now)
	if err != nil {
		return Batches{}, err
	}
	out := Batches{Waiting: []BatchWait{}, Batches: []BatchOut{}}
	for _, township := range d.townships(root, now) {
		w, err := batch.Waits(ctx, d.Table, township, now, d.most())
		if err != nil {
			return Batches{}, err
		}
		if w.Count > 0 {
			out.Waiting = append(out.Waiting, BatchWait{string(township), d.name(township, now), w.Count, w.Fen, clock(w.Oldest), int64(now.Sub(w.Oldest) / time.Hour)})
		}
	}
	all, err := batch.Recent(ctx, d.Table, root, recentBatches)
	if err != nil {
		return Batches{}, err
	}
	for _, b := range all {
		out.Batches = append(out.Batches, d.batchOut(b, now))
	}
	return out, nil
}

// townships are the townships of a division, itself when it is one.
func (d Deps) townships(root civil.DivisionCode, now time.Time) []civil.DivisionCode {
	var all []civil.DivisionCode
	for _, code := range d.below([]civil.DivisionCode{root}, now) {
		if code.Level() >= civil.TownshipLevel {
			all = append(all, code)
		}
	}
	return all
}

// most is how many waiting payments are counted, also where files are not in use.
func (d Deps) most() int { return max(d.Files.MaxLines, table.MaxPage) }

func showBatch(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (BatchOut, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return BatchOut{}, err
	}
	b, err := d.batchFor(ctx, who, staff.ListBatches, call.Path("batch"), now)
	if err != nil {
		return BatchOut{}, err
	}
	return d.batchOut(b, now), nil
}

// batchFor is a file about which who may do action. Out of scope looks like absent.
func (d Deps) batchFor(ctx context.Context, who staff.Staff, action staff.Action, id string, now time.Time) (batch.Batch, error) {
	b, err := batch.Get(ctx, d.Table, id)
	if err != nil {
		return b, err
	}
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(b.Division, now), County: d.county(b.Division, now),
		Earlier: event.Names(b.Proposed.By)})
	if err := decision.Err(); err != nil {
		switch {
		case errors.Is(err, application.ErrNotFound):
			err = batch.ErrNotFound
		case errors.Is(err, application.ErrSamePerson):
			err = batch.ErrPerson
		}
		return b, d.tell(ctx, &denied{err, who, action, application.Application{Township: b.Division}, decision.Policies})
	}
	return b, nil
}

// proposeBatch is the first person's step: what waits now is counted. Nothing moves.
func proposeBatch(ctx context.Context, d Deps, call httpapi.Call[BatchIn]) (httpapi.Reply[BatchOut], error) {
	var none httpapi.Reply[BatchOut]
	now := d.Now()
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	root, err := d.permitted(ctx, who, staff.ProposeBatch, civil.DivisionCode(call.Body.Division), now)
	if err != nil {
		return none, err
	}
	b := batch.Batch{ID: batch.ID(call.RequestKey()), Division: root, Cutoff: now, Layout: d.Files.Layout}
	if before, err := d.batched(ctx, b.ID, call.Request); err != nil || before.Body != nil {
		return before, err
	}
	for _, township := range d.townships(root, now) {
		if d.Files.In == nil || !d.Files.In(township) {
			continue
		}
		w, err := batch.Waits(ctx, d.Table, township, now, d.Files.MaxLines-b.Most.Count)
		if err != nil {
			return none, err
		}
		b.Townships = append(b.Townships, township)
		b.Most.Count += w.Count
		if b.Most.Fen, err = b.Most.Fen.Add(w.Fen); err != nil {
			return none, batch.ErrNothing.Because(err)
		}
	}
	if len(b.Townships) == 0 {
		return none, batch.ErrOff
	}
	if b, err = batch.New(b, who.Actor(), now); err != nil {
		return none, err
	}
	return d.keepBatch(ctx, call.Request, who, board, b, "proposed", b.Proposed.By, now)
}

// releaseBatch is the second person's step. The machine forms the file, of no more
// than was seen, stores its bytes and sends it.
func releaseBatch(ctx context.Context, d Deps, call httpapi.Call[BatchOf]) (httpapi.Reply[BatchOut], error) {
	return d.batchStep(ctx, call, staff.ReleaseBatch, "released", batch.Batch.Release)
}

// cancelBatch withdraws a file that was not released. What waits goes on waiting.
func cancelBatch(ctx context.Context, d Deps, call httpapi.Call[BatchOf]) (httpapi.Reply[BatchOut], error) {
	return d.batchStep(ctx, call, staff.CancelBatch, "cancelled", batch.Batch.Cancel)
}

func (d Deps) batchStep(ctx context.Context, call httpapi.Call[BatchOf], action staff.Action, kind string,
	to func(batch.Batch, event.Actor, time.Time) (batch.Batch, error)) (httpapi.Reply[BatchOut], error) {
	var none httpapi.Reply[BatchOut]
	now := d.Now()
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	b, err := d.batchFor(ctx, who, action, call.Path("batch"), now)
	if err != nil {
		return none, err
	}
	again, err := d.batched(ctx, b.ID, call.Request)
	if err != nil || again.Body != nil {
		return again, err
	}
	if err := d.recent(action, call.SignedIn, now); err != nil {
		return none, err
	}
	// What was released already is told so, however late the screen is.
	by := who.Actor(b.Proposed.By.Person)
	next, err := to(b, by, now)
	if err != nil {
		return none, err
	}
	if b.Version != call.Body.Version || b.Most.Count != call.Body.Lines || b.Most.Fen != call.Body.TotalFen {
		return none, batch.ErrMovedOn
	}
	return d.keepBatch(ctx, call.Request, who, board, next, kind, by, now)
}

// keepBatch stores a step of a file with its event and its answer. A twin of the
// same request finds the answer of the first.
func (d Deps) keepBatch(ctx context.Context, r httpapi.Request, who staff.Staff, board brake.Board, b batch.Batch, kind string, by event.Actor, now time.Time) (httpapi.Reply[BatchOut], error) {
	var none httpapi.Reply[BatchOut]
	reply, err := httpapi.Fresh(201, d.batchOut(b, now))
	if err != nil {
		return none, err
	}
	e := b.Event(kind, by, now)
	e.Trace = r.Trace
	e.Request = &event.Request{Key: r.RequestKey(), Digest: d.Blind.Ref("request", r.Digest()), Status: reply.Status, Answer: reply.Body}
	if err := batch.Commit(ctx, d.Table, b, e, append(who.Checks(), board.Check())...); err != nil {
		if errors.Is(err, batch.ErrMovedOn) {
			if twin, again := d.batched(ctx, b.ID, r); again == nil && twin.Body != nil {
				return twin, nil
			}
		}
		return none, err
	}
	return reply, nil
}

// batched is the answer that a request about a file got before; without a body
// when it is new.
func (d Deps) batched(ctx context.Context, id string, r httpapi.Request) (httpapi.Reply[BatchOut], error) {
	return answered[BatchOut](ctx, d, batch.Partition(id), batch.Noun, id, r)
}
