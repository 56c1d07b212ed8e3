// Package batch is a file that pays many people at once (代发文件): who wanted it
// sent and who released it, which payouts stand in it, the exact bytes, what the
// bank has said of the whole, and how far its return files have been taken in.
//
// A payout stands in at most one open file, because standing in one is a state of
// the payout and getting there is a condition. The bytes are stored before the
// first send and never change; the id is permanent, so a file that goes twice is
// one payment. Not knowing is a state, left only by the bank's answer to our own
// question. Every step is a version with an event, and each can be taken up by
// somebody else when whoever began it died.
//
// It refuses to know any bank, any layout and what becomes of a single payout:
// that is the machine in package payout, line by line.
package batch

import (
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/work"
)

// Noun names files in events.
const Noun = "batch"

// State is where a file stands. Stored values never change meaning.
type State string

// The states.
const (
	Proposed  State = "proposed"  // 待第二人放行
	Filling   State = "filling"   // released: payouts are taken in, page by page
	Sealing   State = "sealing"   // complete: the bytes are made and stored
	Ready     State = "ready"     // the bytes are stored and are to go, or to go again
	Sending   State = "sending"   // on the wire, or its sender died
	Unknown   State = "unknown"   // nobody knows whether the bank has it: ask
	Submitted State = "submitted" // the bank has it
	Applying  State = "applying"  // a return file is stored, and is taken in page by page
	Rejecting State = "rejecting" // the bank will pay nothing of it: the payouts go back, page by page
	Settled   State = "settled"   // every line has an outcome; it is still asked for restated ones
	Rejected  State = "rejected"  // every payout waits for another file; it is still asked about
	Frozen    State = "frozen"    // the bank holds something else under this id: nothing is sent any more
	Empty     State = "empty"     // nothing was left to pay
	Cancelled State = "cancelled" // withdrawn before it was released
)

// States lists every state, for tests that prove tables total.
func States() []State {
	return []State{Proposed, Filling, Sealing, Ready, Sending, Unknown, Submitted, Applying, Rejecting, Settled, Rejected, Frozen, Empty, Cancelled}
}

// Label is the state's name in Chinese.
func (s State) Label() string {
	return map[State]string{Proposed: "待第二人放行", Filling: "正在列入收款人", Sealing: "正在生成文件", Ready: "待发送", Sending: "正在发送",
		Unknown: "正在向银行核实", Submitted: "银行已受理", Applying: "正在处理回盘", Rejecting: "银行整份拒收，正在退回待发", Settled: "已处理完毕",
		Rejected: "银行整份拒收", Frozen: "已冻结核查", Empty: "没有可发放的款项", Cancelled: "已撤回"}[s]
}

// Hand is what one person did.
type Hand struct {
	By event.Actor `json:"by"`
	At time.Time   `json:"at"`
}

// Tally is lines and their money.
type Tally struct {
	Count int       `json:"count"`
	Fen   money.Fen `json:"fen"`
}

// Mark is how far the waiting payouts have been looked through.
type Mark struct {
	Township int    `json:"township"` // index into Townships
	After    string `json:"after,omitempty"`
}

// Taking is a return file that is stored and is being taken in. For a file that
// the bank rejected whole, Edition is 0.
type Taking struct {
	Edition  int    `json:"edition"`
	Digest   string `json:"digest"` // of the return file, or of the answer that rejected it
	Chunks   int    `json:"chunks,omitempty"`
	NextPage int    `json:"next_page"` // pages before it are done
	Code     string `json:"code,omitempty"`
}

// Batch is one file.
type Batch struct {
	ID        string               `json:"id"` // also the bank's name for it
	Version   int64                `json:"version"`
	Division  civil.DivisionCode   `json:"division"`
	Townships []civil.DivisionCode `json:"townships"` // of Division on the day it was proposed
	State     State                `json:"state"`
	Since     time.Time            `json:"since"`
	Next      time.Time            `json:"next,omitzero"` // when the machine must act
	// Cutoff: only payouts that waited by then. Most is what two people saw and
	// released; the file never holds more.
	Cutoff    time.Time `json:"cutoff"`
	Most      Tally     `json:"most"`
	Proposed  Hand      `json:"proposed"`
	Released  *Hand     `json:"released,omitempty"`
	Cancelled *Hand     `json:"cancelled,omitempty"`

	Layout string `json:"layout,omitempty"`
	Mark   Mark   `json:"mark"`
	Pages  int    `json:"pages,omitempty"`
	Lines  Tally  `json:"lines"`
	// Digest is the SHA-256 of the bytes, hex, kept in Chunks parts.
	Digest string `json:"digest,omitempty"`
	Bytes  int    `json:"bytes,omitempty"`
	Chunks int    `json:"chunks,omitempty"`

	SentAt time.Time `json:"sent_at,omitzero"` // first
	// Accepted: the bank has once said that it holds our bytes, if only to pay
	// nothing of them. They are never sent again: their payouts may be in another file.
	Accepted bool   `json:"accepted,omitempty"`
	Asked    int    `json:"asked,omitempty"` // answers in a row that brought nothing new
	Code     string `json:"code,omitempty"`  // the bank's last

	Taking *Taking `json:"taking,omitempty"`
	// Edition is the newest return file that was taken in, Returned its digest.
	Edition  int    `json:"edition,omitempty"`
	Returned string `json:"returned,omitempty"`
	// Outcomes is what that edition says of the lines, by word; "" has none yet.
	Outcomes map[payout.Word]Tally `json:"outcomes,omitempty"`
	// Parked are the digests of return files that were refused and are kept.
	Parked []string `json:"parked,omitempty"`
}

