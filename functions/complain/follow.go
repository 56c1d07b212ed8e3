package complain

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// FollowOut is a complaint as the complainant sees it.
type FollowOut struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	KindLabel  string    `json:"kind_label"`
	State      string    `json:"state"`
	StateLabel string    `json:"state_label"`
	Stage      string    `json:"stage"`
	Rank       string    `json:"rank"`
	Place      string    `json:"place"`
	Module     string    `json:"module"`
	Item       string    `json:"item,omitempty"`
	FiledAt    string    `json:"filed_at"`
	AcceptedAt string    `json:"accepted_at,omitempty"`
	Office     string    `json:"office,omitempty"` // who handles it now
	Due        *ClockOut `json:"due,omitempty"`
	Extended   int       `json:"extended_days,omitempty"`
	Paused     bool      `json:"paused"`
	Steps      []StepOut `json:"steps"`
	Reply      *ReplyOut `json:"reply,omitempty"`
	Rating     string    `json:"rating,omitempty"`
	RatingName string    `json:"rating_label"`
	Reopened   int       `json:"reopened"`
	May        []string  `json:"may"` // supplement, rate, reopen
	ReopenBy   string    `json:"reopen_by,omitempty"`
}

// StepOut is one thing that happened.
type StepOut struct {
	At    string `json:"at"`
	What  string `json:"what"`
	Label string `json:"label"`
}

// ReplyOut is the answer in plain words.
type ReplyOut struct {
	At           string `json:"at"`
	Outcome      string `json:"outcome"`
	OutcomeLabel string `json:"outcome_label"`
	Text         string `json:"text"`
}

// OwnOut is one of the caller's own complaints.
type OwnOut struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	StateLabel string `json:"state_label"`
	Module     string `json:"module"`
	Place      string `json:"place"`
	FiledAt    string `json:"filed_at"`
}

// OwnList is every complaint of the caller's account, newest first.
type OwnList struct {
	Complaints []OwnOut `json:"complaints"`
}

// stepNames are what a complainant is told of, and how.
var stepNames = map[string]string{"filed": "已提交", "accepted": "已受理", "declined": "受理审查", "assigned": "已转交办理", "objection_answered": "重新确定办理单位",
	"handled": "已提出办理结果", "returned": "审核退回重办", "reviewed": "审核通过", "replied": "已答复", "rated": "您已评价", "reopened": "您要求重新办理",
	"supplemented": "您补充了情况", "document_added": "您补充了材料", "extension_answered": "延长办理期限的审批", "paused": "暂停计时", "resumed": "恢复计时",
	"supervised": "监督部门督办", "looked_back": "监督部门回头看", "identity_read": "监督部门查看了您的身份信息"}

