package decide

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/brake"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
)

// BrakeIn pulls a brake. Target is a rail, a programme or a staff id, and empty
// for a whole division.
type BrakeIn struct {
	Kind     string `json:"kind" api:"required,enum=division|rail|programme|officer"`
	Division string `json:"division" api:"required,max=12"`
	Target   string `json:"target,omitempty" api:"max=64"`
	Reason   string `json:"reason" api:"required,enum=fraud_suspected|rail_fault|account_compromised|audit|other"`
	Note     string `json:"note,omitempty" api:"max=1000,lines"`
}

// BrakeOut is a brake. Until is when a pull that nobody seconded ends.
type BrakeOut struct {
	ID          string `json:"id"`
	Version     int64  `json:"version"`
	Kind        string `json:"kind"`
	KindLabel   string `json:"kind_label"`
	Division    string `json:"division"`
	Place       string `json:"place"`
	Target      string `json:"target,omitempty"`
	Reason      string `json:"reason"`
	State       string `json:"state"`
	StateLabel  string `json:"state_label"`
	Stops       bool   `json:"stops"`
	Until       string `json:"until,omitempty"`
	PulledBy    string `json:"pulled_by"`
	PulledAt    string `json:"pulled_at"`
	SecondedBy  string `json:"seconded_by,omitempty"`
	LiftAskedBy string `json:"lift_asked_by,omitempty"`
	LiftedBy    string `json:"lifted_by,omitempty"`
	LiftedAt    string `json:"lifted_at,omitempty"`
}

// Brakes is every brake in one division and below, newest first.
type Brakes struct {
	Brakes []BrakeOut `json:"brakes"`
}

// Restated is what the caller saw: nobody seconds or lifts what they have not read.
type Restated struct {
	Version int64 `json:"version" api:"required,min=1"`
}

func (d Deps) brakeOut(b brake.Brake, now time.Time) BrakeOut {
	out := BrakeOut{ID: b.ID, Version: b.Version, Kind: string(b.Kind), KindLabel: b.Kind.Label(), Division: string(b.Division),
		Place: d.name(b.Division, now), Target: b.Target, Reason: b.Reason, State: string(b.State(now)), StateLabel: b.State(now).Label(),
		Stops: b.Stops(now), PulledBy: b.Pulled.By.ID, PulledAt: clock(b.Pulled.At)}
	if !b.Until.IsZero() {
		out.Until = clock(b.Until)
	}
	if b.Seconded != nil {
		out.SecondedBy = b.Seconded.By.ID
	}
	if b.LiftAsked != nil {
		out.LiftAskedBy = b.LiftAsked.By.ID
	}
	if b.Lifted != nil {
		out.LiftedBy, out.LiftedAt = b.Lifted.By.ID, clock(b.Lifted.At)
	}
	return out
}

func listBrakes(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Brakes, error) {
	now := d.Now()
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return Brakes{}, err
	}
	root, err := d.permitted(ctx, who, staff.ListBrakes, civil.DivisionCode(call.Query("division")), now)
	if err != nil {
		return Brakes{}, err
	}
	all, err := brake.List(ctx, d.Table)
	if err != nil {
		return Brakes{}, err
	}
	out := Brakes{Brakes: []BrakeOut{}}
	for _, b := range all {
		// What is braked above stops here too, so it is shown.
		if slices.Contains(d.within(b.Division, now), root) || slices.Contains(d.within(root, now), b.Division) {
			out.Brakes = append(out.Brakes, d.brakeOut(b, now))
		}
	}
	return out, nil
}

// pullBrake is one person's pull. It stops as soon as it is answered.
func pullBrake(ctx context.Context, d Deps, call httpapi.Call[BrakeIn]) (httpapi.Reply[BrakeOut], error) {
	var none httpapi.Reply[BrakeOut]
	now, in := d.Now(), call.Body
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	place, err := d.permitted(ctx, who, staff.PullBrake, civil.DivisionCode(in.Division), now)
	if err != nil {
		return none, err
	}
	id := ident.Derive("brake", call.RequestKey())
	if before, err := d.braked(ctx, id, call.Request); err != nil || before.Body != nil {
		return before, err
	}
	scope, err := d.scope(ctx, brake.Brake{ID: id, Kind: brake.Kind(in.Kind), Target: in.Target, Division: place, Reason: in.Reason}, now)
	if err != nil {
		return none, err
	}
	b, err := brake.New(scope, who.Actor(scope.Persons...), now)
	if err != nil {
		return none, err
	}
	return d.keepBrake(ctx, call.Request, who, board, b, "pulled", in.Note, now)
}

