package application

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Submission is a request for help as it was read, before it is an application.
type Submission struct {
	ID          string // of SubmissionID
	Account     string
	Track       Track
	Place       civil.DivisionCode
	Township    civil.DivisionCode
	County      civil.DivisionCode
	Cause       policy.Cause
	Relation    Relation
	Particulars Particulars
	Device      redact.Text // the word that the device keeps; empty when it gave none
	Consents    []Agreement
	Deadline    Deadline
	HoldDue     time.Time // until when a person must look, should a hold come with it
	// Filer is the member of staff who files for somebody found in need; zero when a
	// citizen files. Who filed is concerned, and decides nothing of it.
	Filer event.Actor
	Trace string
	At    time.Time // of acceptance: the legal clock starts here
	Day   civil.Day // the day of At in the zone of the law
}

// SubmissionID is the identifier of the application that one account asks for
// under one Idempotency-Key: the same for ever, so that the application is its
// own idempotency record.
func SubmissionID(account, key string) string { return ident.Derive(Noun, account, key) }

// OutreachAccount stands for the account of what staff filed for somebody: a name
// that no citizen's account can have.
func OutreachAccount(staff string) string { return "outreach:" + staff }

// Problems says what is wrong with s beyond the form of single fields. Pointers
// are those of the body of POST /v1/applications.
func (s Submission) Problems() fault.Fields {
	f := s.Particulars.Problems(s.Relation, s.Day)
	if s.Track != Emergency {
		f.Add("/track", "track", "目前只受理急难型临时救助。")
	}
	if !slices.Contains(Relations(), s.Relation) {
		f.Add("/relation", "relation", "请选择您与求助人的关系。")
	}
	return append(f, s.Particulars.ConsentProblems(s.Relation, s.Consents, s.Day)...)
}

// Problems says what is wrong with p for somebody who asks as relation.
func (p Particulars) Problems(relation Relation, on civil.Day) fault.Fields {
	var f fault.Fields
	switch {
	case relation == Self && p.Applicant != nil:
		f.Add("/applicant", "applicant-not-needed", "本人申请时不用再填申请人。")
	case relation.Agent() && p.Applicant == nil:
		f.Add("/applicant", "required", "代为申请时，请填写您自己的姓名、证件和电话。")
	case relation == Household && p.Applicant == nil:
		f.Add("/applicant", "required", "请填写您自己的姓名和证件。")
	}
	if a := p.Applicant; a != nil && relation != Self {
		at := slices.IndexFunc(p.Members, func(m Member) bool { return samePaper(m.Paper, a.Paper) })
		switch {
		case samePaper(a.Paper, p.Subject.Paper):
			f.Add("/applicant/paper", "applicant-is-subject", "这是求助人本人的证件；本人申请请选择“本人”。")
		case relation == Household && at < 0:
			f.Add("/applicant/paper", "applicant-not-in-household", "请把您自己也列入共同生活的家庭成员。")
		case relation.Agent() && at >= 0:
			f.Add("/applicant/paper", "applicant-in-household", "您是共同生活的家庭成员，请选择“家庭成员”申请。")
		}
		if relation.Agent() && a.Paper.Kind() == civil.NoPaper {
			f.Add("/applicant/paper", "required", "代为申请的人必须有证件。")
		}
		if relation.Agent() && a.Phone.Empty() {
			f.Add("/applicant/phone", "required", "代为申请时，请填写您的联系电话。")
		}
	}
	for i, m := range p.Members {
		twice := samePaper(m.Paper, p.Subject.Paper) ||
			slices.ContainsFunc(p.Members[:i], func(o Member) bool { return samePaper(m.Paper, o.Paper) })
		if twice {
			f.Add(fmt.Sprintf("/members/%d/paper", i), "duplicate-person", "这个证件号码已经填过了，每人只填一次。")
		}
	}
	f = append(f, p.payeeProblems(relation, on)...)
	return f
}

// payeeProblems holds the account to its owner: the subject, or for a minor a
// guardian of the family. Nobody who asks on another's behalf can be paid.
func (p Particulars) payeeProblems(relation Relation, on civil.Day) (f fault.Fields) {
	if p.Holder == "" || p.Holder == RoleSubject {
		return nil
	}
	holder, ok := p.Person(p.Holder)
	switch {
	case !ok:
		f.Add("/payee/holder", "no-such-person", "收款人必须是上面填过的人。")
	case p.Holder == RoleApplicant && (relation == Committee || relation == Outreach):
		f.Add("/payee/holder", "payee-agent", "救助金只能打给求助人本人，不能由代办人收款。")
	case !p.Subject.minor(on):
		f.Add("/payee/holder", "payee-not-subject", "救助金只能打到求助人本人的账户；没有账户可以不填。")
	case holder.minor(on):
		f.Add("/payee/holder", "payee-minor", "收款的监护人应当是成年人。")
	}
	return f
}