// MaxLines is the most payees of one file, as the banks' rules have it.
const MaxLines = 50_000

// Limits of patience.
const (
	// Lease is how long a sender of a file has before somebody else asks.
	Lease = 2 * time.Minute
	// Unresolved is the age at which a file without outcomes is an alarm.
	Unresolved = 24 * time.Hour
	// Watched is how long after it was sent a file is asked for restated return
	// files: money can come back weeks later.
	Watched = 60 * 24 * time.Hour
	// shortPause is the time between sends while our account has not enough.
	shortPause = 15 * time.Minute
	// maxParked bounds what Parked lists; the files themselves are kept without bound.
	maxParked = 50
)

// Codes of alarms.
const (
	AlarmFrozen     = "file-frozen"
	AlarmShort      = "payout-account-short"
	AlarmUnresolved = "file-unresolved"
	AlarmReturn     = "file-return-refused"
	AlarmLine       = "file-line-refused"
	AlarmRejected   = "file-rejected"
	AlarmUnclear    = "file-line-unclear"
)

// New is a file that one person proposes. Nothing moves.
func New(b Batch, by event.Actor, at time.Time) (Batch, error) {
	if b.Most.Count < 1 || !b.Most.Fen.Payable() || len(b.Townships) == 0 || b.Layout == "" {
		return b, ErrNothing
	}
	if !by.Stranger() {
		return b, ErrPerson
	}
	b.Version, b.State, b.Since, b.Proposed = 1, Proposed, at, Hand{by, at}
	return b, nil
}

// Release is the second person's step: the machine goes on from here.
func (b Batch) Release(by event.Actor, at time.Time) (Batch, error) {
	if b.State != Proposed {
		return b, ErrState
	}
	if !by.Stranger(event.Names(b.Proposed.By)...) {
		return b, ErrPerson
	}
	b.Released = &Hand{by, at}
	return b.to(Filling, at, at), nil
}

// Cancel withdraws a file that was not released; one person is enough to not pay.
func (b Batch) Cancel(by event.Actor, at time.Time) (Batch, error) {
	if b.State != Proposed {
		return b, ErrState
	}
	if !by.Stranger() {
		return b, ErrPerson
	}
	b.Cancelled = &Hand{by, at}
	return b.to(Cancelled, at, time.Time{}), nil
}

// to moves to a state.
func (b Batch) to(s State, at, next time.Time) Batch {
	if b.State != s {
		b.Since = at
	}
	b.State, b.Next = s, next
	b.Version++
	return b
}

// At is the time that stands in the file: fixed, so that the same file has the
// same bytes however often they are made.
func (b Batch) At() time.Time { return b.Released.At.Truncate(time.Second) }

// Room is how much more the file may take: what two people released, and no more
// than the bank takes in one file.
func (b Batch) Room(most int) Tally {
	return Tally{min(b.Most.Count, most) - b.Lines.Count, b.Most.Fen - b.Lines.Fen}
}

// Filled is b with one more page of lines, or none, looked through up to mark.
func (b Batch) Filled(lines []Line, mark Mark, at time.Time) (Batch, error) {
	if b.State != Filling {
		return b, ErrState
	}
	for _, l := range lines {
		var err error
		if b.Lines.Fen, err = b.Lines.Fen.Add(l.AmountFen); err != nil {
			return b, err
		}
		b.Lines.Count++
	}
	if b.Lines.Count > b.Most.Count || b.Lines.Fen > b.Most.Fen {
		return b, ErrNothing
	}
	if len(lines) > 0 {
		b.Pages++
	}
	b.Mark = mark
	return b.to(Filling, at, at), nil
}

// Complete is b when there is nothing more to take in.
func (b Batch) Complete(at time.Time) (Batch, error) {
	switch {
	case b.State != Filling:
		return b, ErrState
	case b.Lines.Count == 0:
		return b.to(Empty, at, time.Time{}), nil
	}
	return b.to(Sealing, at, at), nil
}