// scope completes what is to be stopped, and refuses a target that is none.
func (d Deps) scope(ctx context.Context, b brake.Brake, now time.Time) (brake.Brake, error) {
	var f fault.Fields
	day := calendar.Today(now)
	switch b.Kind {
	case brake.Division:
		if b.Target != "" {
			f.Add("/target", "not-allowed", "对整个辖区制动时不填对象。")
		}
	case brake.Rail:
		if !slices.Contains(award.Rails(), award.Rail(b.Target)) {
			f.Add("/target", "rail", "没有这种发放渠道。")
		}
	case brake.Programme:
		if b.Target != string(award.FirstAid) {
			f.Add("/target", "programme", "没有这个救助项目。")
		}
	case brake.Officer:
		s, err := staff.Get(ctx, d.Table, b.Target)
		if err == nil {
			s, err = s.Known(ctx, d.Box, d.Blind)
		}
		if err != nil && !errors.Is(err, staff.ErrNotFound) {
			return b, err
		}
		// Nobody stops somebody who also serves where they have no say.
		here := err == nil && !slices.ContainsFunc(s.Holds(now), func(c civil.DivisionCode) bool { return !d.Tree.Within(c, b.Division, day) })
		if !here {
			f.Add("/target", "officer", "这个辖区没有这名工作人员，或者其岗位超出这个辖区。")
		}
		b.Persons = s.Persons()
		return b, f.Err()
	}
	for _, code := range d.below([]civil.DivisionCode{b.Division}, now) {
		if code.Level() >= civil.TownshipLevel {
			b.Townships = append(b.Townships, code)
		}
	}
	return b, f.Err()
}

func secondBrake(ctx context.Context, d Deps, call httpapi.Call[Restated]) (httpapi.Reply[BrakeOut], error) {
	return d.brakeStep(ctx, call, staff.SecondBrake, "seconded", brake.Brake.Second)
}

func askLift(ctx context.Context, d Deps, call httpapi.Call[Restated]) (httpapi.Reply[BrakeOut], error) {
	return d.brakeStep(ctx, call, staff.AskLift, "lift_asked", brake.Brake.AskLift)
}

func liftBrake(ctx context.Context, d Deps, call httpapi.Call[Restated]) (httpapi.Reply[BrakeOut], error) {
	return d.brakeStep(ctx, call, staff.LiftBrake, "lifted", brake.Brake.Lift)
}

// brakeStep is what a further person does to a brake that is there.
func (d Deps) brakeStep(ctx context.Context, call httpapi.Call[Restated], action staff.Action, kind string,
	to func(brake.Brake, event.Actor, time.Time) (brake.Brake, error)) (httpapi.Reply[BrakeOut], error) {
	var none httpapi.Reply[BrakeOut]
	now := d.Now()
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	b, err := brake.Get(ctx, d.Table, call.Path("brake"))
	if err != nil {
		return none, err
	}
	again, err := d.braked(ctx, b.ID, call.Request)
	if err != nil || again.Body != nil {
		return again, err
	}
	hands := b.Hands()
	if action == staff.LiftBrake && b.LiftAsked != nil {
		hands = append(hands, b.LiftAsked.By)
	}
	decision := staff.Authorize(staff.Request{Action: action, Staff: who, At: now, Within: d.within(b.Division, now),
		County: d.county(b.Division, now), Earlier: event.Names(hands...)})
	if err := decision.Err(); err != nil {
		switch {
		case errors.Is(err, application.ErrNotFound):
			err = brake.ErrNotFound
		case errors.Is(err, application.ErrSamePerson):
			err = brake.ErrPerson
		}
		return none, d.tell(ctx, &denied{err, who, action, application.Application{Township: b.Division}, decision.Policies})
	}
	if err := d.recent(action, call.SignedIn, now); err != nil {
		return none, err
	}
	if b.Version != call.Body.Version {
		return none, brake.ErrMovedOn
	}
	var persons []string
	for _, h := range hands {
		persons = append(persons, h.Person)
	}
	next, err := to(b, who.Actor(persons...), now)
	if err != nil {
		return none, err
	}
	return d.keepBrake(ctx, call.Request, who, board, next, kind, "", now)
}

// keepBrake stores a step of a brake with its event and its answer. Whatever
// changed among the brakes or about the officer undoes it; a twin of the same
// request finds the answer of the first.
func (d Deps) keepBrake(ctx context.Context, r httpapi.Request, who staff.Staff, board brake.Board, b brake.Brake, kind, note string, now time.Time) (httpapi.Reply[BrakeOut], error) {
	var none httpapi.Reply[BrakeOut]
	reply, err := httpapi.Fresh(201, d.brakeOut(b, now))
	if err != nil {
		return none, err
	}
	by := b.Pulled.By
	for _, h := range []*brake.Hand{b.Seconded, b.LiftAsked, b.Lifted} {
		if h != nil && h.By.ID == who.ID {
			by = h.By
		}
	}
	e, err := application.SealNote(ctx, d.Box, b.Event(kind, by, now), redact.New(note))
	if err != nil {
		return none, err
	}
	e.Trace = r.Trace
	e.Request = &event.Request{Key: r.RequestKey(), Digest: d.Blind.Ref("request", r.Digest()), Status: reply.Status, Answer: reply.Body}
	// The board that was read for who acts is written here, so it needs no check of its own.
	switch err := brake.Commit(ctx, d.Table, board, b, e, who.Checks()...); {
	case errors.Is(err, brake.ErrMovedOn), errors.Is(err, brake.ErrAlready):
		if twin, again := d.braked(ctx, b.ID, r); again == nil && twin.Body != nil {
			return twin, nil
		}
		return none, err
	case err != nil:
		return none, err
	}
	return reply, nil
}

// braked is the answer that a request about a brake got before; without a body
// when it is new.
func (d Deps) braked(ctx context.Context, id string, r httpapi.Request) (httpapi.Reply[BrakeOut], error) {
	return answered[BrakeOut](ctx, d, brake.Partition, brake.Noun, id, r)
}
