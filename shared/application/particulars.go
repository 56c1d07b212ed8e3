package application

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// Particulars is everything personal about an application. It is stored sealed,
// in one item of its own, and opened only where a field is needed.
type Particulars struct {
	Subject   Person
	Applicant *Person // whoever asks, when that is not the subject
	Members   []Member
	Address   redact.Text
	Story     redact.Text
	// Account is where the money shall go; empty when there is none, which
	// leaves the reserve paid out by hand.
	Account civil.Account
	// Holder is the role whose account it is: RoleSubject, or for a minor the
	// guardian's role. There is no payee who is an agent.
	Holder string
	// Expenses are bills that the person has at hand and chose to name. Nobody is
	// asked for any: what the medical settlement knows is looked up.
	Expenses []Expense
}

// Expense is one bill: its number, what it says, and for which condition, as a
// code of ICD-10 when the bill has one.
type Expense struct {
	Invoice   redact.Text
	AmountFen money.Fen
	Diagnosis redact.Text
}

// InvoiceRefs is the keyed references of a bill's number under every live key, the
// current one first.
func InvoiceRefs(blind *seal.Blind, e Expense) []string {
	return blind.Refs("invoice", e.Invoice.Reveal())
}

// PhoneRefs is the keyed references of a telephone under every live key.
func PhoneRefs(blind *seal.Blind, p civil.Phone) []string { return blind.Refs("phone", p.Reveal()) }

// DeviceRef is the keyed reference of the device that filed an application, by
// the random word that its mini-program keeps; "" when it gave none.
func DeviceRef(blind *seal.Blind, device redact.Text) string {
	if device.Empty() {
		return ""
	}
	return blind.Ref("device", device.Reveal())
}

// Person is one person by name, paper and telephone; the telephone may be empty.
type Person struct {
	Name  civil.Name
	Paper civil.Paper
	Phone civil.Phone
}

// Member is somebody who lives with the subject.
type Member struct {
	Person
	Kinship Kinship
}

// Kinship is what a member is to the subject.
type Kinship string

// The kinships.
const (
	Spouse      Kinship = "spouse"      // 配偶
	Child       Kinship = "child"       // 子女
	Parent      Kinship = "parent"      // 父母
	Sibling     Kinship = "sibling"     // 兄弟姐妹
	Grandparent Kinship = "grandparent" // 祖父母、外祖父母
	Grandchild  Kinship = "grandchild"  // 孙子女、外孙子女
	OtherKin    Kinship = "other"       // 其他共同生活的人
)

// Kinships lists every kinship.
func Kinships() []Kinship {
	return []Kinship{Spouse, Child, Parent, Sibling, Grandparent, Grandchild, OtherKin}
}

// The roles people have in an application; a member's is RoleMember and the
// place in the list.
const (
	RoleSubject   = "subject"
	RoleApplicant = "applicant"
	roleMember    = "members/"
)

// RoleMember is the role of member i, counted from 0: "members/0".
func RoleMember(i int) string { return roleMember + strconv.Itoa(i) }

// Person is whoever has role.
func (p Particulars) Person(role string) (Person, bool) {
	switch {
	case role == RoleSubject:
		return p.Subject, true
	case role == RoleApplicant && p.Applicant != nil:
		return *p.Applicant, true
	case strings.HasPrefix(role, roleMember):
		for i, m := range p.Members {
			if role == RoleMember(i) {
				return m.Person, true
			}
		}
	}
	return Person{}, false
}

// Roles lists the roles of everybody named, the subject first.
func (p Particulars) Roles() []string {
	roles := []string{RoleSubject}
	if p.Applicant != nil {
		roles = append(roles, RoleApplicant)
	}
	return append(roles, p.household()...)
}

// Verified lists the roles of those whose circumstances count, and so may be
// looked up: the subject and the household. An agent is nobody to look up.
func (p Particulars) Verified() []string { return append([]string{RoleSubject}, p.household()...) }

func (p Particulars) household() []string {
	var roles []string
	for i := range p.Members {
		roles = append(roles, RoleMember(i))
	}
	return roles
}

// Payee is whose account the money goes to.
func (p Particulars) Payee() Person {
	if who, ok := p.Person(p.Holder); ok {
		return who
	}
	return p.Subject
}

// Ref is the keyed reference of whoever has role, under the current key.
// Application.Ref is the one that an application of an earlier key knows.
func (p Particulars) Ref(blind *seal.Blind, id, role string) string {
	who, _ := p.Person(role)
	return PersonRef(blind, who.Paper, id+"/"+role)
}

// Ref is the keyed reference by which a knows whoever has role in p: the one
// among a.People, although the blind key has changed since, or the current one.
func (a Application) Ref(blind *seal.Blind, p Particulars, role string) string {
	who, _ := p.Person(role)
	refs := PersonRefs(blind, who.Paper, a.ID+"/"+role)
	for _, ref := range refs {
		if slices.Contains(a.People, ref) {
			return ref
		}
	}
	return refs[0]
}