// Sealed is b with its bytes stored.
func (b Batch) Sealed(digest string, bytes, chunks int, at time.Time) (Batch, error) {
	if b.State != Sealing || digest == "" || chunks < 1 {
		return b, ErrState
	}
	b.Digest, b.Bytes, b.Chunks = digest, bytes, chunks
	return b.to(Ready, at, at), nil
}

// Unwritable is b when its lines cannot be made into a file. Not a byte of it was
// ever sent, so that its payouts may wait for another one.
func (b Batch) Unwritable(at time.Time) (Batch, error) {
	if b.State != Sealing {
		return b, ErrState
	}
	b.Taking = &Taking{Digest: Digest([]byte(NeverSent)), Code: NeverSent}
	return b.to(Rejecting, at, at), nil
}

// NeverSent stands for the bank's answer where no bank was asked, because nothing
// was sent.
const NeverSent = "NEVER_SENT"

// Claim is b about to be sent. If we die after it is stored, the lease runs out
// and somebody asks the bank.
func (b Batch) Claim(at time.Time) (Batch, error) {
	if b.State != Ready || at.Before(b.Next) {
		return b, ErrState
	}
	if b.SentAt.IsZero() {
		b.SentAt = at
	}
	return b.to(Sending, at, at.Add(Lease)), nil
}

// asked stays with the question and spaces it out.
func (b Batch) asked(s State, at time.Time) Batch {
	next := at.Add(payout.Interval(b.Asked))
	b.Asked++
	return b.to(s, at, next)
}

// matches reports whether the bank speaks of our bytes.
func (b Batch) matches(s rail.FileSaid) bool {
	return s.Digest == b.Digest && s.Lines == b.Lines.Count && s.TotalFen == b.Lines.Fen
}

// Reply is what sending brought. It ends nothing: what the bank says at once is a
// reason to ask. kind is what happened, alarm a code or "".
func (b Batch) Reply(s rail.FileSaid, at time.Time) (next Batch, kind, alarm string, err error) {
	if b.State != Sending || s.File != b.ID {
		return b, "", "", ErrState
	}
	b.Code = s.Code
	switch {
	case s.Word == payout.Conflict, s.Word == payout.Processing && !b.matches(s):
		return b.freeze(at), "frozen", AlarmFrozen, nil
	case s.Word == payout.Processing:
		b.Accepted, b.Asked = true, 0
		return b.asked(Submitted, at), "submitted", "", nil
	case s.Word == payout.Short:
		return b.to(Unknown, at, at.Add(shortPause)), "unknown", AlarmShort, nil
	}
	return b.asked(Unknown, at), "unknown", "", nil
}

// freeze stops the file from ever being sent again. It is still asked about,
// slowly: a verified return file that fits says what became of each line, and
// reading it pays nobody.
func (b Batch) freeze(at time.Time) Batch { return b.to(Frozen, at, at.Add(15*time.Minute)) }

// Asks reports whether the bank is to be asked about the file at b.Next.
func (b Batch) Asks() bool {
	switch b.State {
	case Sending, Unknown, Submitted, Settled, Rejected, Frozen:
		return !b.Next.IsZero()
	}
	return false
}

// Answer is what the bank answered to our own question. When wants is true there
// is a return file to fetch, and next is not to be stored: Take or Park is.
func (b Batch) Answer(s rail.FileSaid, at time.Time) (next Batch, kind, alarm string, wants bool, err error) {
	if !b.Asks() || s.File != b.ID {
		return b, "", "", false, ErrState
	}
	b.Code = s.Code
	switch s.Word {
	case payout.Conflict:
		next, kind, alarm = b.frozen(at)
		return next, kind, alarm, false, nil
	case payout.Processing:
		if !b.matches(s) {
			next, kind, alarm = b.frozen(at)
			return next, kind, alarm, false, nil
		}
		b.Accepted = true
		if s.Edition > 0 && b.news(s) {
			return b, "", "", true, nil
		}
		next, kind, alarm = b.wait(at)
		return next, kind, alarm, false, nil
	case payout.Declined:
		switch {
		case !b.matches(s), b.Edition > 0:
			// It had paid lines, and now says it never will.
			next, kind, alarm = b.frozen(at)
			return next, kind, alarm, false, nil
		case b.State == Rejected:
			next, kind, alarm = b.wait(at)
			return next, kind, alarm, false, nil
		}
		b.Accepted, b.Asked = true, 0
		b.Taking = &Taking{Digest: s.Evidence, Code: s.Code}
		return b.to(Rejecting, at, at), "rejected", AlarmRejected, false, nil
	case payout.NotFound, payout.Short:
		if !b.Accepted && b.State != Frozen {
			// The bank does not hold it: the same bytes go again.
			pause := at
			if s.Word == payout.Short {
				pause, alarm = at.Add(shortPause), AlarmShort
			}
			return b.to(Ready, at, pause), "not_found", alarm, false, nil
		}
	}
	next, kind, alarm = b.wait(at)
	return next, kind, alarm, false, nil
}

