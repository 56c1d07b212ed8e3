package complain

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/work"
)

// LineOut is one complaint in a list. It holds nothing about who complained.
type LineOut struct {
	ID         string   `json:"id"`
	Version    int64    `json:"version"`
	Kind       string   `json:"kind"`
	KindLabel  string   `json:"kind_label"`
	State      string   `json:"state"`
	StateLabel string   `json:"state_label"`
	Stage      string   `json:"stage"`
	Rank       string   `json:"rank"`
	RankLabel  string   `json:"rank_label"`
	Place      string   `json:"place"`
	Division   string   `json:"division"`
	Module     string   `json:"module"`
	Item       string   `json:"item,omitempty"`
	FiledOn    string   `json:"filed_on"`
	Office     string   `json:"office,omitempty"`
	Handling   string   `json:"handling_division,omitempty"`
	Due        ClockOut `json:"due"`
	Percent    int      `json:"percent_told"` // 50, 80 or 100 of its time have passed
	Level      string   `json:"level"`        // where its overdue clock has climbed to
	Reopened   int      `json:"reopened"`
	Rating     string   `json:"rating"`
}

// Queue is one page of complaints, the most urgent first.
type Queue struct {
	Complaints []LineOut `json:"complaints"`
	// Next is for ?after= and empty on the last page.
	Next string `json:"next"`
}

const (
	defaultLines = 50
	mostLines    = 100
)

func itoa(n int) string { return strconv.Itoa(n) }

// noteID is the id of the supervision note that c's next version sends.
func noteID(c complaint.Complaint) string {
	return ident.Derive("complaint note", c.ID, strconv.FormatInt(c.Version+1, 10))
}

// list is the queue of whoever asks: the supervision body's every complaint of
// its divisions, whatever level it has climbed to, and what the units one serves
// must handle.
func list(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (Queue, error) {
	now, out := d.Now(), Queue{Complaints: []LineOut{}}
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return out, err
	}
	root := civil.DivisionCode("")
	if code := call.Query("division"); code != "" {
		if root, err = civil.ParseDivision(code); err != nil {
			return out, staff.ErrNotAllowed
		}
		if err := d.permitted(ctx, who, staff.ListComplaints, root, now); err != nil {
			return out, err
		}
	}
	limit := defaultLines
	if text := call.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostLines {
			return out, errPage
		}
	}
	open := complaint.Open
	switch call.Query("state") {
	case "", "open":
	case "closed":
		open = complaint.Closed
	default:
		return out, errPage
	}
	after, ok := work.ParseMark(call.Query("after"))
	if !ok {
		return out, errPage
	}
	places, err := work.Merged(ctx, d.Table, d.lists(who, root, open, now), after, 4*limit)
	if err != nil {
		return out, err
	}
	for _, p := range places {
		if len(out.Complaints) == limit {
			out.Next = after.String()
			break
		}
		after = p.Mark
		c, err := complaint.Get(ctx, d.Table, strings.TrimPrefix(p.Item.Key.PK, complaint.Partition("")))
		if err != nil {
			return out, err
		}
		if root != "" && !slices.Contains(c.Path, root) && !slices.Contains(d.within(c.Handler(), now), root) ||
			!d.authorize(c, who, staff.ReadComplaint, now).Allow || slices.ContainsFunc(out.Complaints, func(l LineOut) bool { return l.ID == c.ID }) {
			continue
		}
		line, err := d.line(c, now)
		if err != nil {
			return out, err
		}
		out.Complaints = append(out.Complaints, line)
	}
	if out.Next == "" && len(places) == 4*limit {
		out.Next = after.String() // there is more behind those that are not the caller's to see
	}
	return out, nil
}

