package complain

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/complaint/announce"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// MatterIn is what a complaint is about, whoever makes it.
type MatterIn struct {
	Kind        string      `json:"kind,omitempty" api:"enum=report|petition"`
	Place       string      `json:"place" api:"required,max=20"` // village, township, county or city, 12 digits
	Module      string      `json:"module" api:"required,max=60"`
	Item        string      `json:"item,omitempty" api:"max=60"`
	TargetUnit  string      `json:"target_unit,omitempty" api:"max=20"`  // whose office is complained about, by its division
	TargetName  redact.Text `json:"target_name,omitempty" api:"max=200"` // the unit or person, as the complainant calls them
	Description redact.Text `json:"description" api:"required,min=5,max=5000,lines"`
	Urgent      bool        `json:"urgent,omitempty"`   // somebody's living or safety is in danger
	Hardship    bool        `json:"hardship,omitempty"` // it is about people in hardship
}

// ComplaintIn is a complaint by somebody who is signed in. The name and the
// telephone may be left out; what is given is sealed.
type ComplaintIn struct {
	MatterIn
	Name  redact.Text `json:"name,omitempty" api:"max=120"`
	Phone redact.Text `json:"phone,omitempty" api:"max=40"`
	Case  string      `json:"application,omitempty" api:"max=40"` // the own application it is about
}

// CallIn is a complaint that came by telephone.
type CallIn struct {
	MatterIn
	Name  redact.Text `json:"name,omitempty" api:"max=120"`
	Phone redact.Text `json:"phone,omitempty" api:"max=40"`
}

// AnonymousIn is a complaint without an account. Code was drawn before
// (complaint-codes); it is the only way to follow the complaint, and the same code
// with the same body is the same complaint.
type AnonymousIn struct {
	CodeIn
	MatterIn
}

// CodeIn is the query code of an anonymous complaint. It is never in a URL.
type CodeIn struct {
	Code redact.Text `json:"code" api:"required,min=26,max=26"`
}

// CodeOut is a fresh query code. Nothing of it is kept until it is used.
type CodeOut struct {
	Code string `json:"code"`
}

// FiledOut is the answer to a complaint.
type FiledOut struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	KindLabel  string   `json:"kind_label"`
	State      string   `json:"state"`
	StateLabel string   `json:"state_label"`
	Rank       string   `json:"rank"`
	FiledAt    string   `json:"filed_at"`
	Place      string   `json:"place"`
	Module     string   `json:"module"`
	AcceptBy   ClockOut `json:"accept_by"`
	Next       string   `json:"next"`
}

// ClockOut is a deadline and where it comes from. First is what it was before
// any extension or pause.
type ClockOut struct {
	At          string `json:"at"`
	First       string `json:"first"`
	Basis       string `json:"basis"`
	Provisional bool   `json:"provisional"`
	Late        bool   `json:"late"`
}

var rankCodes = map[complaint.Rank]string{complaint.Urgent: "urgent", complaint.Hardship: "hardship", complaint.Ordinary: "ordinary"}

func rankOf(code string) complaint.Rank {
	for r, c := range rankCodes {
		if c == code {
			return r
		}
	}
	return complaint.Ordinary
}

// drawCode is a fresh query code.
func drawCode(_ context.Context, d Deps, _ httpapi.Call[httpapi.None]) (CodeOut, error) {
	return CodeOut{d.IDs.New()}, nil
}

// read turns what was typed into a complaint, naming everything that is wrong.
func (d Deps) read(in MatterIn, channel complaint.Channel, now time.Time, f *fault.Fields) (complaint.Complaint, *complaint.Rules) {
	c := complaint.Complaint{Kind: complaint.Report, Channel: channel, Module: in.Module, Item: in.Item, Rank: complaint.Ordinary}
	if in.Kind != "" {
		c.Kind = complaint.Kind(in.Kind)
	}
	place, err := civil.ParseDivision(in.Place)
	if err == nil {
		c.Path = d.within(place, now)
	}
	if len(c.Path) == 0 || place.Level() < civil.CityLevel {
		f.Add("/place", "place-unknown", "这个地方还没有开通网上投诉，请拨打12345。")
		return c, nil
	}
	rules, err := d.Book.Rules(place, calendar.Today(now))
	if err != nil {
		f.Add("/place", "place-unknown", "这个地方还没有开通网上投诉，请拨打12345。")
		return c, nil
	}
	module, known := rules.Module(in.Module)
	if !known {
		f.Add("/module", "not-allowed", "请从当地的投诉模块中选择。")
	}
	if _, ok := module.Item(in.Item); known && in.Item != "" && !ok {
		f.Add("/item", "not-allowed", "请从模块的事项中选择。")
	}
	if in.TargetUnit != "" {
		unit, err := civil.ParseDivision(in.TargetUnit)
		if _, there := d.Tree.Find(unit, calendar.Today(now)); err != nil || !there {
			f.Add("/target_unit", "place-unknown", "没有这个单位所在的地区，请从列表中选择；不清楚的可以不填。")
		}
		c.Target.Division = unit
	}
	switch {
	case in.Urgent:
		c.Rank = complaint.Urgent
	case in.Hardship || module.Hardship:
		c.Rank = complaint.Hardship
	}
	return c, rules
}

