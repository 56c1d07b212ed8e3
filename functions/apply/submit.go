package apply

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/verification"
)

// ApplicationIn is the body of POST /v1/applications. In an emergency nothing
// but these words is needed: no document, no account, no telephone.
type ApplicationIn struct {
	Track     string      `json:"track" api:"required,enum=emergency"`
	Place     string      `json:"place" api:"required,max=20"` // where it happened: township or village, 12 digits
	Cause     string      `json:"cause" api:"required,max=40"`
	Relation  string      `json:"relation" api:"required,enum=self|household|village_committee|relative|outreach"`
	Source    string      `json:"source" api:"enum=self|agent|outreach|door_visit|referral"`
	Subject   PersonIn    `json:"subject" api:"required"`
	Applicant *PersonIn   `json:"applicant"`
	Members   []MemberIn  `json:"members" api:"max=20"`
	Address   redact.Text `json:"address" api:"max=200"`
	Story     redact.Text `json:"story" api:"max=2000,lines"`
	Payee     *PayeeIn    `json:"payee"`
	// Expenses are bills at hand. None is ever needed: what the medical settlement
	// knows is looked up.
	Expenses []ExpenseIn `json:"expenses" api:"max=20"`
	// Device is a random word that the mini-program keeps on this device.
	Device   redact.Text `json:"device" api:"max=64"`
	Consents []ConsentIn `json:"consents" api:"max=25"`
	Channels *ChannelsIn `json:"channels"`
}

// ChannelsIn is how the person may be told. Subscribe lists the message
// templates just agreed to; each agreement is one message.
type ChannelsIn struct {
	Subscribe []string `json:"subscribe" api:"max=10,each=64"`
}

// Accepted is the answer to POST /v1/applications. Nothing personal is in it: it
// is kept as it is.
type Accepted struct {
	ID         string            `json:"id"`
	State      string            `json:"state"`
	StateLabel string            `json:"state_label"`
	AcceptedAt string            `json:"accepted_at"`
	Deadline   DeadlineOut       `json:"deadline"`
	Office     string            `json:"office"` // which township decides
	Next       string            `json:"next"`
	Materials  []policy.Material `json:"materials_optional"`
	Links      Links             `json:"links"`
}

// DeadlineOut is by when somebody has to have done something.
type DeadlineOut struct {
	Kind        string `json:"kind"`
	At          string `json:"at"`
	Provisional bool   `json:"provisional"`
	Text        string `json:"text"`
}

// Links are where to go on.
type Links struct {
	Self        string `json:"self"`
	Card        string `json:"card"`
	Documents   string `json:"documents"`
	Supplements string `json:"supplements"`
	Withdrawal  string `json:"withdrawal"`
}

func links(id string) Links {
	self := "/v1/applications/" + id
	return Links{self, self + "/card", self + "/documents", self + "/supplements", self + "/withdrawal"}
}

var templateForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// submit accepts an application. Everything is decided by the transaction in
// application.Submit: if we die before it the caller sends again, and after it
// the due index has the verification done.
func (d Deps) submit(ctx context.Context, c httpapi.Call[ApplicationIn]) (httpapi.Reply[Accepted], error) {
	now := d.Now()
	req := application.Asked(d.Blind, c.RequestKey(), c.Digest(), http.StatusCreated)
	id := application.SubmissionID(c.Principal.ID, c.IdempotencyKey)
	if answer, found, err := application.Submitted(ctx, d.Table, id, req); err != nil {
		return httpapi.Reply[Accepted]{}, err
	} else if found {
		return httpapi.Again[Accepted](answer.Status, answer.Body), nil
	}
	s, rules, err := d.read(c, now)
	if err != nil {
		return httpapi.Reply[Accepted]{}, err
	}
	var answered []string
	if slices.ContainsFunc(s.Consents, func(g application.Agreement) bool { return g.Role == application.RoleSubject }) {
		answered = verification.Covered()
	}
	out := Accepted{ID: s.ID, State: string(application.Accepted), StateLabel: application.Accepted.Label(), AcceptedAt: clock(now),
		Deadline: deadline(s.Deadline), Office: d.names(s.Township, s.Day), Materials: rules.Materials(s.Cause, answered), Links: links(s.ID),
		Next: "我们正在向有关部门核对信息，不需要您再跑路。现在没有材料也可以，以后方便时再补。"}
	answer, err := application.Submit(ctx, d.Table, d.Blind, d.Box, s, req,
		func(a application.Application, e event.Event) (application.With[Accepted], error) {
			also, facts, err := d.filing(ctx, c, a, e, s)
			return application.With[Accepted]{Facts: facts, Also: also, Out: out}, err
		})
	if err != nil {
		return httpapi.Reply[Accepted]{}, err
	}
	return httpapi.Again[Accepted](answer.Status, answer.Body), nil
}

// judge says what the readable part of a body would be refused for.
func (d Deps) judge(_ context.Context, c httpapi.Call[ApplicationIn]) error {
	_, _, err := d.read(c, d.Now())
	return err
}