// ConsentProblems says what is wrong with consents, at pointers below "/consents".
func (p Particulars) ConsentProblems(relation Relation, consents []Agreement, on civil.Day) (f fault.Fields) {
	for i, g := range consents {
		at := fmt.Sprintf("/consents/%d", i)
		switch {
		case !slices.Contains(p.Verified(), g.Role):
			f.Add(at+"/person", "no-such-person", "只需求助人和共同生活的家庭成员同意核对。")
			continue
		case slices.ContainsFunc(consents[:i], func(o Agreement) bool { return o.Role == g.Role }):
			f.Add(at+"/person", "duplicate-person", "这个人的授权已经填过了。")
		}
		who, _ := p.Person(g.Role)
		if _, ok := p.guardian(relation, g.Role, on); who.minor(on) && !ok {
			f.Add(at+"/person", "guardian-needed", "未满十八周岁的人需要由监护人代为同意；请先不填，工作人员会联系您。")
		}
	}
	return f
}

func samePaper(a, b civil.Paper) bool {
	return a.Kind() != "" && a.Kind() != civil.NoPaper && a == b
}

// open marks that one person has an open application for one cause in one
// township. It is a marker item, because absence cannot be locked.
type open struct {
	Application string `json:"application"`
}

func openKey(ref string, cause policy.Cause, township civil.DivisionCode) table.Key {
	return table.Key{PK: "PERSON#" + ref, SK: fmt.Sprintf("OPEN#%s#%s", cause, township)}
}

// With is what else is written with a new application, and the answer to it.
type With[Out any] struct {
	Facts event.Facts // of the accepted event, beside its own
	Also  []table.Write
	Out   Out
}

// Submit accepts s: the application, its event, the sealed particulars, the
// consents, the marker and whatever with adds, in one transaction. The same
// request again gets the same answer. with may run more than once; it gets the
// application as it will be and the event that will tell of it, whose facts it
// completes.
//
// A second open application for the same person, cause and township is
// ErrDuplicate when it is the caller's own; another caller's is accepted and
// held, because a machine refuses nobody and no second payment may leave.
//
// If we die before the transaction nothing was accepted and the caller asks
// again; after it, the verify place in the due index has the work done.
func Submit[Out any](ctx context.Context, t table.Store, blind *seal.Blind, box *seal.Box, s Submission, req Request, with func(Application, event.Event) (With[Out], error)) (Answer, error) {
	var last error
	for range tries {
		if answer, found, err := Submitted(ctx, t, s.ID, req); found || err != nil {
			return answer, err
		}
		a := s.application(blind)
		marks, err := a.mark(ctx, t, s.refs(blind), s.HoldDue)
		if errors.Is(err, errTwin) {
			continue
		}
		if err != nil {
			return Answer{}, err
		}
		by := s.Filer
		if by.ID == "" {
			by = event.Actor{Kind: event.Citizen, ID: s.Account, Person: a.Ref(blind, s.Particulars, s.asker())}
		}
		e := a.Event("accepted", by, s.At)
		w, err := with(a, e)
		if err != nil {
			return Answer{}, err
		}
		e.Facts = event.Facts{"cause": string(a.Cause), "relation": string(a.Relation), "township": string(a.Township),
			"persons": 1 + len(s.Particulars.Members), "consents": len(s.Consents), "held": a.Held(), "placed": Codes(a.Holds),
			"decide_due": a.Deadline.At.Format(time.RFC3339)}
		for k, v := range w.Facts {
			e.Facts[k] = v
		}
		also, err := s.papers(ctx, blind, box, a)
		if err != nil {
			return Answer{}, err
		}
		also = append(append(also, marks...), w.Also...)
		writes, answer, err := commit(a, e, req, w.Out, also)
		if err != nil {
			return Answer{}, err
		}
		err = t.Transact(ctx, writes...)
		if err == nil {
			return answer, nil
		}
		if _, moved := errors.AsType[*table.ConditionError](err); !moved && !errors.Is(err, table.ErrUnknown) {
			return Answer{}, err
		}
		last = err
	}
	if errors.Is(last, table.ErrUnknown) {
		return Answer{}, last
	}
	return Answer{}, table.ErrBusy.Because(last)
}

// Submitted is the answer that the request which made the application id got;
// found is false when there is none yet. Ask it before judging a submission: what
// was accepted once stays accepted, whatever the rules have become.
func Submitted(ctx context.Context, t table.Store, id string, req Request) (answer Answer, found bool, err error) {
	_, found, err = t.Get(ctx, Key(id))
	if err != nil {
		return Answer{}, false, err
	}
	if !found {
		return Answer{}, false, nil
	}
	answer, err = Replay(ctx, t, id, 1, req)
	return answer, true, err
}

// application is version 1.
func (s Submission) application(blind *seal.Blind) Application {
	p := s.Particulars
	a := Application{ID: s.ID, Version: 1, Track: s.Track, State: Accepted, Township: s.Township, Place: s.Place, County: s.County,
		Cause: s.Cause, Relation: s.Relation, Account: s.Account, Trace: s.Trace, AcceptedAt: s.At, Deadline: s.Deadline}
	a.Subject = a.Ref(blind, p, RoleSubject)
	a.People = a.Refs(blind, p)
	a.Device = DeviceRef(blind, s.Device)
	if s.Filer.Person != "" && !slices.Contains(a.People, s.Filer.Person) {
		a.People = append(a.People, s.Filer.Person)
	}
	if !p.Account.Empty() {
		a.Payee = AccountRef(blind, p.Account)
	}
	return a
}

