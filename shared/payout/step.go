package payout

import (
	"cmp"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
)

// Word is what a bank said about one reference, freed of its protocol.
type Word string

// The words.
const (
	Processing Word = "processing" // it has the order and is not done
	Succeeded  Word = "succeeded"  // paid
	Declined   Word = "declined"   // never will be, and asking again will not help
	Retryable  Word = "retryable"  // never will be under this reference; a new attempt may be
	SentBack   Word = "sent_back"  // was paid and came back
	NotFound   Word = "not_found"  // no such order at this moment: no proof of anything
	Short      Word = "short"      // our account has not enough: same reference, later
	Awaits     Word = "awaits"     // it has the order, and the person must accept the money
	Closed     Word = "closed"     // never will be: not accepted in time, or taken back; the money is ours again
	Refused    Word = "refused"    // it did not take the order, because of what is in it or who we are
	Conflict   Word = "conflict"   // it holds other content under our reference
	Silence    Word = "silence"    // no word that can be believed: timeout, 5xx, bad signature
)

// Words lists every word.
func Words() []Word {
	return []Word{Processing, Succeeded, Declined, Retryable, SentBack, NotFound, Short, Awaits, Closed, Refused, Conflict, Silence}
}

// Said is a bank's statement. AmountFen and Payee are what it says it pays, zero
// when it made no such statement.
type Said struct {
	Word      Word
	Reference string
	AmountFen money.Fen
	Payee     string    // keyed digest of the payee
	At        time.Time // the bank's clock; zero when it did not say
	Code      string
	Evidence  string // SHA-256 of the raw message, hex
	// BankReference is the bank's own number of the payment; "" when it told none.
	BankReference string
	// Packaged says that the statement came with what the person needs to accept
	// the money; it is stored together with the step.
	Packaged bool
}

// Input is one thing that can happen to a payout.
type Input interface{ input() }

// Claim: the order is about to be sent. Payee is the keyed digest of the payee in
// the stored bytes; it is ignored when the same bytes go again. File and Line say
// which line of which file the attempt is, over a rail that pays in files.
type Claim struct {
	Payee string
	File  string
	Line  int
}

// Reply is what came back from sending the order.
type Reply struct{ Said }

// Answer is what the bank answered to our own question.
type Answer struct{ Said }

// News is what the bank told us unasked.
type News struct{ Said }

// Held: the order may not be sent now, so ask again later instead.
type Held struct{}

// Cancel: somebody asks to take the money back because the person cannot accept it.
type Cancel struct{}

// Retry: two people decided to pay after all, perhaps to another account or over
// another rail.
type Retry struct {
	Rail          award.Rail // "" is the same as before
	Payee         string     // keyed reference of the account
	Payees        []string   // the same under older live keys
	First, Second event.Actor
}

// Thaw: two people looked at what differed, and the machine may ask again.
type Thaw struct{ First, Second event.Actor }

// Cash: the money was handed over. Receipt is the SHA-256 of the signed receipt.
type Cash struct{ Receipt string }

func (Claim) input()  {}
func (Reply) input()  {}
func (Answer) input() {}
func (News) input()   {}
func (Held) input()   {}
func (Cancel) input() {}
func (Retry) input()  {}
func (Thaw) input()   {}
func (Cash) input()   {}

// Effect is something a step implies. All but Send, Close and Alarm are written in
// the same transaction as the step; Send and Close come after it.
type Effect struct {
	Kind EffectKind
	Code string // of a hold or an alarm; kind of a notice
}

// EffectKind is what an effect is.
type EffectKind string

// The kinds of effect.
const (
	Send     EffectKind = "send"      // give the stored bytes to the rail
	Close    EffectKind = "close"     // ask the provider to take the order back
	Reserve  EffectKind = "reserve"   // take the amount from what is available
	Post     EffectKind = "post"      // book the payment
	PostLate EffectKind = "post_late" // book a payment whose reservation was voided
	Void     EffectKind = "void"      // release the reservation
	Return   EffectKind = "return"    // book that the payment came back
	Tell     EffectKind = "tell"      // the person is owed a notice
	Hold     EffectKind = "hold"      // nothing more is paid until a person has looked
	Alarm    EffectKind = "alarm"     // an operator or finance must know now
)

// Codes of holds. Each is a task for a person.
const (
	HoldFrozen       = "PAYOUT_FROZEN"       // amount, payee or reference differs
	HoldFailed       = "PAYOUT_FAILED"       // the bank cannot pay this account
	HoldReturned     = "PAYOUT_RETURNED"     // the bank sent the money back
	HoldContradicted = "PAYOUT_CONTRADICTED" // the bank says paid, then not paid
)

