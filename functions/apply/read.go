package apply

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/redact"
)

// PersonIn is one person as typed.
type PersonIn struct {
	Name  redact.Text `json:"name" api:"required,max=120"`
	Paper PaperIn     `json:"paper" api:"required"`
	Phone redact.Text `json:"phone" api:"max=40"`
}

// PaperIn is an identity paper as typed. Kind is one of civil.PaperKinds; with
// "none" there is no number.
type PaperIn struct {
	Kind   string      `json:"kind" api:"required,max=40"`
	Number redact.Text `json:"number" api:"max=60"`
}

// MemberIn is somebody who lives with the subject.
type MemberIn struct {
	PersonIn
	Kinship string `json:"relation" api:"required,enum=spouse|child|parent|sibling|grandparent|grandchild|other"`
}

// PayeeIn is where the money shall go. Holder is the role whose account it is:
// "subject", or for a minor the guardian's.
type PayeeIn struct {
	Account redact.Text `json:"account" api:"required,max=60"`
	Holder  string      `json:"holder" api:"max=40"`
}

// ExpenseIn is one bill: its number, what it says in fen, and the ICD-10 code on
// it, if there is one.
type ExpenseIn struct {
	Kind      string      `json:"kind" api:"required,enum=medical"`
	Invoice   redact.Text `json:"invoice" api:"required,max=40"`
	AmountFen money.Fen   `json:"amount_fen" api:"min=1,max=100000000"`
	Diagnosis redact.Text `json:"diagnosis" api:"max=10"`
}

// ConsentIn is one person's agreement. Person is a role: "subject" or
// "members/0".
type ConsentIn struct {
	Person   string `json:"person" api:"required,max=40"`
	Document string `json:"document_sha256" api:"required,min=64,max=64"`
	Agreed   bool   `json:"agreed" api:"required"`
}

// reader turns what was typed into checked values and gathers what is wrong.
type reader struct {
	fields fault.Fields
	today  civil.Day
}

// note adds what a parser says about the value at pointer.
func (r *reader) note(pointer string, err error) {
	if p, ok := errors.AsType[civil.Problem](err); ok {
		r.fields.Add(pointer, p.Code, p.Detail)
	}
}

func (r *reader) paper(at string, in PaperIn) civil.Paper {
	return application.ReadPaper(&r.fields, at, in.Kind, in.Number, r.today)
}

func (r *reader) person(at string, in PersonIn) application.Person {
	return application.ReadPerson(&r.fields, at, in.Name, in.Paper.Kind, in.Paper.Number, in.Phone, r.today)
}

func (r *reader) phone(at string, in redact.Text) civil.Phone {
	return application.ReadPhone(&r.fields, at, in)
}

func (r *reader) members(in []MemberIn) []application.Member {
	var all []application.Member
	for i, m := range in {
		all = append(all, application.Member{Person: r.person(fmt.Sprintf("/members/%d", i), m.PersonIn), Kinship: application.Kinship(m.Kinship)})
	}
	return all
}

func (r *reader) payee(in *PayeeIn) (civil.Account, string) {
	if in == nil {
		return civil.Account{}, ""
	}
	a, err := civil.ParseAccount(in.Account.Reveal())
	r.note("/payee/account", err)
	return a, in.Holder
}

var (
	invoiceForm   = regexp.MustCompile(`^[0-9A-Z][0-9A-Z-]{3,39}$`)
	diagnosisForm = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9A-Z]{1,4})?$`)
	deviceForm    = regexp.MustCompile(`^[0-9A-Za-z_-]{16,64}$`)
)

// expenses reads bills. One spelling: capitals, without blanks.
func (r *reader) expenses(in []ExpenseIn) []application.Expense {
	var all []application.Expense
	spell := func(t redact.Text) string { return strings.ToUpper(strings.Join(strings.Fields(t.Reveal()), "")) }
	for i, e := range in {
		at := fmt.Sprintf("/expenses/%d", i)
		number, code := spell(e.Invoice), spell(e.Diagnosis)
		if !invoiceForm.MatchString(number) {
			r.fields.Add(at+"/invoice", "format", "票据号码只有数字、字母和短横，请照票据上的号码填写；不方便可以不填这张票据。")
		}
		if slices.ContainsFunc(all, func(o application.Expense) bool { return o.Invoice.Reveal() == number }) {
			r.fields.Add(at+"/invoice", "duplicate", "这张票据已经填过了。")
		}
		if code != "" && !diagnosisForm.MatchString(code) {
			r.fields.Add(at+"/diagnosis", "format", "诊断编码应像I63.9；不知道可以不填。")
		}
		all = append(all, application.Expense{Invoice: redact.New(number), AmountFen: e.AmountFen, Diagnosis: redact.New(code)})
	}
	return all
}

// device reads the word that a device keeps; most give one, nobody has to.
func (r *reader) device(in redact.Text) redact.Text {
	if !in.Empty() && !deviceForm.MatchString(in.Reveal()) {
		r.fields.Add("/device", "format", "设备标识不正确，可以不填。")
	}
	return in
}

// consents reads agreements. Known are the SHA-256 of what one may agree to.
func (r *reader) consents(in []ConsentIn, known []string) []application.Agreement {
	var all []application.Agreement
	for i, c := range in {
		at := fmt.Sprintf("/consents/%d", i)
		if !c.Agreed {
			r.fields.Add(at+"/agreed", "not-agreed", "不同意的人不用填写；是否同意由本人决定。")
		}
		if !slices.Contains(known, c.Document) {
			r.fields.Add(at+"/document_sha256", "document-unknown", "授权书已更新或没有上传，请重新打开页面阅读后再同意。")
		}
		all = append(all, application.Agreement{Role: c.Person, Document: c.Document})
	}
	return all
}
