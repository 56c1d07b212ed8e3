package complaint

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
)

// Inside reports whether a division stands in another, or is it.
type Inside func(code, in civil.DivisionCode) bool

// New is a complaint as it is filed: its accepting clock runs.
func New(c Complaint, r *Rules, at time.Time) Complaint {
	c.Version, c.State, c.FiledAt, c.Rules = 1, Filed, at, r.Fingerprint
	c.Accepting = clock(at, r.acceptDue(c.Kind, c.Rank, at))
	return c
}

// turn is c's next version when it is in one of states.
func (c Complaint) turn(states ...State) (Complaint, error) {
	if !slices.Contains(states, c.State) {
		return c, ErrState
	}
	return c.Touch(), nil
}

// Touch is c's next version with nothing changed but what stands in the event.
func (c Complaint) Touch() Complaint {
	c.Version++
	return c
}

// Accept takes it. The clock of its handling begins, once and for all. Whoever
// takes it says how urgent it is, which kind, and who is complained about.
func (c Complaint) Accept(k Kind, rank Rank, target Target, r *Rules, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Filed)
	if err != nil {
		return c, err
	}
	n.Kind, n.Rank, n.Target = k, rank, target
	if err := n.untouched(by); err != nil {
		return c, err
	}
	n.State, n.AcceptedAt = Accepted, at
	n.Accepting = met(c.Accepting, at)
	n.Handling = clock(at, r.handleDue(k, rank, c.FiledAt, at))
	return n, nil
}

// met is k with the moment at which it was first met.
func met(k *Clock, at time.Time) *Clock {
	if k == nil || !k.Met.IsZero() {
		return k
	}
	m := *k
	m.Met = at
	return &m
}

// Decline does not take it. That is a handling like any other: somebody else
// reviews it before the complainant is told.
func (c Complaint) Decline(o Outcome, by event.Actor, at time.Time) (Complaint, error) {
	if c.State != Filed || !slices.Contains(Declined(), o) {
		return c, ErrState
	}
	return c.found(o, by, at)
}

// found records an outcome, for somebody else to review.
func (c Complaint) found(o Outcome, by event.Actor, at time.Time) (Complaint, error) {
	if err := c.other(by, c.KnowsWho()...); err != nil {
		return c, err
	}
	n := c.Touch()
	n.State, n.Finding, n.Checked = Handled, &Finding{Hand{By: by, At: at, Version: n.Version}, o}, nil
	n.Handlers = append(slices.Clone(c.Handlers), by)
	return n, nil
}

// Assign gives it to a division to handle, or to another one. It refuses the
// unit complained about and all in it, and for 复查 and 复核 whatever is not
// above the one that handled it.
func (c Complaint) Assign(to civil.DivisionCode, documents []string, in Inside, r *Rules, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Accepted, Assigned)
	if err != nil {
		return c, err
	}
	if err := n.untouched(by); err != nil {
		return c, err
	}
	if c.Target.Division != "" && in(to, c.Target.Division) {
		return c, ErrTarget
	}
	if last, ok := c.lastHandling(); ok && c.Stage != First && (to == last || !in(last, to)) {
		return c, ErrLower
	}
	n.State = Assigned
	n.Assigned = append(slices.Clone(c.Assigned), Assignment{Division: to, By: by, At: at, ObjectDue: r.objectDue(at).At, Version: n.Version, Documents: documents})
	return n, nil
}

// lastHandling is the division whose handling the present stage reviews.
func (c Complaint) lastHandling() (civil.DivisionCode, bool) {
	if c.Reviewing == nil {
		return "", false
	}
	for _, a := range slices.Backward(c.Assigned) {
		if !a.At.After(c.Reviewing.From) {
			return a.Division, true
		}
	}
	return "", false
}

// Object says that it is not the unit's to handle. Whoever assigned it decides.
func (c Complaint) Object(by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned)
	if err != nil {
		return c, err
	}
	if err := n.other(by); err != nil {
		return c, err
	}
	a, _ := c.Present()
	switch {
	case a.Objection != nil || a.ObjectDue.IsZero():
		return c, ErrState
	case at.After(a.ObjectDue):
		return c, ErrLate
	}
	a.Objection = &Hand{by, at, n.Version}
	return n.withPresent(a), nil
}

func (c Complaint) withPresent(a Assignment) Complaint {
	c.Assigned = slices.Clone(c.Assigned)
	c.Assigned[len(c.Assigned)-1] = a
	return c
}

// Decide answers an objection: agreed, it waits to be assigned anew; not agreed,
// the unit goes on. The clock goes on either way.
func (c Complaint) Decide(agree bool, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned)
	if err != nil {
		return c, err
	}
	a, _ := c.Present()
	if a.Objection == nil {
		return c, ErrState
	}
	if err := n.other(by, a.Objection.By); err != nil {
		return c, err
	}
	if agree {
		n.State = Accepted
		return n, nil
	}
	a.Objection, a.ObjectDue = nil, time.Time{}
	return n.withPresent(a), nil
}

