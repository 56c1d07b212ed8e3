package apply

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// SupplementIn is what a person adds or corrects; only what is given changes.
// Members is the whole list anew. Who is to be helped never changes: that is
// another application.
type SupplementIn struct {
	Phone   redact.Text `json:"phone" api:"max=40"` // of the subject
	Address redact.Text `json:"address" api:"max=200"`
	Story   redact.Text `json:"story" api:"max=2000,lines"`
	Members *[]MemberIn `json:"members" api:"max=20"`
	Payee   *PayeeIn    `json:"payee"`
	// Expenses are all bills anew; nobody has to name any.
	Expenses *[]ExpenseIn `json:"expenses" api:"max=20"`
	Consents []ConsentIn  `json:"consents" api:"max=25"`
}

// supplement sends the application back to verification with what is new. A
// proposal made for the old account or household is void (X026); the legal clock
// goes on.
func (d Deps) supplement(ctx context.Context, c httpapi.Call[SupplementIn]) (httpapi.Reply[Changed], error) {
	in := c.Body
	return change(ctx, d, c.Request, http.StatusOK, func(a application.Application, now time.Time) (application.Step[Changed], error) {
		p, version, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		r, holder := reader{today: calendar.Today(now)}, p.Holder
		if in.Phone.Empty() && in.Address.Empty() && in.Story.Empty() && in.Members == nil && in.Payee == nil && in.Expenses == nil && len(in.Consents) == 0 {
			return application.Step[Changed]{}, errNothing
		}
		if !in.Phone.Empty() {
			p.Subject.Phone = r.phone("/phone", in.Phone)
		}
		if !in.Address.Empty() {
			p.Address = in.Address
		}
		if !in.Story.Empty() {
			p.Story = in.Story
		}
		if in.Members != nil {
			p.Members = r.members(*in.Members)
		}
		if in.Payee != nil {
			p.Account, p.Holder = r.payee(in.Payee)
		}
		if in.Expenses != nil {
			p.Expenses = r.expenses(*in.Expenses)
		}
		r.fields = append(r.fields, p.Problems(a.Relation, r.today)...)
		also, err := d.agree(ctx, &r, a, p, in.Consents, now)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		payee := ""
		if !p.Account.Empty() {
			refs := application.AccountRefs(d.Blind, p.Account)
			if payee = refs[0]; slices.Contains(refs, a.Payee) {
				payee = a.Payee // the same account, though the key has changed
			}
		}
		n, err := a.Supplement(a.Subject, a.Refs(d.Blind, p), payee, now)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		if p.Holder != holder {
			n = n.Unseen() // the same account, said to be another person's
		}
		item, err := p.Seal(ctx, d.Box, a.ID, version+1)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		e := n.Event("supplemented", actor(c.Principal.ID), now)
		e.Facts = map[string]any{"members": in.Members != nil, "payee": in.Payee != nil, "expenses": in.Expenses != nil, "consents": len(in.Consents), "voided_proposal": a.Proposal != nil}
		return application.Step[Changed]{Next: n, Event: e, Also: append(also, table.Replace{Item: item}),
			Out: changed(n, "补充的情况已收到，会重新核对；办理期限不变。")}, nil
	})
}

// agree reads consents into writes; whatever is wrong in r comes out here, all
// at once.
func (d Deps) agree(ctx context.Context, r *reader, a application.Application, p application.Particulars, in []ConsentIn, now time.Time) ([]table.Write, error) {
	known := []string{application.Authorisation().SHA256}
	if len(in) > 0 {
		docs, err := document.List(ctx, d.Table, application.Partition(a.ID))
		if err != nil {
			return nil, err
		}
		for _, doc := range docs {
			if doc.Kind == document.Authorisation {
				known = append(known, doc.Received)
			}
		}
	}
	agreements := r.consents(in, known)
	r.fields = append(r.fields, p.ConsentProblems(a.Relation, agreements, r.today)...)
	if err := r.fields.Err(); err != nil {
		return nil, err
	}
	have, err := application.Consents(ctx, d.Table, a.ID)
	if err != nil {
		return nil, err
	}
	var writes []table.Write
	for _, g := range agreements {
		consent, _ := a.Consent(d.Blind, p, g, a.Account, now, r.today)
		consent.Version = have[consent.Person].Version
		w, err := consent.Put(a.ID)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w)
	}
	return writes, nil
}

