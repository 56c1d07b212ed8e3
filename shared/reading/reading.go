// Package reading is who looked at what: every look of staff at the particulars
// of a case, every query of a supervisor or an auditor, every reach for what is
// not theirs, and break-glass (reveal.go), the one way to see particulars
// unmasked. A look is an event and nothing else: it changes no case. It is
// written before the answer is given, and what cannot be written is not shown.
//
// It holds which particulars were seen, by name and never by value, and no word
// of what somebody searched for. It refuses to know who may look.
package reading

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// Names in events.
const (
	Noun   = "reading" // looks at the particulars of a case
	Access = "access"  // queries and refused reaches, under the member of staff
)

// Together is how long looks of the same person at the same things are one
// event: whoever leafs to and fro reads once.
const Together = 10 * time.Minute

// ErrUnrecorded is answered instead of what could not be written down.
var ErrUnrecorded = fault.New(fault.Unavailable, "reading-unrecorded", "现在无法登记这次查阅，按规定不能显示，请稍后再试。", "This look cannot be recorded right now and so nothing is shown; please try again later.")

// Field is one kind of particulars.
type Field string

// The kinds of particulars.
const (
	Name    Field = "name"
	Paper   Field = "paper"
	Phone   Field = "phone"
	Address Field = "address"
	Account Field = "account"
	Story   Field = "story"
	Finding Field = "findings"
	Notes   Field = "notes"
)

// Fields lists the kinds that can be shown whole.
func Fields() []Field { return []Field{Name, Paper, Phone, Address, Account, Story} }

// Label is the field's name in Chinese.
func (f Field) Label() string {
	return map[Field]string{Name: "姓名", Paper: "证件号码", Phone: "电话", Address: "住址", Account: "收款账号", Story: "情况说明",
		Finding: "部门核对结果", Notes: "办理记录"}[f]
}

// masked lists what is shown in part unless it is shown whole.
var masked = []Field{Name, Paper, Phone, Account}

// Label is how the citizen reads that f was shown.
func Label(f Field, whole bool) string {
	if !whole && slices.Contains(masked, f) {
		return f.Label() + "（部分遮盖）"
	}
	return f.Label()
}

// Purpose is what a look was for.
type Purpose string

// The purposes.
const (
	Handle    Purpose = "handle"    // 经办
	Review    Purpose = "review"    // 审核
	Decide    Purpose = "decide"    // 审批
	Pay       Purpose = "pay"       // 财务
	Supervise Purpose = "supervise" // 监督
	Audit     Purpose = "audit"     // 审计
)

// Label is the purpose in Chinese.
func (p Purpose) Label() string {
	return map[Purpose]string{Handle: "办理您的申请", Review: "审核您的申请", Decide: "决定您的申请", Pay: "办理救助金发放",
		Supervise: "监督检查", Audit: "审计"}[p]
}

// PurposeOf is what somebody in a role looks for, who need not say it.
func PurposeOf(role string) Purpose {
	return map[string]Purpose{"clerk": Handle, "reviewer": Review, "approver": Decide, "finance": Pay, "supervisor": Supervise, "auditor": Audit}[role]
}

// Look is one look, or one reach that was refused.
type Look struct {
	By        event.Actor
	At        time.Time
	Operation string            // the route
	Names     []string          // of the parameters that were given
	Values    map[string]string // of those that hold nothing personal: ids and divisions
	Role      string
	Office    string
	Trace     string

	Case    string // empty when no particulars of a case are shown
	Fields  []Field
	Purpose Purpose
	Whole   bool
	Reason  string

	Refused string // code of the refusal; empty when it was answered
}

// Of is the partition of the looks at one case.
func Of(application string) string { return "READINGS#" + application }

// By is the partition of the queries and reaches of one member of staff.
func By(staff string) string { return "ACCESS#" + staff }

// Record writes l down. A look that was written down within Together is there
// already; one at whole particulars is always an event of its own. If we die
// after it, it was recorded and nobody saw anything.
func Record(ctx context.Context, t table.Store, l Look) error {
	e := l.event()
	w, err := e.Write()
	if err != nil {
		return err
	}
	err = t.Transact(ctx, w)
	if _, there := table.FailedOn(err, w.Target()); there && !l.Whole {
		return nil
	}
	if err != nil {
		return ErrUnrecorded.Because(err)
	}
	return nil
}