// lists are those that who looks into: of the supervision body for the
// divisions they supervise, all in them and all above, because what is overdue has
// climbed there; and the duty lists of the divisions they work in.
func (d Deps) lists(who staff.Staff, root civil.DivisionCode, open string, now time.Time) []work.List {
	var all []work.List
	add := func(pk, prefix string) {
		if l := (work.List{PK: pk, Prefix: prefix}); !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	roots := func(held []civil.DivisionCode) []civil.DivisionCode {
		if root != "" && slices.ContainsFunc(held, func(h civil.DivisionCode) bool { return slices.Contains(d.within(root, now), h) }) {
			return []civil.DivisionCode{root}
		}
		return held
	}
	today := calendar.Today(now)
	around := func(code civil.DivisionCode) []civil.DivisionCode { return d.within(code, now) }
	supervised := append(who.Holds(now, staff.Supervisor, staff.Auditor), who.Given(now, staff.ListComplaints, around)...)
	for _, h := range roots(supervised) {
		for _, code := range append(d.Tree.Below(h, today), d.within(h, now)...) {
			add(complaint.List(code), open)
		}
	}
	if open == complaint.Open {
		for _, h := range roots(who.Holds(now, staff.Clerk, staff.Reviewer, staff.Approver)) {
			for _, code := range d.Tree.Below(h, today) {
				add(complaint.DutyList(code), "") // holds open ones only
			}
		}
	}
	return all
}

// line is c in a list.
func (d Deps) line(c complaint.Complaint, now time.Time) (LineOut, error) {
	rules, err := d.rules(c)
	if err != nil {
		return LineOut{}, err
	}
	module, _ := rules.Module(c.Module)
	item, _ := module.Item(c.Item)
	out := LineOut{ID: c.ID, Version: c.Version, Kind: string(c.Kind), KindLabel: c.Kind.Label(), State: string(c.State), StateLabel: c.State.Label(),
		Stage: c.Stage.Label(), Rank: rankCodes[c.Rank], RankLabel: c.Rank.Label(), Place: d.name(c.Place(), c.FiledAt), Division: string(c.Place()),
		Module: module.Name, Item: item.Name, FiledOn: day(c.FiledAt), Due: clockOut(c, now), Level: d.name(c.Level(), c.FiledAt), Reopened: c.Reopened,
		Rating: c.Rating.Label()}
	if h := c.Handler(); h != "" {
		out.Office, out.Handling = d.name(h, now), string(h)
	}
	if k, _ := c.Running(); k != nil {
		out.Percent = k.Told
	}
	return out, nil
}

// DetailOut is a complaint as staff see it. Whole is what only the supervision body
// is shown; the handling unit is given the brief.
type DetailOut struct {
	LineOut
	TargetUnit string        `json:"target_unit,omitempty"`
	Brief      string        `json:"brief,omitempty"`
	ObjectBy   string        `json:"object_by,omitempty"`
	Objected   bool          `json:"objected"`
	Documents  []DocumentOut `json:"documents"`
	Finding    *FindingOut   `json:"finding,omitempty"`
	Reply      *ReplyOut     `json:"reply,omitempty"`
	Extension  *ExtensionOut `json:"extension,omitempty"`
	Paused     bool          `json:"paused"`
	Notes      []NoteOut     `json:"supervision_notes"`
	LookBack   *LookOut      `json:"look_back,omitempty"`
	Steps      []DoneByOut   `json:"steps"`
	Whole      *WholeOut     `json:"whole,omitempty"`
}

// DocumentOut is one picture.
type DocumentOut struct {
	ID     string `json:"id"`
	Media  string `json:"media_type"`
	Bytes  int    `json:"bytes"`
	Passed bool   `json:"passed_on"` // to the handling unit
}

// FindingOut is what the handling came to.
type FindingOut struct {
	Version      int64  `json:"version"`
	Outcome      string `json:"outcome"`
	OutcomeLabel string `json:"outcome_label"`
	Text         string `json:"text"`
	By           string `json:"by"`
	At           string `json:"at"`
}

// ExtensionOut is the one extension.
type ExtensionOut struct {
	Days    int    `json:"days"`
	Reason  string `json:"reason"`
	Granted bool   `json:"granted"`
}

// NoteOut is a supervision note.
type NoteOut struct {
	ID       string `json:"id"`
	Text     string `json:"text"`
	Due      string `json:"due"`
	Answered bool   `json:"answered"`
	Answer   string `json:"answer,omitempty"`
	Late     bool   `json:"late"`
}

// LookOut is the second look.
type LookOut struct {
	Due       string `json:"due"`
	Done      bool   `json:"done"`
	Rectified bool   `json:"rectified"`
}

// DoneByOut is one thing that staff or the machine did.
type DoneByOut struct {
	On    string `json:"on"`
	What  string `json:"what"`
	Label string `json:"label"`
	By    string `json:"by"`
	Words string `json:"words,omitempty"`
}

// WholeOut is what the complainant said; who that is takes an identity reading.
type WholeOut struct {
	Channel     string   `json:"channel"`
	FiledAt     string   `json:"filed_at"`
	Description string   `json:"description"`
	TargetName  string   `json:"target_name,omitempty"`
	TargetStaff string   `json:"target_staff,omitempty"`
	Supplements []string `json:"supplements"`
	Identity    string   `json:"identity"` // sealed or none
}

// deskSteps are what each kind of event is called at the desk. The handling unit
// is shown those of staff; what the complainant did is for the supervision body.
var deskSteps = map[string]struct {
	label string
	unit  bool // the handling unit sees it too
}{
	"filed": {"提交投诉", false}, "supplemented": {"补充情况", false}, "document_added": {"补充材料", false}, "rated": {"评价", false},
	"reopened": {"要求重新办理", true}, "accepted": {"受理", true}, "declined": {"提出不予受理", false}, "assigned": {"转办", true},
	"objected": {"对转办提出异议", true}, "objection_answered": {"答复转办异议", true}, "handled": {"提出办理结果", true}, "returned": {"审核退回", true},
	"reviewed": {"审核通过", true}, "replied": {"答复", true}, "extension_asked": {"申请延期", true}, "extension_answered": {"审批延期", true},
	"paused": {"暂停计时", true}, "resumed": {"恢复计时", true}, "supervised": {"督办", true}, "supervision_answered": {"回复督办", true},
	"looked_back": {"回头看", true}, "escalated": {"期限预警", true}, "rescheduled": {"放假安排公布，重新计算期限", true},
	"identity_read": {"查看投诉人身份", false},
}

func show(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (DetailOut, error) {
	c, err := complaint.Get(ctx, d.Table, call.Path("id"))
	if err != nil {
		return DetailOut{}, err
	}
	k, err := d.sit(ctx, call.Principal.ID, c, staff.ReadComplaint)
	if err != nil {
		return DetailOut{}, err
	}
	return k.detail(ctx)
}

// detail is the complaint as the one at the desk may see it.
func (k desk) detail(ctx context.Context) (DetailOut, error) {
	d, c := k.deps, k.c
	out := DetailOut{Documents: []DocumentOut{}, Notes: []NoteOut{}, Steps: []DoneByOut{}, Paused: c.Paused(k.at)}
	var err error
	if out.LineOut, err = d.line(c, k.at); err != nil {
		return out, err
	}
	if c.Target.Division != "" {
		out.TargetUnit = d.name(c.Target.Division, c.FiledAt)
	}
	events, err := event.Of(ctx, d.Table, complaint.Partition(c.ID))
	if err != nil {
		return out, err
	}
	said := map[int64]string{}
	for _, e := range events {
		step := deskSteps[e.Kind]
		if !k.supervises && !step.unit {
			continue
		}
		words, err := application.OpenNote(ctx, d.Box, e)
		if err != nil {
			return out, err
		}
		said[e.Version] = words.Reveal()
		line := DoneByOut{On: day(e.At), What: e.Kind, Label: step.label, By: e.Actor.ID, Words: words.Reveal()}
		if e.Actor.Kind == event.Citizen && !k.supervises {
			line.Words = "" // the complainant's own words may show who it is
		}
		out.Steps = append(out.Steps, line)
	}
	present, assigned := c.Present()
	if assigned {
		out.Brief, out.ObjectBy, out.Objected = said[present.Version], clock(present.ObjectDue), present.Objection != nil
	}
	if f := c.Finding; f != nil {
		out.Finding = &FindingOut{f.Version, string(f.Outcome), f.Outcome.Label(), said[f.Version], f.By.ID, clock(f.At)}
	}
	if c.Reply != nil && c.Finding != nil {
		out.Reply = &ReplyOut{clock(c.Reply.At), string(c.Finding.Outcome), c.Finding.Outcome.Label(), said[c.Reply.Version]}
	}
	if e := c.Extension; e != nil {
		out.Extension = &ExtensionOut{e.Days, said[e.Asked.Version], e.Granted != nil}
	}
	for _, n := range c.Notes {
		line := NoteOut{ID: n.ID, Text: said[n.Sent.Version], Due: clock(n.Due), Answered: n.Answered != nil, Late: n.Answered == nil && k.at.After(n.Due)}
		if n.Answered != nil {
			line.Answer, line.Late = said[n.Answered.Version], n.Answered.At.After(n.Due)
		}
		out.Notes = append(out.Notes, line)
	}
	if l := c.LookBack; l != nil {
		out.LookBack = &LookOut{clock(l.Due), l.Done != nil, l.Rectified}
	}
	if err := k.documents(ctx, present, &out); err != nil {
		return out, err
	}
	if k.supervises {
		out.Whole, err = k.whole(ctx, events, said)
	}
	return out, err
}

// documents are the pictures that the one at the desk may see.
func (k desk) documents(ctx context.Context, present complaint.Assignment, out *DetailOut) error {
	docs, err := document.List(ctx, k.deps.Table, complaint.Partition(k.c.ID))
	if err != nil {
		return err
	}
	for _, x := range docs {
		passed := slices.Contains(present.Documents, x.ID)
		if passed || k.supervises {
			out.Documents = append(out.Documents, DocumentOut{x.ID, x.Media, x.Bytes, passed})
		}
	}
	return nil
}

// whole is what the complainant said.
func (k desk) whole(ctx context.Context, events []event.Event, said map[int64]string) (*WholeOut, error) {
	d, c := k.deps, k.c
	description, target, err := complaint.OpenWords(ctx, d.Table, d.Box, c.ID)
	if err != nil {
		return nil, err
	}
	out := &WholeOut{Channel: string(c.Channel), FiledAt: clock(c.FiledAt), Description: description.Reveal(), TargetName: target.Reveal(),
		TargetStaff: c.Target.Staff, Supplements: []string{}, Identity: "sealed"}
	if c.Channel == complaint.Anonymous {
		out.Identity = "none"
	}
	for _, e := range events {
		if e.Actor.Kind == event.Citizen && said[e.Version] != "" {
			out.Supplements = append(out.Supplements, said[e.Version])
		}
	}
	return out, nil
}

// PictureOut is the content of one picture.
type PictureOut struct {
	Media   string `json:"media_type"`
	Content string `json:"content_base64"`
}

// showDocument shows a picture: to the supervision body any, to the handling unit
// those passed on with the present assignment.
func showDocument(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (PictureOut, error) {
	c, err := complaint.Get(ctx, d.Table, call.Path("id"))
	if err != nil {
		return PictureOut{}, err
	}
	k, err := d.sit(ctx, call.Principal.ID, c, staff.ReadComplaint)
	if err != nil {
		return PictureOut{}, err
	}
	id, partition := call.Path("document"), complaint.Partition(c.ID)
	present, _ := c.Present()
	docs, err := document.List(ctx, d.Table, partition)
	if err != nil {
		return PictureOut{}, err
	}
	i := slices.IndexFunc(docs, func(x document.Document) bool { return x.ID == id })
	if i < 0 || !k.supervises && !slices.Contains(present.Documents, id) {
		return PictureOut{}, document.ErrNotFound
	}
	content, err := d.Documents.Get(ctx, partition, id)
	if err != nil {
		return PictureOut{}, err
	}
	return PictureOut{docs[i].Media, base64.StdEncoding.EncodeToString(content)}, nil
}