// Handle records what was found.
func (c Complaint) Handle(o Outcome, by event.Actor, at time.Time) (Complaint, error) {
	if c.State != Assigned || !slices.Contains(Outcomes(), o) {
		return c, ErrState
	}
	return c.found(o, by, at)
}

// Examine is the review by somebody who handled nothing of it: passed, it is
// answered; not passed, it goes back.
func (c Complaint) Examine(pass bool, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Handled)
	if err != nil {
		return c, err
	}
	if err := n.other(by, c.Handlers...); err != nil {
		return c, err
	}
	if pass {
		n.State, n.Checked = Reviewed, &Hand{by, at, n.Version}
		return n, nil
	}
	n.State, n.Finding = Assigned, nil
	if slices.Contains(Declined(), c.Finding.Outcome) {
		n.State = Filed
	}
	return n, nil
}

// Answer sends the reply. It is closed, and somebody will look again.
func (c Complaint) Answer(r *Rules, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Reviewed)
	if err != nil {
		return c, err
	}
	if err := n.other(by); err != nil {
		return c, err
	}
	n.State, n.Reply, n.Rating, n.LookBack = Replied, &Hand{by, at, n.Version}, "", nil
	n.Pauses = ended(c.Pauses, at)
	n.Accepting = met(c.Accepting, at)
	switch {
	case c.Stage != First:
		n.Reviewing = met(c.Reviewing, at)
	default:
		n.Handling = met(c.Handling, at)
	}
	if !slices.Contains(Declined(), c.Finding.Outcome) {
		n.LookBack = &LookBack{Due: r.lookBackDue(at).At}
	}
	return n, nil
}

// ended is pauses with those that last longer than at cut off there.
func ended(pauses []Pause, at time.Time) []Pause {
	pauses = slices.Clone(pauses)
	for i, p := range pauses {
		if at.Before(p.end()) {
			pauses[i].Ended = at
		}
	}
	return pauses
}

// Rate is what the complainant thinks of the reply, once a reply.
func (c Complaint) Rate(rating Rating) (Complaint, error) {
	n, err := c.turn(Replied)
	switch {
	case err != nil:
		return c, err
	case c.Rating != "":
		return c, ErrRated
	case !slices.Contains(Ratings(), rating):
		return c, ErrState
	}
	n.Rating = rating
	return n, nil
}

// Reopen takes it up again because the complainant is not content: a report is
// handled again, on the first clock; a petition goes one level up, 复查 and then
// 复核, each with the regulation's own time. Neither sets the first clock back.
func (c Complaint) Reopen(r *Rules, at time.Time) (Complaint, error) {
	n, err := c.turn(Replied)
	if err != nil {
		return c, err
	}
	if at.After(r.askDue(c.Kind, c.Reply.At).At) {
		return c, ErrLate
	}
	if c.Kind == Petition && c.Handling != nil {
		if c.Stage == Rereview {
			return c, ErrState // after 复核 the same matter is not taken again (第三十六条)
		}
		n.Stage++
		n.Reviewing = clock(at, r.reviewDue(at))
	}
	return n.again(), nil
}

// ReopenBy is the last moment to take it up again; ok is false when it cannot be.
func (c Complaint) ReopenBy(r *Rules) (until time.Time, ok bool) {
	if c.State != Replied || c.Kind == Petition && c.Stage == Rereview {
		return until, false
	}
	return r.askDue(c.Kind, c.Reply.At).At, true
}

// again is c with its reply behind it.
func (c Complaint) again() Complaint {
	c.Reopened++
	c.State, c.Finding, c.Checked, c.Rating, c.LookBack = Accepted, nil, nil, "", nil
	if c.Handling == nil {
		c.State = Filed
	}
	return c
}

// Supervise asks the unit for an answer by due (督办).
func (c Complaint) Supervise(id string, due time.Time, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned, Handled, Reviewed)
	if err != nil {
		return c, err
	}
	if err := n.other(by); err != nil {
		return c, err
	}
	n.Notes = append(slices.Clone(c.Notes), Note{ID: id, Sent: Hand{by, at, n.Version}, Due: due})
	return n, nil
}

// Report answers a supervision note.
func (c Complaint) Report(id string, by event.Actor, at time.Time) (Complaint, error) {
	i := slices.IndexFunc(c.Notes, func(n Note) bool { return n.ID == id && n.Answered == nil })
	if i < 0 {
		return c, ErrNotes
	}
	n := c.Touch()
	if err := n.other(by, c.Notes[i].Sent.By); err != nil {
		return c, err
	}
	n.Notes = slices.Clone(c.Notes)
	n.Notes[i].Answered = &Hand{by, at, n.Version}
	return n, nil
}