// Codes of alarms.
const (
	AlarmFrozen       = "payout-frozen"
	AlarmShort        = "payout-account-short"
	AlarmUnresolved   = "payout-unresolved"
	AlarmContradicted = "payout-contradicted"
	AlarmRefused      = "payout-order-refused"
)

// Limits of persistence.
const (
	// Lease is how long a sender has before somebody else asks the bank.
	Lease = 30 * time.Second
	// MaxRetries is how many attempts the machine begins by itself.
	MaxRetries = 3
	// Unresolved is the age at which an attempt without an outcome is an alarm.
	Unresolved = 15 * time.Minute
	// Confirmation is how long a person has to accept the money, as WeChat Pay
	// has it; closing may take a while longer.
	Confirmation = 24 * time.Hour
)

var intervals = []time.Duration{2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}

// Interval is the time before the next question after asked answers in a row
// that settled nothing.
func Interval(asked int) time.Duration { return intervals[min(max(asked, 0), len(intervals)-1)] }

// waitPause is the time between questions while the person has the word; the
// provider's callback is quicker.
const waitPause = 15 * time.Minute

// shortPause is how long to wait when our account is short.
const shortPause = 15 * time.Minute

// Outcome is what a step made. Event is what happened, "" when nothing did: then
// Payout is as it was and there are no effects.
type Outcome struct {
	Payout  Payout
	Event   string
	By      event.Actor
	At      time.Time
	Said    Said // the statement behind it; zero when there was none
	Effects []Effect
}

// Step is the whole machine. It is pure: the same arguments make the same
// outcome. An error means that a person asked for what may not be; an input that
// is late, repeated or out of order is no error and changes nothing.
func Step(p Payout, in Input, by event.Actor, at time.Time) (Outcome, error) {
	o := Outcome{Payout: p, By: by, At: at}
	o.Payout.Attempts = slices.Clone(p.Attempts)
	var err error
	switch in := in.(type) {
	case Claim:
		o.claim(in)
	case Held:
		o.held()
	case Cancel:
		err = o.cancel()
	case Reply:
		o.Said = in.Said
		o.reply(in.Said)
	case Answer:
		o.Said = in.Said
		o.answer(in.Said)
	case News:
		o.Said = in.Said
		o.news(in.Said)
	case Retry:
		err = o.retry(in)
	case Thaw:
		err = o.thaw(in)
	case Cash:
		err = o.cash(in)
	}
	if err != nil || o.Event == "" {
		return Outcome{Payout: p, By: by, At: at}, err
	}
	o.Payout.Version++
	return o, nil
}

// to moves to a state; next is when the machine acts again.
func (o *Outcome) to(s State, what string, next time.Time, effects ...Effect) {
	if o.Payout.State != s {
		o.Payout.Since = o.At
	}
	o.Payout.State, o.Payout.Next, o.Event = s, next, what
	o.Effects = append(o.Effects, effects...)
}

func (o *Outcome) claim(in Claim) {
	p := &o.Payout
	if !p.Award.Rail.ByMachine() || (p.State != Due && p.State != Resend) || o.At.Before(p.Next) || !p.Open ||
		p.Award.Rail.InFiles() != (in.File != "") {
		return
	}
	if in.File != "" {
		reference, number := p.NextReference()
		p.Attempts = append(p.Attempts, Attempt{Number: number, Reference: reference, Rail: p.Award.Rail, Payee: in.Payee, At: o.At, File: in.File, Line: in.Line})
		p.Asked = 0
		o.to(InFile, "filed", time.Time{}) // from here on the file is owed, and with it this
		return
	}
	what := "resent"
	if p.State == Due {
		reference, number := p.NextReference()
		p.Attempts = append(p.Attempts, Attempt{Number: number, Reference: reference, Rail: p.Award.Rail, Payee: in.Payee, At: o.At})
		p.Asked = 0
		what = "instructed"
	}
	// If we die after this is stored, the lease runs out and somebody asks the bank.
	o.to(Instructing, what, o.At.Add(Lease), Effect{Kind: Send})
}

func (o *Outcome) held() {
	if o.Payout.State == Resend {
		o.ask(Unknown, "waiting")
	}
}