// refs is the subject's reference under every live key, the current one first.
func (s Submission) refs(blind *seal.Blind) []string {
	return PersonRefs(blind, s.Particulars.Subject.Paper, s.ID+"/"+RoleSubject)
}

// asker is the role of whoever files.
func (s Submission) asker() string {
	if s.Particulars.Applicant != nil {
		return RoleApplicant
	}
	return RoleSubject
}

// papers is the sealed particulars and the consents.
func (s Submission) papers(ctx context.Context, blind *seal.Blind, box *seal.Box, a Application) ([]table.Write, error) {
	item, err := s.Particulars.Seal(ctx, box, s.ID, 1)
	if err != nil {
		return nil, err
	}
	writes := []table.Write{table.Put{Item: item}}
	for _, g := range s.Consents {
		c, ok := a.Consent(blind, s.Particulars, g, s.Account, s.At, s.Day)
		if !ok {
			continue // Problems names it
		}
		w, err := c.Put(s.ID)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// errTwin: between looking for the application and for its marker, another call
// of the same request stored both.
var errTwin = errors.New("application: submitted meanwhile by the same request")

// mark finds out whether the subject has an open application for the same cause
// in the same township, under any of refs, and gives the writes that keep the
// answer true. One that is somebody else's puts a hold on a.
func (a *Application) mark(ctx context.Context, t table.Store, refs []string, due time.Time) ([]table.Write, error) {
	var writes []table.Write
	var mine table.Item
	for i, ref := range refs {
		key := openKey(ref, a.Cause, a.Township)
		item, found, err := t.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			mine = item
			mine.Key = key
		} else {
			writes = append(writes, table.Check{Key: key, Version: item.Version})
		}
		if !found {
			continue
		}
		var m open
		if err := json.Unmarshal(item.Body, &m); err != nil {
			return nil, fmt.Errorf("application: %s %s: %w", key.PK, key.SK, err)
		}
		if m.Application == a.ID {
			return nil, errTwin
		}
		other, err := Get(ctx, t, m.Application)
		if err != nil {
			return nil, err
		}
		if !other.Open() {
			continue
		}
		if other.Account == a.Account {
			return nil, ErrDuplicate.With(fault.Field{Pointer: "/cause", Code: "existing-application",
				Detail: "已有的申请：/v1/applications/" + other.ID})
		}
		if !a.Held() {
			by := event.Actor{Kind: event.System, ID: "apply"}
			a.Holds = []Hold{NewHold(a.ID, a.Version, HoldDuplicate, by, a.AcceptedAt, due)}
		}
	}
	if a.Held() { // the first one keeps the marker
		return append(writes, table.Check{Key: mine.Key, Version: mine.Version}), nil
	}
	body, err := json.Marshal(open{a.ID})
	if err != nil {
		return nil, fmt.Errorf("application: marker: %w", err)
	}
	mine.Version, mine.Body = mine.Version+1, body
	return append(writes, table.Step(mine)), nil
}

// OpenElsewhere lists the other applications of the person known by refs that
// are marked as not finished, in other townships than a's. A marker stands from
// the moment an application is accepted, so of two that are decided on at once
// each sees the other.
func OpenElsewhere(ctx context.Context, t table.Store, a Application, refs []string) ([]Application, error) {
	marked, err := markedFor(ctx, t, refs)
	return slices.DeleteFunc(marked, func(o Application) bool { return o.ID == a.ID || o.Township == a.Township || !o.Open() }), err
}

// Applied is the newest application of the person known by refs that was accepted
// on or after since; found is false when there is none. The markers keep the last
// application for each cause and township.
func Applied(ctx context.Context, t table.Store, refs []string, since time.Time) (newest Application, found bool, err error) {
	marked, err := markedFor(ctx, t, refs)
	for _, a := range marked {
		if !a.AcceptedAt.Before(since) && (!found || a.AcceptedAt.After(newest.AcceptedAt)) {
			newest, found = a, true
		}
	}
	return newest, found, err
}

// mostMarked bounds how many markers of one person are looked at: more than any
// person's honest year has, and enough to say that there are many.
const mostMarked = 60

// markedFor are the applications that the markers of a person name, each once.
func markedFor(ctx context.Context, t table.Store, refs []string) ([]Application, error) {
	var all []Application
	for _, ref := range refs {
		page, err := t.Query(ctx, table.Query{PK: "PERSON#" + ref, Limit: mostMarked}.Prefix("OPEN#"))
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			var m open
			if err := json.Unmarshal(item.Body, &m); err != nil {
				return nil, fmt.Errorf("application: %s %s: %w", item.Key.PK, item.Key.SK, err)
			}
			if slices.ContainsFunc(all, func(o Application) bool { return o.ID == m.Application }) {
				continue
			}
			a, err := Get(ctx, t, m.Application)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}