// read turns the body into a submission, naming everything that is wrong.
func (d Deps) read(c httpapi.Call[ApplicationIn], now time.Time) (application.Submission, *policy.Rules, error) {
	in := c.Body
	r := reader{today: calendar.Today(now)}
	s := application.Submission{ID: application.SubmissionID(c.Principal.ID, c.IdempotencyKey), Account: c.Principal.ID,
		Track: application.Track(in.Track), Cause: policy.Cause(in.Cause), Relation: application.Relation(in.Relation),
		Trace: c.Trace, At: now, Day: r.today}
	rules := d.place(&r, &s, in.Place)
	if s.Cause.Chinese() == "" {
		r.fields.Add("/cause", "not-allowed", "请从列表中选择发生了什么事。")
	}
	p := application.Particulars{Subject: r.person("/subject", in.Subject), Members: r.members(in.Members), Address: in.Address, Story: in.Story}
	if in.Applicant != nil {
		a := r.person("/applicant", *in.Applicant)
		p.Applicant = &a
	}
	p.Account, p.Holder = r.payee(in.Payee)
	p.Expenses = r.expenses(in.Expenses)
	s.Device = r.device(in.Device)
	s.Consents = r.consents(in.Consents, []string{application.Authorisation().SHA256})
	s.Particulars = p
	if in.Channels != nil {
		for i, id := range in.Channels.Subscribe {
			if !templateForm.MatchString(id) || len(d.Templates) > 0 && !slices.Contains(d.Templates, id) {
				r.fields.Add(fmt.Sprintf("/channels/subscribe/%d", i), "not-allowed", "没有这个通知模板。")
			}
		}
	}
	r.fields = append(r.fields, s.Problems()...)
	if err := r.fields.Err(); err != nil {
		return s, nil, err
	}
	s.HoldDue = rules.HoldDue(now).At
	due := rules.DecisionDue(now)
	s.Deadline = application.Deadline{Kind: application.ToDecide, From: now, At: due.At, Provisional: due.Provisional}
	return s, rules, nil
}

// place finds the office that receives the application: that of the place where
// the emergency happened, whoever is registered wherever (Law art. 37).
func (d Deps) place(r *reader, s *application.Submission, code string) *policy.Rules {
	place, err := civil.ParseDivision(code)
	if err != nil {
		r.note("/place", err)
		return nil
	}
	township, inTownship := d.Tree.TownshipOf(place, s.Day)
	county, inCounty := d.Tree.CountyOf(place, s.Day)
	_, known := d.Tree.Find(place, s.Day)
	switch {
	case !known:
		r.fields.Add("/place", "place-unknown", "这个地方还没有开通网上申请，请到当地乡镇（街道）办理或拨打12345。")
		return nil
	case !inTownship || !inCounty:
		r.fields.Add("/place", "place-too-wide", "请选到乡镇（街道）或村（社区）。")
		return nil
	}
	rules, err := d.Book.Rules(township.Code, s.Day)
	if err != nil {
		r.fields.Add("/place", "place-unknown", "这个地方还没有开通网上申请，请到当地乡镇（街道）办理或拨打12345。")
		return nil
	}
	s.Place, s.Township, s.County = place, township.Code, county.Code
	return rules
}

// filing is what accepting implies: the account's quota and the messages agreed
// to, and the notices owed. Whoever is applied for by another is told (X096).
func (d Deps) filing(ctx context.Context, c httpapi.Call[ApplicationIn], a application.Application, e event.Event, s application.Submission) ([]table.Write, event.Facts, error) {
	acc, err := account.Get(ctx, d.Table, c.Principal.ID)
	if err != nil {
		return nil, nil, err
	}
	acc, n, err := acc.File(s.Day, string(a.Relation), d.Quotas[a.Relation])
	if err != nil {
		return nil, nil, account.ErrQuota.After(untilTomorrow(s.At))
	}
	if c.Body.Channels != nil {
		acc = acc.Accept(c.Body.Channels.Subscribe...)
	}
	keep, err := acc.Replace()
	if err != nil {
		return nil, nil, err
	}
	told, err := notice.Owe(notice.Accepted, e)
	if err != nil {
		return nil, nil, err
	}
	writes := []table.Write{keep, told}
	if a.Relation.Agent() {
		counted, err := inspection.Filed(ctx, d.Table, c.Principal.ID, s.Day, a.Township)
		if err != nil {
			return nil, nil, err
		}
		writes = append(writes, counted)
	}
	if a.Relation != application.Self && !s.Particulars.Subject.Phone.Empty() {
		warned, err := notice.Owe(notice.FiledForYou, e)
		if err != nil {
			return nil, nil, err
		}
		writes = append(writes, warned)
	}
	facts := event.Facts{"sampled": a.Relation.Agent() && n%SampleEvery == 0, "filed_today": n}
	if c.Body.Source != "" {
		facts["source"] = c.Body.Source
	}
	return writes, facts, nil
}

// untilTomorrow is the seconds until the next day begins, when a quota is new.
func untilTomorrow(now time.Time) int {
	return int(calendar.Today(now).AddDays(1).Start(calendar.Zone).Sub(now)/time.Second) + 1
}

// deadlineTexts says what a deadline asks of the office, not of the citizen.
var deadlineTexts = map[string]string{
	application.ToDecide:  "工作人员应在此之前作出决定。",
	application.ToExplain: "乡镇（街道）应在此之前补充说明情况，不需要您补办手续。",
}

func deadline(d application.Deadline) DeadlineOut {
	return DeadlineOut{d.Kind, clock(d.At), d.Provisional, deadlineTexts[d.Kind]}
}