// ask stays with the question and spaces it out.
func (o *Outcome) ask(s State, what string) {
	next := o.At.Add(Interval(o.Payout.Asked))
	o.Payout.Asked++
	o.to(s, what, next)
	if o.Payout.overdue(o.At) {
		o.Effects = append(o.Effects, Effect{Alarm, AlarmUnresolved})
	}
}

// overdue reports whether an order has been on its way for longer than it should.
func (p Payout) overdue(at time.Time) bool {
	current, ok := p.Current()
	switch {
	case !ok || !p.State.Flying():
		return false
	case p.State == Closing:
		return at.Sub(p.Since) >= Unresolved
	case current.Packaged:
		return at.Sub(current.At) >= Confirmation+Unresolved
	}
	return at.Sub(current.At) >= Unresolved
}

// await leaves the word to the person, who is told once there is something to
// accept the money with. Without that the same bytes go again, because only the
// answer to them brings it.
func (o *Outcome) await(s Said, again bool) {
	p := &o.Payout
	last := &p.Attempts[len(p.Attempts)-1]
	switch {
	case p.State == Closing:
		o.ask(Closing, "cancelling")
		o.Effects = append(o.Effects, Effect{Kind: Close})
	case last.Packaged:
		o.wait()
	case s.Packaged:
		last.Packaged = true
		o.wait(Effect{Tell, string(notice.Confirm)})
	case again && p.Open:
		o.to(Resend, "confirm_wanted", o.At.Add(Interval(p.Asked)))
		p.Asked++
	default:
		o.ask(Submitted, "submitted")
	}
}

func (o *Outcome) wait(effects ...Effect) {
	o.to(Waiting, "waiting", o.At.Add(waitPause), effects...)
	if o.Payout.overdue(o.At) {
		o.Effects = append(o.Effects, Effect{Alarm, AlarmUnresolved})
	}
}

// cancel asks to take the money back. Nothing is concluded from asking: the
// reservation stands until an answer proves that the order is closed.
func (o *Outcome) cancel() error {
	if o.Payout.State != Waiting {
		return ErrState
	}
	o.Payout.Asked = 0
	o.to(Closing, "cancel_asked", o.At)
	return nil
}

func (o *Outcome) reply(s Said) {
	current, ok := o.Payout.Current()
	if o.Payout.State != Instructing || !ok || s.Reference != current.Reference {
		return
	}
	switch {
	case s.Word == Conflict || o.Payout.differs(s):
		o.freeze()
	case s.Word == Short:
		o.Payout.Asked++
		o.to(Unknown, "unknown", o.At.Add(shortPause), Effect{Alarm, AlarmShort})
	case s.Word == Silence || s.Word == NotFound:
		o.ask(Unknown, "unknown")
	case s.Word == Refused:
		// What we sent may be refused because an earlier copy was taken: ask first.
		o.Payout.Attempts[len(o.Payout.Attempts)-1].Refused = cmp.Or(s.Code, string(Refused))
		o.ask(Unknown, "unknown")
		o.Effects = append(o.Effects, Effect{Alarm, AlarmRefused})
	case s.Word == Awaits:
		o.await(s, false)
	default:
		// Whatever the bank says at once, only its answer to our question settles it.
		o.ask(Submitted, "submitted")
	}
}

// differs reports whether s states another amount or payee than ours. What ends
// in money must state both.
func (p Payout) differs(s Said) bool {
	current, ok := p.Current()
	if !ok {
		return true
	}
	if s.AmountFen == 0 && s.Payee == "" {
		return s.Word == Succeeded || s.Word == SentBack
	}
	return s.AmountFen != p.Award.AmountFen || s.Payee != current.Payee
}

// freeze stops a payout that has an attempt: only of one can something differ.
func (o *Outcome) freeze() {
	o.Payout.Was = o.Payout.State
	o.Payout.Attempts[len(o.Payout.Attempts)-1].Refused = "" // people look now
	o.to(Frozen, "frozen", time.Time{}, Effect{Hold, HoldFrozen}, Effect{Alarm, AlarmFrozen})
}

func (o *Outcome) answer(s Said) {
	p := &o.Payout
	current, ok := p.Current()
	if !ok || p.State == Frozen {
		return
	}
	if s.Reference != current.Reference {
		o.stray(s)
		return
	}
	if s.Word == Conflict || (s.Word != Silence && s.Word != NotFound && p.differs(s)) {
		o.freeze()
		return
	}
	switch {
	case p.State.Flying():
		o.settle(s)
	case p.State == Paid:
		o.recheck(s)
	case p.denied(s):
		o.reopen()
	}
}

