package application

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
)

// moves lists the legal moves: from a state, what may happen, and where it leads.
var moves = map[string]map[State]State{
	"verified":     {Accepted: Verified, Verified: Verified},
	"supplemented": {Accepted: Accepted, Verified: Accepted, Proposed: Accepted},
	"proposed":     {Verified: Proposed, Proposed: Proposed},
	"approved":     {Proposed: Approved},
	"released":     {Verified: Approved}, // within a standing approval that two people gave beforehand
	"refused":      {Accepted: Refused, Verified: Refused, Proposed: Refused},
	"reopened":     {Refused: Verified}, // on appeal
	"restarted":    {Refused: Accepted}, // on appeal, when it was refused before the registers had answered
	"withdrawn":    {Accepted: Withdrawn, Verified: Withdrawn, Proposed: Withdrawn},
	"explained":    {Approved: Explained},
	"held":         stay(Accepted, Verified, Proposed, Approved, Explained),
	"hold_lifted":  stay(States()...),
	"escalated":    stay(Accepted, Verified, Proposed, Approved),
	"rescheduled":  stay(Accepted, Verified, Proposed, Approved), // the holidays that a deadline waited for are announced
	"receipted":    stay(Approved, Explained),
	"noted":        stay(States()...), // a visit, a consent, a document, an appeal: recorded, no state change
}

func stay(states ...State) map[State]State {
	m := map[State]State{}
	for _, s := range states {
		m[s] = s
	}
	return m
}

// Moves lists the names of all moves, for the full matrix in tests.
func Moves() []string { return slices.Sorted(maps.Keys(moves)) }

// May reports whether move is legal from state s.
func May(s State, move string) bool {
	_, ok := moves[move][s]
	return ok
}

// after is a with one more version, moved; nothing of the original is shared.
func (a Application) after(move string) (Application, error) {
	to, ok := moves[move][a.State]
	if !ok {
		return Application{}, ErrState.Because(fmt.Errorf("%s from %s", move, a.State))
	}
	a.State = to
	a.Version++
	a.Holds = slices.Clone(a.Holds)
	a.Requests = maps.Clone(a.Requests)
	return a, nil
}

// WithFindings records what the checks mean. Holds that the rules demand come
// with it; holds already there stay.
func (a Application) WithFindings(f Findings, holds []Hold) (Application, error) {
	n, err := a.after("verified")
	if err != nil {
		return n, err
	}
	n.Findings = &f
	n.Holds = append(n.Holds, missing(a.Holds, holds)...)
	return n, nil
}

// missing is those of want for whose code no hold was placed, so that a second
// verification does not bring back a hold that a person lifted.
func missing(have, want []Hold) []Hold {
	return slices.DeleteFunc(slices.Clone(want), func(w Hold) bool { return LookedAt(have, w.Code) })
}

// LookedAt reports whether a hold with code was placed for the people and the
// payee that there are now, whether it is still open or somebody lifted it.
func LookedAt(holds []Hold, code string) bool {
	return slices.ContainsFunc(holds, func(h Hold) bool { return h.Code == code && !h.Past })
}

// Supplement sends the application back to verification with new particulars. A
// proposal made for the old ones is void, and with other people or another payee
// so is every look that lifted a hold; the clock goes on.
func (a Application) Supplement(subject string, people []string, payee string, at time.Time) (Application, error) {
	n, err := a.after("supplemented")
	if err != nil {
		return n, err
	}
	if subject != a.Subject || payee != a.Payee || !slices.Equal(people, a.People) {
		n = n.Unseen()
	}
	if a.Proposal != nil && a.Payee != "" && payee != a.Payee {
		n.PayeeChange = &PayeeChange{At: at}
	}
	n.Subject, n.People, n.Payee = subject, people, payee
	n.Findings, n.Proposal = nil, nil
	return n, nil
}

// Unseen is a version in the making for which no earlier look counts: what lifted
// holds were about has changed.
func (a Application) Unseen() Application {
	a.Holds = slices.Clone(a.Holds)
	for i := range a.Holds {
		a.Holds[i].Past = a.Holds[i].Lifted != nil
	}
	return a
}

// Propose records one officer's proposal, in place of an earlier one.
func (a Application) Propose(p Proposal) (Application, error) {
	if a.Held() {
		return Application{}, ErrHeld
	}
	n, err := a.after("proposed")
	if err != nil {
		return n, err
	}
	n.Proposal = &p
	return n, nil
}

// Approve turns the proposal into an award. The approver must be another person
// than the proposer, by person and by account, and must not be concerned.
func (a Application) Approve(award Award, explain Deadline) (Application, error) {
	if a.Held() {
		return Application{}, ErrHeld
	}
	n, err := a.after("approved")
	if err != nil {
		return n, err
	}
	by := award.By
	switch {
	case by.Kind != event.Staff || by.Person == "":
		return Application{}, ErrNotAPerson
	case a.Proposal.By.Person == "" || !by.Stranger(event.Names(a.Proposal.By)...):
		return Application{}, ErrSamePerson
	case a.Concerns(by.Person) || slices.Contains(a.Findings.Kin, by.ID):
		return Application{}, ErrConcerned
	case award.AmountFen != a.Proposal.AmountFen || a.Proposal.Payee != a.Payee:
		return Application{}, ErrMovedOn
	}
	n.Award = &award
	n.Deadline = explain
	return n, nil
}