// Look is the second look. What was not put right is taken up again, on the
// first clock.
func (c Complaint) Look(rectified bool, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Replied)
	if err != nil {
		return c, err
	}
	if c.LookBack == nil || c.LookBack.Done != nil {
		return c, ErrState
	}
	if err := n.other(by, c.Looked()...); err != nil {
		return c, err
	}
	if !rectified {
		return n.again(), nil
	}
	l := *c.LookBack
	l.Done, l.Rectified = &Hand{by, at, n.Version}, true
	n.LookBack = &l
	return n, nil
}

// AskExtension asks for more days, once in the life of a complaint.
func (c Complaint) AskExtension(more int, r *Rules, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned, Handled)
	switch {
	case err != nil:
		return c, err
	case c.Extension != nil:
		return c, ErrOnce
	case more < 1 || more > r.Clocks.ExtensionDays.Value || c.Stage != First:
		return c, ErrState
	case c.Late(at):
		return c, ErrLate
	}
	if err := n.other(by); err != nil {
		return c, err
	}
	n.Extension = &Extension{Days: more, Asked: Hand{by, at, n.Version}}
	return n, nil
}

// GrantExtension is another person's answer. Refused, it may be asked again.
func (c Complaint) GrantExtension(grant bool, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned, Handled)
	if err != nil {
		return c, err
	}
	if c.Extension == nil || c.Extension.Granted != nil {
		return c, ErrState
	}
	if err := n.other(by, c.Asked()...); err != nil {
		return c, err
	}
	n.Extension = nil
	if grant && c.Late(at) {
		return c, ErrLate // what has run out is not made to run again
	}
	if grant {
		e := *c.Extension
		e.Granted = &Hand{by, at, n.Version}
		n.Extension = &e
	}
	return n, nil
}

// Pause stops the clock until a moment, with a reason. All pauses together last
// no longer than the region allows.
func (c Complaint) Pause(until time.Time, reason string, r *Rules, by event.Actor, at time.Time) (Complaint, error) {
	n, err := c.turn(Assigned)
	switch {
	case err != nil:
		return c, err
	case c.Paused(at):
		return c, ErrPaused
	case !until.After(at) || reason == "":
		return c, ErrState
	case c.Late(at):
		return c, ErrLate
	}
	if err := n.other(by, c.Handlers...); err != nil {
		return c, err
	}
	n.Pauses = append(slices.Clone(c.Pauses), Pause{By: by, Reason: reason, From: at, Until: until})
	if n.paused(time.Time{}) > time.Duration(r.Clocks.PauseDays.Value)*24*time.Hour {
		return c, ErrCap
	}
	return n, nil
}

// Resume ends a pause before its time.
func (c Complaint) Resume(by event.Actor, at time.Time) (Complaint, error) {
	if !c.Paused(at) {
		return c, ErrState
	}
	n := c.Touch()
	if err := n.other(by); err != nil {
		return c, err
	}
	n.Pauses = ended(c.Pauses, at)
	return n, nil
}

// Tell is what the machine does when time has passed: it notes the share of the
// running clock, the supervision notes and the look-back that nobody answered.
// ok is false when there is nothing to tell. It changes no deadline.
func (c Complaint) Tell(now time.Time) (n Complaint, told event.Facts, ok bool) {
	n, told = c.Touch(), event.Facts{}
	if k, _ := c.Running(); k != nil {
		if percent := c.Passed(now); percent > k.Told {
			told["percent"] = percent
			n = n.withRunning(func(k Clock) Clock { k.Told = percent; return k })
		}
	}
	for i, note := range c.Notes {
		if note.Answered == nil && !note.Told && !now.Before(note.Due) {
			n.Notes = slices.Clone(n.Notes)
			n.Notes[i].Told = true
			told["note"] = note.ID
		}
	}
	if l := c.LookBack; l != nil && l.Done == nil && !l.Told && !now.Before(l.Due) {
		m := *l
		m.Told = true
		n.LookBack, told["look_back"] = &m, true
	}
	return n, told, len(told) > 0
}

// withRunning is c with its running clock changed.
func (c Complaint) withRunning(change func(Clock) Clock) Complaint {
	k, _ := c.Running()
	n := change(*k)
	switch k {
	case c.Accepting:
		c.Accepting = &n
	case c.Handling:
		c.Handling = &n
	case c.Reviewing:
		c.Reviewing = &n
	}
	return c
}

// Settle puts the announced date in place of a provisional one, once the
// calendar has every day on the way. ok is false when there is nothing to settle.
func (c Complaint) Settle(r *Rules) (n Complaint, ok bool) {
	k, _ := c.Running()
	if k == nil || !k.Provisional {
		return c, false
	}
	var due calendar.Deadline
	switch k {
	case c.Accepting:
		due = r.acceptDue(c.Kind, c.Rank, c.FiledAt)
	case c.Handling:
		due = r.handleDue(c.Kind, c.Rank, c.FiledAt, c.AcceptedAt)
	default:
		return c, false // counted in days, never provisional
	}
	if due.Provisional {
		return c, false
	}
	return c.Touch().withRunning(func(k Clock) Clock {
		k.At, k.Provisional, k.Basis = due.At, false, due.Basis
		return k
	}), true
}