// event is l as an event. Its id begins with the time, so that looks are listed
// in order, and goes on with what makes it another look.
func (l Look) event() event.Event {
	from := l.At.UTC().Truncate(Together)
	what := []string{l.By.ID, l.Operation, l.Case, l.Role, l.Office, string(l.Purpose), l.Reason, l.Refused, strings.Join(l.Names, " ")}
	for _, name := range slices.Sorted(maps.Keys(l.Values)) {
		what = append(what, name, l.Values[name])
	}
	if l.Whole {
		from, what = l.At.UTC(), append(what, "whole", l.Trace)
	}
	facts := event.Facts{"operation": l.Operation, "together": !l.Whole}
	for name, value := range map[string]string{"role": l.Role, "office": l.Office, "purpose": string(l.Purpose), "case": l.Case, "asked": strings.Join(l.Names, " ")} {
		if value != "" {
			facts[name] = value
		}
	}
	for name, value := range l.Values {
		facts["of_"+name] = value
	}
	e := event.Event{PK: By(l.By.ID), Noun: Access, Version: 1, Kind: "queried", At: l.At, Actor: l.By, Reason: l.Reason, Facts: facts, Trace: l.Trace}
	switch {
	case l.Refused != "":
		e.Kind, e.Reason = "denied", l.Refused
	case l.Case != "":
		e.PK, e.Noun, e.Kind = Of(l.Case), Noun, "read"
		fields := make([]string, len(l.Fields))
		for i, f := range l.Fields {
			fields[i] = string(f)
		}
		facts["fields"], facts["whole"] = strings.Join(fields, " "), l.Whole
		what = append(what, fields...)
	}
	e.ID = work.Stamp(from) + "!" + ident.Derive(what...)
	return e
}

// Seen is one look as it stands in the record.
type Seen struct {
	ID      string
	At      time.Time
	Role    string
	Office  string
	Purpose Purpose
	Fields  []Field
	Whole   bool
	Reason  string
}

// List reads looks at one case, the latest first. after is the ID of the last one
// of the page before; next is empty on the last page.
func List(ctx context.Context, t table.Store, application, after string, limit int) (seen []Seen, next string, err error) {
	q := table.Query{PK: Of(application), Reverse: true, Limit: limit + 1}.Prefix(event.Prefix + Noun + "#")
	if after != "" {
		if !valid(after) {
			return nil, "", ErrPage
		}
		q.To = event.Key(q.PK, Noun, after, 1).SK
	}
	for item, err := range table.All(ctx, t, q) {
		if err != nil {
			return nil, "", err
		}
		e, err := event.Decode(item)
		if err != nil {
			return nil, "", err
		}
		if e.ID == after {
			continue
		}
		if len(seen) == limit {
			return seen, seen[limit-1].ID, nil
		}
		seen = append(seen, seenIn(e))
	}
	return seen, "", nil
}

// ErrPage is a page marker that is none of ours.
var ErrPage = fault.New(fault.Invalid, "readings-page-invalid", "翻页标记不正确，请从第一页重新查看。", "The page marker is not one of ours; start from the first page.")

// valid reports whether id has the form of the id of a look.
func valid(id string) bool {
	stamp, rest, ok := strings.Cut(id, "!")
	return ok && len(stamp) == len(work.Stamp(time.Time{})) && utf8.ValidString(stamp) && ident.Valid(rest)
}

func seenIn(e event.Event) Seen {
	whole, _ := e.Facts["whole"].(bool)
	s := Seen{ID: e.ID, At: e.At, Role: e.Facts.Text("role"), Office: e.Facts.Text("office"), Purpose: Purpose(e.Facts.Text("purpose")),
		Whole: whole, Reason: e.Reason}
	for _, f := range strings.Fields(e.Facts.Text("fields")) {
		s.Fields = append(s.Fields, Field(f))
	}
	return s
}
