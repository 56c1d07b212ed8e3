package staff

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/table"
)

// Ability is a part of a supervisor's work that can be delegated by itself.
type Ability string

// The abilities.
const (
	Look        Ability = "look"       // see cases (masked), lists and figures
	Complaining Ability = "complaints" // lead complaints
	Mandating   Ability = "mandates"   // tell units what to do, and close it
	Sampling    Ability = "samples"    // draw random call-backs
	Braking     Ability = "brakes"     // stop payments, and free them
	Judging     Ability = "inspection" // judge what models found
	Unmasking   Ability = "reveal"     // ask for, agree to and review whole particulars
	Hiding      Ability = "takedown"   // take down what was published
	Delegating  Ability = "delegate"   // delegate a part of all this further
)

// Abilities lists every ability.
func Abilities() []Ability {
	return []Ability{Look, Complaining, Mandating, Sampling, Braking, Judging, Unmasking, Hiding, Delegating}
}

// Label is the ability's name in Chinese.
func (a Ability) Label() string {
	return map[Ability]string{Look: "查看", Complaining: "办理投诉", Mandating: "督办", Sampling: "抽查回访", Braking: "紧急制动",
		Judging: "认定核查发现", Unmasking: "查看完整信息的申请、同意和复核", Hiding: "撤下公布", Delegating: "再委派"}[a]
}

// abilities says which of them each action needs: any one is enough. What is not
// here cannot be delegated.
var abilities = map[Action][]Ability{
	ListTasks: {Look}, ReadApplication: {Look}, ListEnvelopes: {Look}, ReadSignals: {Look}, ListBreaks: {Look},
	ReadIndicators: {Look}, ReadOfficers: {Look}, ListBatches: {Look},

	ListComplaints: {Complaining}, TakeComplaint: {Complaining}, ReadComplaint: {Complaining}, AcceptComplaint: {Complaining},
	AssignComplaint: {Complaining}, SuperviseComplaint: {Complaining}, PauseComplaint: {Complaining}, ReadComplainant: {Complaining},
	ReviewComplaint: {Complaining}, GrantExtension: {Complaining}, ReplyComplaint: {Complaining}, LookBack: {Complaining},

	ReadMandates: {Look, Mandating}, ReadBodyMandates: {Look, Mandating}, TellMandate: {Mandating}, CloseMandate: {Mandating},
	ReadSample: {Look, Sampling}, DrawSample: {Sampling},
	ListBrakes: {Look, Braking}, PullBrake: {Braking}, SecondBrake: {Braking}, AskLift: {Braking}, LiftBrake: {Braking},
	ListFindings: {Look, Judging}, ListModels: {Look, Judging}, JudgeFinding: {Judging}, InspectAgain: {Judging},
	AskReveal: {Unmasking}, AgreeReveal: {Unmasking}, ReadReveal: {Unmasking}, ReviewReveal: {Unmasking},
	ReadObjection: {Look, Hiding}, TakeDown: {Hiding},

	ListDelegations: {Look, Delegating}, AskDelegation: {Delegating}, AgreeDelegation: {Delegating}, RevokeDelegation: {Delegating},
	ReadDelegation: Abilities(), // whoever was given something may see what
}

// Delegated is supervision that was delegated to somebody: what a chain of grants comes
// to, as it stood when it was read (package delegation).
type Delegated struct {
	ID string
	// Scopes are the division that it is for and those of everything that it rests on,
	// up to the supervision body's. Only what lies in all of them is covered: when a
	// township moves to another district it leaves what was delegated there too.
	Scopes      []civil.DivisionCode
	Abilities   []Ability
	From, Until time.Time
	// Rests are the conditions that all of it is as it was read.
	Rests []table.Check
}

// current reports whether d holds at t.
func (d Delegated) current(t time.Time) bool { return !t.Before(d.From) && t.Before(d.Until) }

// gives reports whether d lets action be done at t.
func (d Delegated) gives(t time.Time, action Action) bool {
	return d.current(t) && slices.ContainsFunc(abilities[action], func(a Ability) bool { return slices.Contains(d.Abilities, a) })
}

// covers reports whether d is for a place that stands in all of around.
func (d Delegated) covers(around []civil.DivisionCode) bool {
	return len(d.Scopes) > 0 && !slices.ContainsFunc(d.Scopes, func(c civil.DivisionCode) bool { return !slices.Contains(around, c) })
}

// With is s with the supervision that was delegated to them. It is never stored with s.
func (s Staff) With(delegated ...Delegated) Staff {
	s.delegated = delegated
	return s
}

// Posts lists what s holds at t: the roster's grants, and what was delegated, as
// supervision of its division.
func (s Staff) Posts(t time.Time) []Grant {
	var posts []Grant
	for _, g := range s.Grants {
		if g.Current(t) {
			posts = append(posts, g)
		}
	}
	for _, d := range s.delegated {
		if d.current(t) {
			posts = append(posts, Grant{Role: Supervisor, Division: d.Scopes[0], From: d.From, Until: d.Until})
		}
	}
	return posts
}

// Where lists the divisions whose lists of something s may open at t, by some action:
// those of the roster, and those that were delegated for it. around is a division and
// all it stands in.
func (s Staff) Where(t time.Time, action Action, around func(civil.DivisionCode) []civil.DivisionCode) []civil.DivisionCode {
	return append(s.Holds(t), s.Given(t, action, around)...)
}

// Given lists the divisions that were delegated to s for an action at t.
func (s Staff) Given(t time.Time, action Action, around func(civil.DivisionCode) []civil.DivisionCode) []civil.DivisionCode {
	var in []civil.DivisionCode
	for _, d := range s.delegated {
		if d.gives(t, action) && d.covers(around(d.Scopes[0])) {
			in = append(in, d.Scopes[0])
		}
	}
	return in
}

// Supervises reports whether s does the work of supervision anywhere at t, by roster
// or by delegation.
func (s Staff) Supervises(t time.Time) bool {
	return len(s.Holds(t, Supervisor, Auditor)) > 0 || slices.ContainsFunc(s.delegated, func(d Delegated) bool { return d.current(t) })
}

// delegatedFor lists the divisions that were delegated to r's staff for r's action and
// that cover where it happens.
func (r Request) delegatedFor() []civil.DivisionCode {
	var in []civil.DivisionCode
	for _, d := range r.Staff.delegated {
		if d.gives(r.At, r.Action) && d.covers(r.Within) {
			in = append(in, d.Scopes[0])
		}
	}
	return in
}

// Checks are the conditions that s is still as it was read, grants, kin and all that
// was delegated included. They belong into every transaction in which s acts, so that
// a removal, a move or a revocation between reading and writing undoes it (A04).
func (s Staff) Checks() []table.Write {
	checks := []table.Write{s.Check()}
	seen := map[table.Key]bool{Key(s.ID): true}
	for _, d := range s.delegated {
		for _, c := range d.Rests {
			if !seen[c.Key] {
				seen[c.Key] = true
				checks = append(checks, c)
			}
		}
	}
	return checks
}