// Release makes an award within a standing approval that two people gave before.
func (a Application) Release(award Award, p Proposal, explain Deadline) (Application, error) {
	if a.Held() {
		return Application{}, ErrHeld
	}
	n, err := a.after("released")
	if err != nil {
		return n, err
	}
	n.Proposal, n.Award, n.Deadline = &p, &award, explain
	return n, nil
}

// Refuse ends the application by a person's decision. No machine may.
func (a Application) Refuse(by event.Actor) (Application, error) {
	if by.Kind != event.Staff || by.Person == "" {
		return Application{}, ErrNotAPerson
	}
	if a.Concerns(by.Person) {
		return Application{}, ErrConcerned
	}
	n, err := a.after("refused")
	n.Deadline = Deadline{}
	return n, err
}

// Reopen takes a refusal back on appeal: the application is decided on anew by
// due, with the findings that are there; without any the registers are asked
// first. When it was accepted stays as it was. Only a person may, who is not
// concerned; that it is none of those who decided is the appeal's to say.
func (a Application) Reopen(by event.Actor, due Deadline) (n Application, move string, err error) {
	if by.Kind != event.Staff || by.Person == "" {
		return Application{}, "", ErrNotAPerson
	}
	if a.Concerns(by.Person) {
		return Application{}, "", ErrConcerned
	}
	move = "reopened"
	if a.Findings == nil {
		move = "restarted"
	}
	n, err = a.after(move)
	n.Proposal, n.Deadline = nil, due
	return n, move, err
}

// Withdraw ends the application at the applicant's wish, before an award.
func (a Application) Withdraw() (Application, error) {
	n, err := a.after("withdrawn")
	n.Deadline = Deadline{}
	return n, err
}

// Explain records that the explanation owed after first-step aid is there.
func (a Application) Explain() (Application, error) {
	n, err := a.after("explained")
	n.Deadline = Deadline{}
	return n, err
}

// Note records something that changes nothing else: a visit, a document, an appeal.
func (a Application) Note() (Application, error) { return a.after("noted") }

// Confirm records what the person said about the money. Anything but Received
// comes with a hold, which the caller makes.
func (a Application) Confirm(r Receipt, hold *Hold) (Application, error) {
	n, err := a.after("receipted")
	if err != nil {
		return n, err
	}
	n.Receipts = append(slices.Clone(a.Receipts), r)
	if hold != nil {
		n = n.WithHold(*hold)
	}
	return n, nil
}

// WithHold is a version in the making with a hold that the same change brings.
// One with the code of a hold that is still open is that one.
func (a Application) WithHold(h Hold) Application {
	if !slices.ContainsFunc(a.Holds, func(o Hold) bool { return o.Lifted == nil && o.Code == h.Code }) {
		a.Holds = append(slices.Clone(a.Holds), h)
	}
	return a
}

// PlaceHold puts a hold on the application. A hold with the code of one that is
// still open is that one: nothing changes and placed is false.
func (a Application) PlaceHold(h Hold) (n Application, placed bool, err error) {
	if slices.ContainsFunc(a.Holds, func(o Hold) bool { return o.Lifted == nil && o.Code == h.Code }) {
		return a, false, nil
	}
	n, err = a.after("held")
	if err != nil {
		return n, false, err
	}
	n.Holds = append(n.Holds, h)
	return n, true, nil
}

// LiftHold ends a hold. Only a person may, and not the one who placed it, nor
// one who is concerned.
func (a Application) LiftHold(id string, by event.Actor, at time.Time) (Application, error) {
	if by.Kind != event.Staff || by.Person == "" {
		return Application{}, ErrNotAPerson
	}
	if a.Concerns(by.Person) {
		return Application{}, ErrConcerned
	}
	n, err := a.after("hold_lifted")
	if err != nil {
		return n, err
	}
	for i, h := range n.Holds {
		if h.ID != id {
			continue
		}
		if h.Lifted != nil {
			return Application{}, ErrState
		}
		if !by.Stranger(event.Names(h.Placed)...) {
			return Application{}, ErrSamePerson
		}
		n.Holds[i].Lifted = &Lift{By: by, At: at}
		return n, nil
	}
	return Application{}, ErrNoHold
}

// Escalate notes that the people further up were told at percent of the deadline.
func (a Application) Escalate(percent int) (Application, error) {
	n, err := a.after("escalated")
	n.Deadline.Told = percent
	return n, err
}

// Reschedule puts the settled date of a provisional deadline in place of it: the
// day that the announced holidays make of it, earlier or later than thought. What
// was told of the old date stands only where the new one has come as far by now.
func (a Application) Reschedule(at, now time.Time) (Application, error) {
	if !a.Deadline.Provisional {
		return Application{}, ErrState
	}
	n, err := a.after("rescheduled")
	if err != nil {
		return n, err
	}
	n.Deadline.At, n.Deadline.Provisional = at, false
	n.Deadline.Told = min(n.Deadline.Told, n.Deadline.Passed(now))
	return n, nil
}

// Answered notes which version the request with key made.
func (a Application) Answered(key string) Application {
	if key == "" {
		return a
	}
	a.Requests = maps.Clone(a.Requests)
	if a.Requests == nil {
		a.Requests = map[string]int64{}
	}
	a.Requests[key] = a.Version
	return a
}