// listOwn lists what the caller's account complained about.
func listOwn(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (OwnList, error) {
	out := OwnList{Complaints: []OwnOut{}}
	for _, owner := range complaint.Owners(d.Blind, call.Principal.ID) {
		page, err := d.Table.Query(ctx, table.Query{Index: table.ByOwner, PK: complaint.OwnerList(owner), Reverse: true, Limit: 100})
		if err != nil {
			return out, err
		}
		for _, item := range page.Items {
			c, err := complaint.Decode(item)
			if err != nil {
				return out, err
			}
			rules, err := d.rules(c)
			if err != nil {
				return out, err
			}
			module, _ := rules.Module(c.Module)
			out.Complaints = append(out.Complaints, OwnOut{c.ID, string(c.State), c.State.Label(), module.Name, d.name(c.Place(), c.FiledAt), clock(c.FiledAt)})
		}
	}
	return out, nil
}

// owned reports whether an account filed c; anything else is absent to it.
func (d Deps) owned(c complaint.Complaint, account string) error {
	if c.Owner == "" || !slices.Contains(complaint.Owners(d.Blind, account), c.Owner) {
		return complaint.ErrNotFound
	}
	return nil
}

// anonymous reports whether c is one that a code leads to.
func anonymous(c complaint.Complaint) error {
	if c.Channel != complaint.Anonymous {
		return complaint.ErrNotFound
	}
	return nil
}

func follow(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (FollowOut, error) {
	c, err := complaint.Get(ctx, d.Table, call.Path("id"))
	if err == nil {
		err = d.owned(c, call.Principal.ID)
	}
	if err != nil {
		return FollowOut{}, err
	}
	return d.followed(ctx, c)
}

func followByCode(ctx context.Context, d Deps, call httpapi.Call[CodeIn]) (FollowOut, error) {
	id, err := codeID(call.Body.Code)
	if err != nil {
		return FollowOut{}, err
	}
	c, err := complaint.Get(ctx, d.Table, id)
	if err != nil {
		return FollowOut{}, err
	}
	return d.followed(ctx, c)
}

// followed is c as its complainant sees it.
func (d Deps) followed(ctx context.Context, c complaint.Complaint) (FollowOut, error) {
	now := d.Now()
	rules, err := d.rules(c)
	if err != nil {
		return FollowOut{}, err
	}
	module, _ := rules.Module(c.Module)
	item, _ := module.Item(c.Item)
	out := FollowOut{ID: c.ID, Kind: string(c.Kind), KindLabel: c.Kind.Label(), State: string(c.State), StateLabel: c.State.Label(), Stage: c.Stage.Label(),
		Rank: rankCodes[c.Rank], Place: d.name(c.Place(), c.FiledAt), Module: module.Name, Item: item.Name, FiledAt: clock(c.FiledAt), AcceptedAt: clock(c.AcceptedAt),
		Paused: c.Paused(now), Steps: []StepOut{}, Rating: string(c.Rating), RatingName: c.Rating.Label(), Reopened: c.Reopened, May: []string{}}
	if h := c.Handler(); h != "" {
		out.Office = d.name(h, now)
	}
	if k, _ := c.Running(); k != nil {
		due := clockOut(c, now)
		out.Due = &due
	}
	if c.Extension != nil && c.Extension.Granted != nil {
		out.Extended = c.Extension.Days
	}
	events, err := event.Of(ctx, d.Table, complaint.Partition(c.ID))
	if err != nil {
		return out, err
	}
	for _, e := range events {
		if label, told := stepNames[e.Kind]; told {
			out.Steps = append(out.Steps, StepOut{clock(e.At), e.Kind, label})
		}
	}
	if c.State != complaint.Replied {
		out.May = append(out.May, "supplement")
		return out, nil
	}
	text, err := d.words(ctx, c.ID, c.Reply.Version)
	if err != nil {
		return out, err
	}
	out.Reply = &ReplyOut{clock(c.Reply.At), string(c.Finding.Outcome), c.Finding.Outcome.Label(), text}
	if c.Rating == "" {
		out.May = append(out.May, "rate")
	}
	if until, ok := c.ReopenBy(rules); ok && !now.After(until) {
		out.May, out.ReopenBy = append(out.May, "reopen"), clock(until)
	}
	return out, nil
}

// DoneOut is the answer to what a complainant did.
type DoneOut struct {
	ID         string `json:"id"`
	Version    int64  `json:"version"`
	State      string `json:"state"`
	StateLabel string `json:"state_label"`
	Next       string `json:"next"`
}

// wish is what a complainant does: to which complaint, who may, and what comes of it.
type wish struct {
	id   string
	may  func(complaint.Complaint) error
	key  string // which request it is
	body string // its digest
	// round makes a request without a key another one in every round.
	round bool
}

// by is a wish about the complaint of the caller's account.
func by[In any](d Deps, call httpapi.Call[In]) wish {
	return wish{id: call.Path("id"), may: func(c complaint.Complaint) error { return d.owned(c, call.Principal.ID) }, key: call.RequestKey(), body: call.Digest()}
}

// byCode is a wish about the complaint that a code leads to. It has no
// Idempotency-Key: the same words in the same round are the same request.
func byCode[In any](code redact.Text, call httpapi.Call[In]) (wish, error) {
	id, err := codeID(code)
	return wish{id: id, may: anonymous, key: call.Operation + " " + call.Digest(), body: call.Digest(), round: true}, err
}

// do makes one change for the complainant. No trace of the request is kept with
// it: the log of requests knows the session.
func (d Deps) do(ctx context.Context, w wish, step func(complaint.Complaint) (move, string, []table.Write, error)) (httpapi.Reply[DoneOut], error) {
	var none httpapi.Reply[DoneOut]
	if !ident.Valid(w.id) {
		return none, complaint.ErrNotFound
	}
	c, err := complaint.Get(ctx, d.Table, w.id)
	if err == nil {
		err = w.may(c)
	}
	if err != nil {
		return none, err
	}
	key := w.key
	if w.round {
		key += " " + itoa(c.Reopened)
	}
	now := d.Now()
	answer, err := complaint.Change(ctx, d.Table, w.id, complaint.Asked(d.Blind, key, w.body, http.StatusCreated), func(c complaint.Complaint) (complaint.Step, error) {
		m, next, also, err := step(c)
		if err != nil {
			return complaint.Step{}, err
		}
		e := m.next.Event(m.kind, complaint.Complainant(), now)
		for k, v := range m.facts {
			e.Facts[k] = v
		}
		if e, err = application.SealNote(ctx, d.Box, e, m.text); err != nil {
			return complaint.Step{}, err
		}
		if len(m.count) > 0 {
			counted, err := m.next.Tallied(ctx, d.Table, m.count...)
			if err != nil {
				return complaint.Step{}, err
			}
			also = append(also, counted)
		}
		return complaint.Step{Next: m.next, Event: e, Also: also,
			Out: DoneOut{m.next.ID, m.next.Version, string(m.next.State), m.next.State.Label(), next}}, nil
	})
	if err != nil {
		return none, err
	}
	return httpapi.Again[DoneOut](answer.Status, answer.Body), nil
}

// SupplementIn adds words to a complaint that is not answered yet.
type SupplementIn struct {
	Text redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
}

// SupplementByCodeIn is the same by a code.
type SupplementByCodeIn struct {
	CodeIn
	SupplementIn
}

func supplement(ctx context.Context, d Deps, call httpapi.Call[SupplementIn]) (httpapi.Reply[DoneOut], error) {
	return d.supplemented(ctx, by(d, call), call.Body)
}

func supplementByCode(ctx context.Context, d Deps, call httpapi.Call[SupplementByCodeIn]) (httpapi.Reply[DoneOut], error) {
	w, err := byCode(call.Body.Code, call)
	if err != nil {
		return httpapi.Reply[DoneOut]{}, err
	}
	return d.supplemented(ctx, w, call.Body.SupplementIn)
}

func (d Deps) supplemented(ctx context.Context, w wish, in SupplementIn) (httpapi.Reply[DoneOut], error) {
	return d.do(ctx, w, func(c complaint.Complaint) (move, string, []table.Write, error) {
		if c.State == complaint.Replied {
			return move{}, "", nil, complaint.ErrState
		}
		return move{next: c.Touch(), kind: "supplemented", text: in.Text}, "补充的情况已送达监督部门；办理期限不变。", nil, nil
	})
}

// RatingIn is what the complainant thinks of the reply.
type RatingIn struct {
	Rating string      `json:"rating" api:"required,enum=very_satisfied|satisfied|fairly_satisfied|dissatisfied"`
	Text   redact.Text `json:"text,omitempty" api:"max=1000,lines"`
}

// RatingByCodeIn is the same by a code.
type RatingByCodeIn struct {
	CodeIn
	RatingIn
}

func rate(ctx context.Context, d Deps, call httpapi.Call[RatingIn]) (httpapi.Reply[DoneOut], error) {
	return d.rated(ctx, by(d, call), call.Body)
}

func rateByCode(ctx context.Context, d Deps, call httpapi.Call[RatingByCodeIn]) (httpapi.Reply[DoneOut], error) {
	w, err := byCode(call.Body.Code, call)
	if err != nil {
		return httpapi.Reply[DoneOut]{}, err
	}
	return d.rated(ctx, w, call.Body.RatingIn)
}

func (d Deps) rated(ctx context.Context, w wish, in RatingIn) (httpapi.Reply[DoneOut], error) {
	rating := complaint.Rating(in.Rating)
	return d.do(ctx, w, func(c complaint.Complaint) (move, string, []table.Write, error) {
		next, err := c.Rate(rating)
		return move{next: next, kind: "rated", text: in.Text, facts: event.Facts{"rating": in.Rating}, count: complaint.CountRated(rating)},
			"谢谢您的评价。不满意的，可以在期限内要求重新办理。", nil, err
	})
}

// ReopenIn is why the complainant is not content with the reply. A petition then
// goes one level up (复查, 复核).
type ReopenIn struct {
	Text redact.Text `json:"text" api:"required,min=2,max=4000,lines"`
}

// ReopenByCodeIn is the same by a code.
type ReopenByCodeIn struct {
	CodeIn
	ReopenIn
}

func reopen(ctx context.Context, d Deps, call httpapi.Call[ReopenIn]) (httpapi.Reply[DoneOut], error) {
	return d.reopened(ctx, by(d, call), call.Body)
}

func reopenByCode(ctx context.Context, d Deps, call httpapi.Call[ReopenByCodeIn]) (httpapi.Reply[DoneOut], error) {
	w, err := byCode(call.Body.Code, call)
	if err != nil {
		return httpapi.Reply[DoneOut]{}, err
	}
	return d.reopened(ctx, w, call.Body.ReopenIn)
}

func (d Deps) reopened(ctx context.Context, w wish, in ReopenIn) (httpapi.Reply[DoneOut], error) {
	return d.do(ctx, w, func(c complaint.Complaint) (move, string, []table.Write, error) {
		rules, err := d.rules(c)
		if err != nil {
			return move{}, "", nil, err
		}
		next, err := c.Reopen(rules, d.Now())
		return move{next: next, kind: "reopened", text: in.Text, facts: event.Facts{"stage": int(next.Stage)}, count: complaint.CountReopened()},
			"已重新办理，由监督部门另行安排。", nil, err
	})
}

// DocumentIn is one picture.
type DocumentIn struct {
	Media   string      `json:"media_type" api:"required,max=40"`
	SHA256  string      `json:"sha256" api:"required,min=64,max=64"`
	Content redact.Text `json:"content_base64" api:"required,max=4200000"`
}

// DocumentByCodeIn is the same by a code.
type DocumentByCodeIn struct {
	CodeIn
	DocumentIn
}

func addDocument(ctx context.Context, d Deps, call httpapi.Call[DocumentIn]) (httpapi.Reply[DoneOut], error) {
	return d.documented(ctx, by(d, call), call.Body)
}

func addDocumentByCode(ctx context.Context, d Deps, call httpapi.Call[DocumentByCodeIn]) (httpapi.Reply[DoneOut], error) {
	w, err := byCode(call.Body.Code, call)
	if err != nil {
		return httpapi.Reply[DoneOut]{}, err
	}
	return d.documented(ctx, w, call.Body.DocumentIn)
}

// documented keeps a picture. The content goes to its store before the record of
// it is written: a picture without a record is shown to nobody. Who sent it is not
// kept with it.
func (d Deps) documented(ctx context.Context, w wish, in DocumentIn) (httpapi.Reply[DoneOut], error) {
	var none httpapi.Reply[DoneOut]
	c, err := complaint.Get(ctx, d.Table, w.id)
	if err == nil {
		err = w.may(c)
	}
	if err != nil {
		return none, err
	}
	content, err := base64.StdEncoding.Strict().DecodeString(in.Content.Reveal())
	if err != nil {
		return none, fault.ErrFields.With(fault.Field{Pointer: "/content_base64", Code: "malformed", Detail: "照片没有传完整，请重新上传。"})
	}
	picture, err := document.Inspect(content, in.Media, in.SHA256)
	if err != nil {
		return none, err
	}
	partition := complaint.Partition(c.ID)
	doc := document.Document{ID: document.ID(partition, picture), Kind: document.Other, Media: picture.Media, Received: picture.Received,
		Stored: picture.Stored, Bytes: len(picture.Clean), Width: picture.Width, Height: picture.Height, At: d.Now()}
	if err := d.Documents.Put(ctx, partition, doc.ID, picture.Clean); err != nil {
		return none, err
	}
	put, err := doc.Put(partition)
	if err != nil {
		return none, err
	}
	return d.do(ctx, w, func(c complaint.Complaint) (move, string, []table.Write, error) {
		docs, err := document.List(ctx, d.Table, partition)
		if err != nil {
			return move{}, "", nil, err
		}
		if len(docs) >= document.MaxPerApplication || slices.ContainsFunc(docs, func(o document.Document) bool { return o.ID == doc.ID }) {
			return move{}, "", nil, errDocuments
		}
		if c.State == complaint.Replied {
			return move{}, "", nil, complaint.ErrState
		}
		return move{next: c.Touch(), kind: "document_added", facts: event.Facts{"document": doc.ID, "sha256": doc.Received}},
			"材料已收到，只有监督部门能看到；是否转给办理单位由监督部门决定。", []table.Write{put}, nil
	})
}