// denied reports whether s speaks of money that an answer had said would never
// be paid. A payment that came back is no news once it has been booked.
func (p Payout) denied(s Said) bool {
	current, ok := p.Current()
	return ok && (p.State == Failed || p.State == Due) && current.Ended != SentBack &&
		(s.Word == Succeeded || s.Word == SentBack)
}

// stray is money under a reference of an earlier attempt, which an answer had
// said would never be paid. There may now be two payments: nothing moves until
// people have looked.
func (o *Outcome) stray(s Said) {
	earlier := slices.ContainsFunc(o.Payout.Attempts, func(a Attempt) bool { return a.Reference == s.Reference })
	if earlier && o.Payout.State != Frozen && (s.Word == Succeeded || s.Word == SentBack || s.Word == Conflict) {
		o.freeze()
	}
}

// settle takes the answer about an order that may be on its way.
func (o *Outcome) settle(s Said) {
	p := &o.Payout
	switch s.Word {
	case Succeeded:
		o.pay(s, time.Time{}, Effect{Tell, string(notice.Paid)})
	case SentBack:
		// It was paid and came back before we heard of either. Both are booked, one
		// after the other, and the person is told the end of it only.
		o.pay(s, o.At)
	case Declined, Closed:
		o.fail(s)
	case Awaits:
		o.await(s, !p.filed())
	case Retryable, Short:
		if p.filed() && p.Open {
			// A file is formed by two people, and so the next attempt is theirs.
			p.end(s)
			p.Asked = 0
			o.to(Due, "attempt_failed", p.due(o.At))
			return
		}
		if s.Word == Short {
			o.short(s)
			return
		}
		if p.Retries >= MaxRetries || !p.Open {
			o.fail(s)
			return
		}
		p.end(s)
		p.Retries++
		o.to(Due, "attempt_failed", o.At.Add(Interval(p.Retries)))
	case Processing:
		if p.State == Closing {
			o.ask(Closing, "cancelling")
			return
		}
		o.ask(Submitted, "submitted")
	case NotFound:
		if !p.Open {
			o.fail(s) // nothing was sent since the answer that voided it
			return
		}
		if p.filed() {
			o.ask(p.State, "unknown") // the whole file goes again, never a line of it
			return
		}
		if p.State == Closing {
			o.ask(Closing, "unknown") // what is being taken back is never sent again
			return
		}
		if current, _ := p.Current(); current.Refused != "" {
			o.freeze() // the same bytes would be refused again
			return
		}
		o.to(Resend, "not_found", o.At)
	default:
		s := p.State
		if s == Instructing || s == Resend {
			s = Unknown
		}
		o.ask(s, "unknown")
	}
}

// short is proof that nothing was paid, and that it is not the payee's fault: a
// new attempt, but no hurry.
func (o *Outcome) short(s Said) {
	p := &o.Payout
	if p.Retries >= MaxRetries || !p.Open {
		o.fail(s)
		return
	}
	p.end(s)
	p.Retries++
	o.to(Due, "attempt_failed", o.At.Add(shortPause), Effect{Alarm, AlarmShort})
}

// end closes the present attempt with the answer that ended it.
func (p *Payout) end(s Said) {
	last := &p.Attempts[len(p.Attempts)-1]
	last.Ended, last.Code, last.Evidence = s.Word, s.Code, s.Evidence
	last.BankReference = cmp.Or(s.BankReference, last.BankReference)
}

func (o *Outcome) pay(s Said, next time.Time, tell ...Effect) {
	p := &o.Payout
	p.end(s)
	p.PaidFen, p.PaidAt, p.Asked = s.AmountFen, s.At, 0
	if p.PaidAt.IsZero() {
		p.PaidAt = o.At
	}
	book := Effect{Kind: Post}
	if !p.Open {
		book.Kind, p.Late = PostLate, true
	}
	p.Open = false
	o.to(Paid, "paid", next, append([]Effect{book}, tell...)...)
}

func (o *Outcome) fail(s Said) {
	p := &o.Payout
	p.end(s)
	var effects []Effect
	if p.Open {
		effects = []Effect{{Kind: Void}, {Tell, string(notice.PaymentFailed)}}
	}
	p.Open, p.Asked = false, 0
	o.to(Failed, "failed", time.Time{}, append(effects, Effect{Hold, HoldFailed})...)
}