// Refs is the keyed references of everybody named in p, each once, the subject
// first: what Application.People holds.
func (a Application) Refs(blind *seal.Blind, p Particulars) []string {
	var refs []string
	for _, role := range p.Roles() {
		if ref := a.Ref(blind, p, role); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// PeopleRefs is People with every reference that those named in p have under the
// other live keys, for questions about them in other partitions.
func (a Application) PeopleRefs(blind *seal.Blind, p Particulars) []string {
	refs := slices.Clone(a.People)
	for _, role := range p.Roles() {
		who, _ := p.Person(role)
		for _, ref := range PersonRefs(blind, who.Paper, a.ID+"/"+role) {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// particularsKey is where an application's particulars are kept.
func particularsKey(id string) table.Key {
	return table.Key{PK: Partition(id), SK: "PARTICULARS"}
}

// TableName stands for the table in the places that sealed fields are bound to.
const TableName = "doudi"

func particularsPlace(id string) seal.Place {
	k := particularsKey(id)
	return seal.Place{Table: TableName, PK: k.PK, SK: k.SK, Field: "particulars"}
}

// plain is the encoding of Particulars under the seal. It is spelled out
// because the types themselves print, and marshal, as redacted.
type plain struct {
	Subject   plainPerson   `json:"subject"`
	Applicant *plainPerson  `json:"applicant,omitempty"`
	Members   []plainMember `json:"members,omitempty"`
	Address   string        `json:"address,omitempty"`
	Story     string        `json:"story,omitempty"`
	Account   string        `json:"account,omitempty"`
	Holder    string        `json:"holder,omitempty"`
	Expenses  []plainBill   `json:"expenses,omitempty"`
}

type plainBill struct {
	Invoice   string    `json:"invoice"`
	AmountFen money.Fen `json:"amount_fen,omitempty"`
	Diagnosis string    `json:"diagnosis,omitempty"`
}

type plainPerson struct {
	Name  string          `json:"name"`
	Kind  civil.PaperKind `json:"paper_kind"`
	Paper string          `json:"paper,omitempty"`
	Phone string          `json:"phone,omitempty"`
}

type plainMember struct {
	plainPerson
	Kinship Kinship `json:"kinship"`
}

func (p Person) plain() plainPerson {
	return plainPerson{p.Name.Reveal(), p.Paper.Kind(), p.Paper.Reveal(), p.Phone.Reveal()}
}

func (p plainPerson) person() Person {
	return Person{civil.StoredName(p.Name), civil.StoredPaper(p.Kind, p.Paper), civil.StoredPhone(p.Phone)}
}

// Seal is the item that keeps p, at version: 1 for table.Put, the one after the
// version that OpenParticulars gave for table.Replace.
func (p Particulars) Seal(ctx context.Context, box *seal.Box, id string, version int64) (table.Item, error) {
	out := plain{Subject: p.Subject.plain(), Address: p.Address.Reveal(), Story: p.Story.Reveal(),
		Account: p.Account.Reveal(), Holder: p.Holder}
	if p.Applicant != nil {
		a := p.Applicant.plain()
		out.Applicant = &a
	}
	for _, m := range p.Members {
		out.Members = append(out.Members, plainMember{m.plain(), m.Kinship})
	}
	for _, e := range p.Expenses {
		out.Expenses = append(out.Expenses, plainBill{e.Invoice.Reveal(), e.AmountFen, e.Diagnosis.Reveal()})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return table.Item{}, fmt.Errorf("application: particulars: %w", err)
	}
	sealed, err := box.Seal(ctx, particularsPlace(id), body)
	if err != nil {
		return table.Item{}, err
	}
	return table.Item{Key: particularsKey(id), Version: version, Body: sealed}, nil
}

// OpenParticulars reads and opens the particulars of an application, with the
// version they are at.
func OpenParticulars(ctx context.Context, t table.Store, box *seal.Box, id string) (Particulars, int64, error) {
	item, ok, err := t.Get(ctx, particularsKey(id))
	if err != nil {
		return Particulars{}, 0, err
	}
	if !ok {
		return Particulars{}, 0, ErrNotFound
	}
	body, err := box.Open(ctx, particularsPlace(id), item.Body)
	if err != nil {
		return Particulars{}, 0, err
	}
	var in plain
	if err := json.Unmarshal(body, &in); err != nil {
		return Particulars{}, 0, fmt.Errorf("application: %s: particulars are unreadable", item.Key.PK) // err could quote them
	}
	p := Particulars{Subject: in.Subject.person(), Address: redact.New(in.Address), Story: redact.New(in.Story),
		Account: civil.StoredAccount(in.Account), Holder: in.Holder}
	if in.Applicant != nil {
		a := in.Applicant.person()
		p.Applicant = &a
	}
	for _, m := range in.Members {
		p.Members = append(p.Members, Member{m.person(), m.Kinship})
	}
	for _, e := range in.Expenses {
		p.Expenses = append(p.Expenses, Expense{redact.New(e.Invoice), e.AmountFen, redact.New(e.Diagnosis)})
	}
	return p, item.Version, nil
}