func (b Batch) frozen(at time.Time) (Batch, string, string) {
	alarm := AlarmFrozen
	if b.State == Frozen {
		alarm = "" // was told
	}
	return b.freeze(at), "frozen", alarm
}

// news reports whether s names a return file that we have neither taken in nor
// refused.
func (b Batch) news(s rail.FileSaid) bool {
	for _, p := range b.Parked {
		if p == s.ReturnDigest {
			return false
		}
	}
	return s.Edition > b.Edition || s.Edition == b.Edition && s.ReturnDigest != b.Returned
}

// wait asks again later: soon while lines are open, and seldom once only restated
// return files can come.
func (b Batch) wait(at time.Time) (Batch, string, string) {
	age := at.Sub(b.SentAt)
	switch b.State {
	case Settled, Rejected:
		b.Asked++
		switch {
		case age >= Watched:
			return b.to(b.State, at, time.Time{}), "watched", ""
		case age >= 24*time.Hour:
			return b.to(b.State, at, at.Add(12*time.Hour)), "asked", ""
		}
		return b.to(b.State, at, at.Add(time.Hour)), "asked", ""
	case Frozen:
		if !b.Accepted || age >= Watched {
			return b.to(Frozen, at, at.Add(12*time.Hour)), "asked", ""
		}
	}
	state, alarm := b.State, ""
	if b.Accepted {
		state = Submitted
	} else if state != Frozen {
		state = Unknown
	}
	if age >= Unresolved {
		alarm = AlarmUnresolved
	}
	return b.asked(state, at), "asked", alarm
}

// Take is b with a return file stored, to be taken in.
func (b Batch) Take(edition int, digest string, chunks int, at time.Time) (Batch, error) {
	if !b.Asks() || edition <= b.Edition || chunks < 1 {
		return b, ErrState
	}
	b.Accepted, b.Asked = true, 0
	b.Taking = &Taking{Edition: edition, Digest: digest, Chunks: chunks}
	return b.to(Applying, at, at), nil
}

// Park is b with a return file refused. The file itself is kept by whoever stores
// this.
func (b Batch) Park(digest string, at time.Time) (Batch, error) {
	if !b.Asks() {
		return b, ErrState
	}
	b.Parked = append(b.Parked[max(0, len(b.Parked)-maxParked+1):len(b.Parked):len(b.Parked)], digest)
	next, _, _ := b.wait(at)
	return next, nil
}

// Taken is b with the pages before page done.
func (b Batch) Taken(page int, at time.Time) (Batch, error) {
	if b.State != Applying && b.State != Rejecting || page < b.Taking.NextPage {
		return b, ErrState
	}
	taking := *b.Taking
	taking.NextPage = page
	b.Taking = &taking
	return b.to(b.State, at, at), nil
}

// Done is b with its return file, or its rejection, taken in whole. outcomes is
// what the return file says of the lines. alarm tells of lines that nobody
// understands.
func (b Batch) Done(outcomes map[payout.Word]Tally, at time.Time) (next Batch, alarm string, err error) {
	switch b.State {
	case Rejecting:
		b.Taking = nil
		if b.Digest == "" {
			return b.to(Rejected, at, time.Time{}), "", nil
		}
		return b.to(Rejected, at, at.Add(time.Hour)), "", nil
	case Applying:
	default:
		return b, "", ErrState
	}
	b.Edition, b.Returned, b.Taking, b.Outcomes = b.Taking.Edition, b.Taking.Digest, nil, outcomes
	final := outcomes[payout.Succeeded].Count + outcomes[payout.Declined].Count + outcomes[payout.SentBack].Count
	if outcomes[payout.Silence].Count > 0 {
		alarm = AlarmUnclear
	}
	if final == b.Lines.Count {
		return b.to(Settled, at, at.Add(time.Hour)), alarm, nil
	}
	b.Asked = 0
	return b.asked(Submitted, at), alarm, nil
}

// owes is which function must act at b.Next.
func (b Batch) owes() (work.Queue, bool) {
	switch b.State {
	case Filling, Sealing, Ready:
		return work.Pay, !b.Next.IsZero()
	}
	return work.Settle, !b.Next.IsZero()
}

// ID derives the permanent id of the file that one request asks for.
func ID(request string) string { return ident.Derive(Noun, request) }