// recheck takes an answer about an order that was paid.
func (o *Outcome) recheck(s Said) {
	p := &o.Payout
	switch s.Word {
	case SentBack:
		p.end(s)
		p.Asked = 0
		o.to(Returned, "returned", time.Time{}, Effect{Kind: Return}, Effect{Tell, string(notice.Returned)}, Effect{Hold, HoldReturned})
	case Declined, Retryable, Closed, Short, NotFound:
		// Paid stays paid: the ledger follows money, not words. A person finds out.
		p.Asked = 0
		o.to(Paid, "contradicted", time.Time{}, Effect{Hold, HoldContradicted}, Effect{Alarm, AlarmContradicted})
	case Succeeded:
		if !p.Next.IsZero() {
			p.Asked = 0
			o.to(Paid, "confirmed", time.Time{})
		}
	default:
		if !p.Next.IsZero() {
			o.ask(Paid, "asked")
		}
	}
}

// reopen goes back to not knowing, because the bank now says it paid what it had
// said it would not.
func (o *Outcome) reopen() {
	o.Payout.Asked = 0
	o.to(Unknown, "unknown", o.At, Effect{Alarm, AlarmContradicted})
}

func (o *Outcome) news(s Said) {
	p := &o.Payout
	current, ok := p.Current()
	if !ok || p.State == Frozen {
		return
	}
	if s.Reference != current.Reference {
		o.stray(s)
		return
	}
	if s.Word == Conflict || p.differs(s) {
		o.freeze()
		return
	}
	switch {
	case p.State.Flying():
		next := p.State
		if next == Resend {
			next = Unknown
		}
		o.to(next, "asked", o.At)
	case p.State == Paid && s.Word == SentBack:
		o.to(Paid, "asked", o.At)
	case p.State == Paid && (s.Word == Declined || s.Word == Retryable || s.Word == Closed):
		o.to(Paid, "asked", o.At, Effect{Alarm, AlarmContradicted})
	case p.denied(s):
		o.reopen()
	}
}

func (o *Outcome) retry(in Retry) error {
	p := &o.Payout
	if p.State != Failed && p.State != Returned {
		return ErrState
	}
	if !two(in.First, in.Second) {
		return ErrTwo
	}
	if in.Rail != "" {
		if !in.Rail.ByMachine() {
			return ErrState
		}
		p.Award.Rail = in.Rail
	}
	p.Award.Payee, p.Award.Payees = in.Payee, slices.Clone(in.Payees)
	p.Reservation++
	p.Open, p.Late, p.Retries, p.Asked = true, false, 0, 0
	p.PaidFen, p.PaidAt = 0, time.Time{}
	o.to(Due, "retried", p.due(o.At), Effect{Kind: Reserve})
	return nil
}

func (o *Outcome) thaw(in Thaw) error {
	p := &o.Payout
	if p.State != Frozen {
		return ErrState
	}
	if !two(in.First, in.Second) {
		return ErrTwo
	}
	was := p.Was
	p.Was, p.Asked = "", 0
	switch {
	case was.Flying() || was == Due:
		o.to(Unknown, "thawed", o.At)
	case was == Paid:
		o.to(Paid, "thawed", o.At)
	default:
		o.to(was, "thawed", time.Time{})
	}
	return nil
}

func (o *Outcome) cash(in Cash) error {
	p := &o.Payout
	if p.State != Due || p.Award.Rail != award.ReserveCash || !p.Open {
		return ErrState
	}
	if len(in.Receipt) != 64 {
		return ErrReceipt
	}
	p.Receipt, p.PaidFen, p.PaidAt, p.Open = in.Receipt, p.Award.AmountFen, o.At, false
	o.to(Paid, "paid", time.Time{}, Effect{Kind: Post}, Effect{Tell, string(notice.Paid)})
	return nil
}

// two reports whether a and b are two different human beings.
func two(a, b event.Actor) bool {
	return a.Kind == event.Staff && b.Kind == event.Staff && a.ID != b.ID &&
		a.Person != "" && b.Person != "" && a.Person != b.Person
}

// Alarms are the codes of o's alarms.
func (o Outcome) Alarms() []string {
	var codes []string
	for _, f := range o.Effects {
		if f.Kind == Alarm {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// Closes reports whether the provider must be asked to take the order back now.
func (o Outcome) Closes() bool {
	return slices.ContainsFunc(o.Effects, func(f Effect) bool { return f.Kind == Close })
}

// Sends reports whether the stored bytes must go to the rail now.
func (o Outcome) Sends() bool {
	return slices.ContainsFunc(o.Effects, func(f Effect) bool { return f.Kind == Send })
}
