package policy

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
)

// Material is something the applicant may be asked for, because no lookup
// answers it.
type Material struct {
	Code string `json:"code"`
	Name string `json:"name"`
	Why  string `json:"why"` // plain Chinese, for the applicant
	// RequiredToApply is false for all on the emergency track: one applies
	// without papers and adds them when the emergency is over (Law art. 50).
	RequiredToApply bool `json:"required_to_apply"`
}

// Materials are what may still be asked for after cause when the sources in
// answered have answered. What a lookup can verify must not be asked for (Law
// art. 62), so a material that any of them answers is not on the list.
func (r *Rules) Materials(cause Cause, answered []string) []Material {
	list := []Material{}
	for _, m := range *r.content().figures.Materials.Value {
		known := slices.ContainsFunc(m.AnsweredBy, func(s string) bool { return slices.Contains(answered, s) })
		if covers(m.Causes, string(cause)) && !known {
			list = append(list, Material{Code: m.Code, Name: m.Name, Why: m.Why})
		}
	}
	return list
}

// Publicity is what is posted, and when.
type Publicity struct {
	PreDays         int
	PreWorking      bool // PreDays are working days
	SkipIfEmergency bool // nothing is posted before the decision in an emergency
	PostPublish     bool // the decision is published (Law art. 45)
	PostDays        int  // how long it stays posted
	NameEmergency   bool // emergency aid is posted by masked name
	LeastCell       int  // the fewest persons of whom something is told together
}

// postDays is how long a decision stays posted where the file says nothing.
const postDays = 30

// Publicity is the posting rules of the region. A file that says nothing of names
// and numbers posts no names of emergency aid, and nothing of fewer than LeastCell.
func (r *Rules) Publicity() Publicity {
	p := r.content().figures.Publicity
	out := Publicity{PreDays: *p.PreDays.Value, PreWorking: *p.PreKind.Value == "WORKING", SkipIfEmergency: *p.SkipIfEmergency.Value,
		PostPublish: *p.PostPublish.Value, PostDays: postDays, LeastCell: LeastCell}
	if p.PostDays != nil {
		out.PostDays = *p.PostDays.Value
	}
	if p.NameEmergency != nil {
		out.NameEmergency = *p.NameEmergency.Value
	}
	if p.LeastCell != nil {
		out.LeastCell = *p.LeastCell.Value
	}
	return out
}

// Posting is for how long everybody may object to a proposal before it is decided
// on (公示). The Law asks for none (art. 45 has the decision published); a region
// may.
type Posting struct {
	Days    int    `json:"days"`
	Working bool   `json:"working,omitempty"` // Days are working days
	Source  string `json:"source"`            // where the region's figure comes from
}

// Posting is what the region wants posted before what o says is decided on; ok is
// false for nothing. What a township may give by itself is the small amount of art.
// 50: it comes first and no file can have it posted before.
func (r *Rules) Posting(o Outcome) (p Posting, ok bool) {
	rule := r.Publicity()
	if rule.PreDays == 0 || rule.SkipIfEmergency || o.AmountFen <= o.TownshipFen {
		return Posting{}, false
	}
	p = Posting{Days: rule.PreDays, Working: rule.PreWorking}
	for _, note := range r.Figures() {
		if note.Name == "publicity.pre_days" {
			p.Source = note.Source
		}
	}
	return p, true
}

// End is the first instant at which a posting that began at from is over; the day
// on which it began is not counted.
func (p Posting) End(from time.Time) time.Time {
	if p.Working {
		return calendar.Shipped().AddWorkingDays(from, p.Days).At
	}
	return calendar.Today(from).AddDays(p.Days + 1).Start(calendar.Zone)
}
