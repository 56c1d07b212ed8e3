package complaint

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
)

// Days is one figure of a region: working days, days or hours, as its name says.
type Days struct {
	Value  int    `json:"value" yaml:"value"`
	Source string `json:"source" yaml:"source"`
	Status string `json:"status" yaml:"status"`
	Note   string `json:"note,omitempty" yaml:"note"`
}

// Confirmed reports whether the figure stands in a text that was read and is in force.
func (d Days) Confirmed() bool { return d.Status == "confirmed" }

// Figures are the clocks of a region.
type Figures struct {
	AcceptWorkingDays   *Days `json:"accept_working_days,omitempty" yaml:"accept_working_days"`
	HandleWorkingDays   *Days `json:"handle_working_days,omitempty" yaml:"handle_working_days"`
	PriorityWorkingDays *Days `json:"priority_working_days,omitempty" yaml:"priority_working_days"` // 绿色通道
	UrgentHours         *Days `json:"urgent_hours,omitempty" yaml:"urgent_hours"`
	PetitionInformDays  *Days `json:"petition_inform_days,omitempty" yaml:"petition_inform_days"`
	PetitionHandleDays  *Days `json:"petition_handle_days,omitempty" yaml:"petition_handle_days"`
	PetitionAskDays     *Days `json:"petition_ask_days,omitempty" yaml:"petition_ask_days"` // to ask for 复查 or 复核
	PetitionReviewDays  *Days `json:"petition_review_days,omitempty" yaml:"petition_review_days"`
	ObjectWorkingDays   *Days `json:"object_working_days,omitempty" yaml:"object_working_days"`
	ExtensionDays       *Days `json:"extension_days,omitempty" yaml:"extension_days"`
	PauseDays           *Days `json:"pause_days,omitempty" yaml:"pause_days"` // all pauses together
	ReopenDays          *Days `json:"reopen_days,omitempty" yaml:"reopen_days"`
	LookBackDays        *Days `json:"look_back_days,omitempty" yaml:"look_back_days"`
}

// Unit is who handles or supervises a power item: at which level, and by what
// name. An empty name is one that nobody has told us.
type Unit struct {
	Level string `json:"level" yaml:"level"` // township, county or city
	Name  string `json:"name" yaml:"name"`
}

// Item is one power item (小微权力事项).
type Item struct {
	Code        string `json:"code" yaml:"code"`
	Name        string `json:"name" yaml:"name"`
	Handling    Unit   `json:"handling" yaml:"handling"`
	Supervising Unit   `json:"supervising" yaml:"supervising"`
	Source      string `json:"source" yaml:"source"`
	Status      string `json:"status" yaml:"status"`
}

// Module is one sort of complaint that people choose from.
type Module struct {
	Code string `json:"code" yaml:"code"`
	Name string `json:"name" yaml:"name"`
	// Hardship is a module whose clues are about people in hardship: they go first.
	Hardship bool   `json:"hardship" yaml:"hardship"`
	Source   string `json:"source" yaml:"source"`
	Status   string `json:"status" yaml:"status"`
	Items    []Item `json:"items" yaml:"items"`
}

// Rules are the modules and clocks of one region from a day on.
type Rules struct {
	Region      civil.DivisionCode `json:"region"`
	Name        string             `json:"name"`
	First       civil.Day          `json:"first_day"`
	Source      string             `json:"source"`
	Modules     []Module           `json:"modules"`
	Clocks      Figures            `json:"clocks"`
	Fingerprint string             `json:"fingerprint"`
}

// Nation is the region of what holds everywhere.
const Nation = civil.DivisionCode("000000000000")

// Book is the rules of every region. It does not change.
type Book struct {
	tree  *division.Tree
	rules []*Rules // by region and first day
}

//go:embed shipped/rules.json
var shippedRules []byte

// Shipped is the book that this system comes with, read and judged when it was
// built (make rules).
func Shipped() (*Book, error) { return shipped() }

var shipped = sync.OnceValues(func() (*Book, error) { return Unpack(shippedRules, division.Shipped()) })

// Unpack is the book that Compile packed.
func Unpack(raw []byte, tree *division.Tree) (*Book, error) {
	b := &Book{tree: tree}
	if err := json.Unmarshal(raw, &b.rules); err != nil {
		return nil, fmt.Errorf("complaint: rules: %w", err)
	}
	if len(b.rules) == 0 {
		return nil, fmt.Errorf("complaint: no rules")
	}
	return b, nil
}

