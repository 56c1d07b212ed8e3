// Package staff is who works here: which person, in which role, in which
// division, since when and until when, and what each of them may do. What they
// may do is written in the policies folder, in a language a supervisor can
// read; everything that no policy permits is denied. It knows no HTTP and no
// session, and it decides nothing about money: it says who may.
package staff

import (
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
)

// Noun names staff in events.
const Noun = "staff"

// Role is what somebody does within a division.
type Role string

// The roles.
const (
	Clerk      Role = "clerk"      // 经办
	Reviewer   Role = "reviewer"   // 审核
	Approver   Role = "approver"   // 审批
	Finance    Role = "finance"    // 财务
	Supervisor Role = "supervisor" // 监督
	Auditor    Role = "auditor"    // 审计
	Visitor    Role = "visitor"    // 网格员: goes from door to door, and decides nothing
)

// Roles lists every role.
func Roles() []Role { return []Role{Clerk, Reviewer, Approver, Finance, Supervisor, Auditor, Visitor} }

// Label is the role's name in Chinese.
func (r Role) Label() string {
	return map[Role]string{Clerk: "经办人员", Reviewer: "审核人员", Approver: "审批负责人", Finance: "财务人员",
		Supervisor: "监督人员", Auditor: "审计人员", Visitor: "网格员"}[r]
}

// Grant is one role in one division and everything below it, for a time. A
// grant that ended stays, so that it can be told who could see what, and when.
type Grant struct {
	Role     Role               `json:"role"`
	Division civil.DivisionCode `json:"division"`
	From     time.Time          `json:"from"`
	Until    time.Time          `json:"until,omitzero"` // first instant without it; zero is open
}

// Current reports whether g holds at t.
func (g Grant) Current(t time.Time) bool {
	return !t.Before(g.From) && (g.Until.IsZero() || t.Before(g.Until))
}

// Staff is one member of staff. It holds nothing personal in the clear: the
// name and the papers are sealed, the person and the kin are keyed references.
type Staff struct {
	ID      string   `json:"id"`
	Version int64    `json:"-"`
	Region  string   `json:"region"`
	Name    []byte   `json:"name,omitempty"`   // sealed
	Person  string   `json:"person"`           // two accounts of one person are one person
	Kin     []string `json:"kin,omitempty"`    // declared near relatives (近亲属备案)
	Papers  []byte   `json:"papers,omitempty"` // sealed: what Person and Kin are made from; see WithPapers
	Grants  []Grant  `json:"grants"`
	Active  bool     `json:"active"`

	persons   []string    // the person under every live blind key; see Known
	delegated []Delegated // what was delegated to them; see With
}

// Holds lists the divisions where the roster gives s one of roles at t; any role when
// none is named.
func (s Staff) Holds(t time.Time, roles ...Role) []civil.DivisionCode {
	var in []civil.DivisionCode
	for _, g := range s.Grants {
		if g.Current(t) && (len(roles) == 0 || slices.Contains(roles, g.Role)) && !slices.Contains(in, g.Division) {
			in = append(in, g.Division)
		}
	}
	return in
}

// held lists the divisions where s once had a role and at t has none.
func (s Staff) held(t time.Time) []civil.DivisionCode {
	var in []civil.DivisionCode
	for _, g := range s.Grants {
		if !g.Until.IsZero() && !t.Before(g.Until) && !slices.Contains(in, g.Division) {
			in = append(in, g.Division)
		}
	}
	return in
}