// identity reads who complains; each part may be left out.
func identity(name, phone redact.Text, f *fault.Fields) complaint.Identity {
	if !name.Empty() {
		if _, err := civil.ParseName(name.Reveal()); err != nil {
			problem(f, "/name", err)
		}
	}
	if !phone.Empty() {
		p, err := civil.ParsePhone(phone.Reveal())
		problem(f, "/phone", err)
		phone = redact.New(p.Reveal())
	}
	return complaint.Identity{Name: name, Phone: phone}
}

// file takes the complaint of somebody who is signed in. What follows it is a keyed
// reference; the account itself is kept sealed, for the message that a reply is there.
func file(ctx context.Context, d Deps, call httpapi.Call[ComplaintIn]) (httpapi.Reply[FiledOut], error) {
	now, in := d.Now(), call.Body
	req := complaint.Asked(d.Blind, call.RequestKey(), call.Digest(), http.StatusCreated)
	id := ident.Derive("complaint", req.Key)
	if again, found, err := complaint.Earlier(ctx, d.Table, id, req); err != nil || found {
		return httpapi.Again[FiledOut](again.Status, again.Body), err
	}
	var f fault.Fields
	c, rules := d.read(in.MatterIn, complaint.WeChat, now, &f)
	who := identity(in.Name, in.Phone, &f)
	if in.Case != "" {
		a, err := d.ownCase(ctx, in.Case, call.Principal.ID)
		if err != nil {
			return httpapi.Reply[FiledOut]{}, err
		}
		if a.ID == "" {
			f.Add("/application", "not-found", "没有找到您的这份申请。")
		}
		who.Case = a.ID
		c.Rank = min(c.Rank, complaint.Hardship)
	}
	if c.Kind == complaint.Petition && in.Name.Empty() {
		f.Add("/name", "required", "信访事项须写明姓名（信访工作条例第十九条）；不愿留名的请选择投诉举报。")
	}
	if err := f.Err(); err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	owners := complaint.Owners(d.Blind, call.Principal.ID)
	counted, err := complaint.Counted(ctx, d.Table, owners[0], now)
	if err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	c.ID, c.Owner = id, owners[0]
	return d.store(ctx, complaint.New(c, rules, now), in.MatterIn, who, announce.Address{Account: call.Principal.ID, Phone: who.Phone}, req, complaint.Complainant(), counted)
}

// ownCase is the caller's own application; the zero one when it is not theirs or
// not there, which look alike.
func (d Deps) ownCase(ctx context.Context, id, account string) (application.Application, error) {
	if !ident.Valid(id) {
		return application.Application{}, nil
	}
	a, err := application.Get(ctx, d.Table, id)
	if fault.Of(err) != nil && fault.Of(err).Kind == fault.NotFound || err == nil && a.Account != account {
		return application.Application{}, nil
	}
	return a, err
}

// fileAnonymously takes a complaint of which nothing is kept but what it says.
// No session is read, no trace is kept, and the code leads to the complaint only
// through a digest.
func fileAnonymously(ctx context.Context, d Deps, call httpapi.Call[AnonymousIn]) (httpapi.Reply[FiledOut], error) {
	now, in := d.Now(), call.Body
	id, err := codeID(in.Code)
	if err != nil {
		return httpapi.Reply[FiledOut]{}, fault.ErrFields.With(fault.Field{Pointer: "/code", Code: "malformed", Detail: "查询码不正确，请重新取一个。"})
	}
	req := complaint.Asked(d.Blind, "filed "+id, call.Digest(), http.StatusCreated)
	if again, found, err := complaint.Earlier(ctx, d.Table, id, req); err != nil || found {
		return httpapi.Again[FiledOut](again.Status, again.Body), err
	}
	var f fault.Fields
	c, rules := d.read(in.MatterIn, complaint.Anonymous, now, &f)
	if c.Kind == complaint.Petition {
		f.Add("/kind", "not-allowed", "信访事项须实名提出；匿名的请选择投诉举报。")
	}
	if err := f.Err(); err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	c.ID = id
	return d.store(ctx, complaint.New(c, rules, now), in.MatterIn, complaint.Identity{}, announce.Address{}, req, complaint.Complainant())
}