// ConsentsIn is who agrees now to be verified.
type ConsentsIn struct {
	Consents []ConsentIn `json:"consents" api:"required,min=1,max=25"`
}

// consent records agreements. While nobody has proposed an amount the registers
// are asked again, because now they may be; later it is kept for the explanation.
func (d Deps) consent(ctx context.Context, c httpapi.Call[ConsentsIn]) (httpapi.Reply[Changed], error) {
	return change(ctx, d, c.Request, http.StatusOK, func(a application.Application, now time.Time) (application.Step[Changed], error) {
		p, _, err := application.OpenParticulars(ctx, d.Table, d.Box, a.ID)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		r := reader{today: calendar.Today(now)}
		also, err := d.agree(ctx, &r, a, p, c.Body.Consents, now)
		if err != nil {
			return application.Step[Changed]{}, err
		}
		n, err := a.Note()
		if a.State == application.Accepted || a.State == application.Verified {
			n, err = a.Supplement(a.Subject, a.People, a.Payee, now)
		}
		if err != nil {
			return application.Step[Changed]{}, err
		}
		e := n.Event("consented", actor(c.Principal.ID), now)
		e.Facts = map[string]any{"consents": len(also)}
		return application.Step[Changed]{Next: n, Event: e, Also: also, Out: changed(n, "授权已收到，能查到的信息不用您再交材料。")}, nil
	})
}

// DocumentIn is one picture. There is no way to give an address to fetch it from
// (X112).
type DocumentIn struct {
	Kind    string      `json:"kind" api:"required,enum=identity|authorisation|incident|medical|income|guardianship|other"`
	Media   string      `json:"media_type" api:"required,max=40"`
	SHA256  string      `json:"sha256" api:"required,min=64,max=64"`
	Content redact.Text `json:"content_base64" api:"required,max=4200000"`
}

// DocumentAdded is the answer to a document.
type DocumentAdded struct {
	Changed
	Document string `json:"document"`
	Kind     string `json:"kind"`
}

// document keeps a picture. The content goes to its store before the record of
// it is written: if we die between, the same picture sent again finds it there,
// and a picture without a record is shown to nobody.
func (d Deps) document(ctx context.Context, c httpapi.Call[DocumentIn]) (httpapi.Reply[DocumentAdded], error) {
	a, err := d.own(ctx, c.Path("id"), c.Principal.ID)
	if err != nil {
		return httpapi.Reply[DocumentAdded]{}, err
	}
	picture, err := look(c.Body)
	if err != nil {
		return httpapi.Reply[DocumentAdded]{}, err
	}
	partition := application.Partition(a.ID)
	doc := document.Document{ID: document.ID(partition, picture), Kind: document.Kind(c.Body.Kind), Media: picture.Media, Received: picture.Received,
		Stored: picture.Stored, Bytes: len(picture.Clean), Width: picture.Width, Height: picture.Height, Account: c.Principal.ID, At: d.Now()}
	if err := d.Documents.Put(ctx, partition, doc.ID, picture.Clean); err != nil {
		return httpapi.Reply[DocumentAdded]{}, err
	}
	put, err := doc.Put(partition)
	if err != nil {
		return httpapi.Reply[DocumentAdded]{}, err
	}
	return change(ctx, d, c.Request, http.StatusCreated, func(a application.Application, now time.Time) (application.Step[DocumentAdded], error) {
		docs, err := document.List(ctx, d.Table, partition)
		if err != nil {
			return application.Step[DocumentAdded]{}, err
		}
		if slices.ContainsFunc(docs, func(o document.Document) bool { return o.ID == doc.ID }) {
			return application.Step[DocumentAdded]{}, errPictureAgain
		}
		if len(docs) >= document.MaxPerApplication {
			return application.Step[DocumentAdded]{}, errDocuments
		}
		n, err := a.Note()
		if err != nil {
			return application.Step[DocumentAdded]{}, err
		}
		e := n.Event("document_added", actor(c.Principal.ID), now)
		e.Facts = map[string]any{"document": doc.ID, "kind": string(doc.Kind), "sha256": doc.Received}
		return application.Step[DocumentAdded]{Next: n, Event: e, Also: []table.Write{put},
			Out: DocumentAdded{changed(n, "材料已收到。"), doc.ID, string(doc.Kind)}}, nil
	})
}