// Rules are those of the nearest region up the tree that has any on day, else
// the nation's; ErrPlace when the place is nothing that we serve.
func (b *Book) Rules(code civil.DivisionCode, day civil.Day) (*Rules, error) {
	path := b.tree.Path(code, day)
	if len(path) == 0 {
		return nil, ErrPlace
	}
	for _, d := range slices.Backward(path) {
		if r := b.of(d.Code, day); r != nil {
			return r, nil
		}
	}
	if r := b.of(Nation, day); r != nil {
		return r, nil
	}
	return nil, ErrPlace
}

func (b *Book) of(region civil.DivisionCode, day civil.Day) *Rules {
	for _, r := range slices.Backward(b.rules) {
		if r.Region == region && !day.Before(r.First) {
			return r
		}
	}
	return nil
}

// ByFingerprint are the rules that a complaint was filed under.
func (b *Book) ByFingerprint(fingerprint string) (*Rules, bool) {
	for _, r := range b.rules {
		if r.Fingerprint == fingerprint {
			return r, true
		}
	}
	return nil, false
}

// Module is the module with that code.
func (r *Rules) Module(code string) (Module, bool) {
	for _, m := range r.Modules {
		if m.Code == code {
			return m, true
		}
	}
	return Module{}, false
}

// Item is the power item with that code.
func (m Module) Item(code string) (Item, bool) {
	for _, i := range m.Items {
		if i.Code == code {
			return i, true
		}
	}
	return Item{}, false
}

// acceptDue is until when a complaint must be taken or not, and the complainant
// told: for petitions within the days of the regulation.
func (r *Rules) acceptDue(k Kind, rank Rank, filed time.Time) calendar.Deadline {
	if k == Petition {
		return days(filed, r.Clocks.PetitionInformDays.Value, "自收到之日起%d日内告知（信访工作条例第二十三条），至%s24时止。")
	}
	due := calendar.Shipped().AddWorkingDays(filed, r.Clocks.AcceptWorkingDays.Value)
	if rank == Urgent {
		return earlier(due, r.urgent(filed))
	}
	return due
}

// handleDue is until when it must be answered.
func (r *Rules) handleDue(k Kind, rank Rank, filed, accepted time.Time) calendar.Deadline {
	due := calendar.Shipped().AddWorkingDays(accepted, r.Clocks.HandleWorkingDays.Value)
	if k == Petition {
		due = days(accepted, r.Clocks.PetitionHandleDays.Value, "自受理之日起%d日内办结（信访工作条例第三十四条），至%s24时止。")
	}
	switch rank {
	case Urgent:
		return earlier(due, r.urgent(filed))
	case Hardship:
		return earlier(due, calendar.Shipped().AddWorkingDays(accepted, r.Clocks.PriorityWorkingDays.Value))
	}
	return due
}

// reviewDue is until when a request for 复查 or 复核 must be answered.
func (r *Rules) reviewDue(asked time.Time) calendar.Deadline {
	return days(asked, r.Clocks.PetitionReviewDays.Value, "自收到请求之日起%d日内答复（信访工作条例第三十五条、第三十六条），至%s24时止。")
}

// askDue is the last moment to ask for 复查, 复核 or to have a complaint taken up again.
func (r *Rules) askDue(k Kind, replied time.Time) calendar.Deadline {
	if k == Petition {
		return days(replied, r.Clocks.PetitionAskDays.Value, "自收到答复之日起%d日内，至%s24时止。")
	}
	return days(replied, r.Clocks.ReopenDays.Value, "自答复之日起%d日内，至%s24时止。")
}

func (r *Rules) objectDue(assigned time.Time) calendar.Deadline {
	return calendar.Shipped().AddWorkingDays(assigned, r.Clocks.ObjectWorkingDays.Value)
}

func (r *Rules) lookBackDue(replied time.Time) calendar.Deadline {
	return days(replied, r.Clocks.LookBackDays.Value, "答复后第%d日回头看，至%s24时止。")
}

func (r *Rules) urgent(filed time.Time) calendar.Deadline {
	n := r.Clocks.UrgentHours.Value
	return calendar.Deadline{At: filed.Add(time.Duration(n) * time.Hour).In(calendar.Zone), Basis: fmt.Sprintf("紧急事项，自投诉时起%d小时内。", n)}
}

// days is the end of the nth day after that of from, as periods in days are
// counted: the first day is not.
func days(from time.Time, n int, basis string) calendar.Deadline {
	last := calendar.Today(from).AddDays(n)
	return calendar.Deadline{At: last.AddDays(1).Start(calendar.Zone), Basis: fmt.Sprintf(basis, n, last.Chinese())}
}

func earlier(a, b calendar.Deadline) calendar.Deadline {
	if b.At.Before(a.At) {
		return b
	}
	return a
}