// codeID is the complaint that a query code leads to.
func codeID(code redact.Text) (string, error) {
	if !ident.Valid(code.Reveal()) {
		return "", complaint.ErrNotFound
	}
	return ident.Derive("anonymous complaint", code.Reveal()), nil
}

// takeCall enters the complaint of somebody who telephoned.
func takeCall(ctx context.Context, d Deps, call httpapi.Call[CallIn]) (httpapi.Reply[FiledOut], error) {
	var none httpapi.Reply[FiledOut]
	now, in := d.Now(), call.Body
	who, board, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return none, err
	}
	place, err := civil.ParseDivision(in.Place)
	if err != nil {
		return none, staff.ErrNotAllowed
	}
	if err := d.permitted(ctx, who, staff.TakeComplaint, place, now); err != nil {
		return none, err
	}
	req := complaint.Asked(d.Blind, call.RequestKey(), call.Digest(), http.StatusCreated)
	id := ident.Derive("complaint", req.Key)
	if again, found, err := complaint.Earlier(ctx, d.Table, id, req); err != nil || found {
		return httpapi.Again[FiledOut](again.Status, again.Body), err
	}
	var f fault.Fields
	c, rules := d.read(in.MatterIn, complaint.Hotline, now, &f)
	caller := identity(in.Name, in.Phone, &f)
	if c.Kind == complaint.Petition && in.Name.Empty() {
		f.Add("/name", "required", "信访事项须写明姓名（信访工作条例第十九条）。")
	}
	if err := f.Err(); err != nil {
		return none, err
	}
	by := who.Actor()
	c.ID, c.Taken = id, &by
	caller.Taken = by.ID
	return d.store(ctx, complaint.New(c, rules, now), in.MatterIn, caller, announce.Address{Phone: caller.Phone}, req, by, append(who.Checks(), board.Check())...)
}

// store keeps a new complaint and counts it.
func (d Deps) store(ctx context.Context, c complaint.Complaint, in MatterIn, who complaint.Identity, to announce.Address, req complaint.Request, by event.Actor, also ...table.Write) (httpapi.Reply[FiledOut], error) {
	tally, err := c.Tallied(ctx, d.Table, complaint.CountFiled()...)
	if err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	rules, err := d.rules(c)
	if err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	module, _ := rules.Module(c.Module)
	out := FiledOut{ID: c.ID, Kind: string(c.Kind), KindLabel: c.Kind.Label(), State: string(c.State), StateLabel: c.State.Label(), Rank: rankCodes[c.Rank],
		FiledAt: clock(c.FiledAt), Place: d.name(c.Place(), c.FiledAt), Module: module.Name, AcceptBy: clockOut(c, c.FiledAt),
		Next: "投诉已收到，直接送达监督部门。办理单位看不到您是谁。"}
	p := complaint.Particulars{Description: in.Description, TargetName: in.TargetName, Identity: who}
	also = append(also, tally)
	if !to.Nowhere() {
		kept, err := to.Put(ctx, d.Box, c.ID)
		if err != nil {
			return httpapi.Reply[FiledOut]{}, err
		}
		also = append(also, kept)
	}
	answer, err := complaint.File(ctx, d.Table, d.Box, c, p, req, by, out, also...)
	if err != nil {
		return httpapi.Reply[FiledOut]{}, err
	}
	return httpapi.Again[FiledOut](answer.Status, answer.Body), nil
}

// clockOut is the running clock of c; the zero one when none runs.
func clockOut(c complaint.Complaint, now time.Time) ClockOut {
	k, due := c.Running()
	if k == nil {
		return ClockOut{}
	}
	return ClockOut{At: clock(due), First: clock(k.At), Basis: k.Basis, Provisional: k.Provisional, Late: c.Late(now)}
}

// problem notes what a parser says.
func problem(f *fault.Fields, pointer string, err error) {
	if p, ok := err.(civil.Problem); ok {
		f.Add(pointer, p.Code, p.Detail)
	}
}

var digitsOnly = regexp.MustCompile(`[^0-9]`)

// shows reports whether text gives away who somebody is: the name, the digits of
// the telephone however they are spaced, or the application.
func shows(text string, who complaint.Identity) bool {
	name, phone := who.Name.Reveal(), who.Phone.Reveal()
	plain := strings.Join(strings.Fields(text), "")
	return len([]rune(name)) > 1 && strings.Contains(plain, strings.Join(strings.Fields(name), "")) ||
		len(phone) > 6 && strings.Contains(digitsOnly.ReplaceAllString(text, ""), digitsOnly.ReplaceAllString(phone, "")) ||
		who.Case != "" && strings.Contains(plain, who.Case)
}
