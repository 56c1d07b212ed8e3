package model

// Facts is all that a model may see of a case: answers, counts and whole days,
// worked out before it got here. What is not here no model can reach. There is no
// name, number, sex, people, faith, birthplace, household registration or illness
// in it, nor a value from which one could be worked out; a test holds every field
// against a list and every type against the ones below (D06, R9).
type Facts struct {
	// People are those whose circumstances count: the person helped first, then the
	// household.
	People []Person
	// Payee is the account that the money goes to.
	Payee Payee
	// Shared are the things that this case has in common with other people's.
	Shared []Shared
	// Elsewhere is other help for the person, in other places.
	Elsewhere Elsewhere
	// KinOfStaff is how many of the staff have declared somebody here as near relative.
	KinOfStaff int
	// Pair is the approver and the payee together.
	Pair Pair
	// Invoices are the bills that the case names.
	Invoices []Invoice
	// Filing is how the application came in.
	Filing Filing
}

// Answer is what a register said, or that it has not.
type Answer string

// The answers. Unknown is never taken for No.
const (
	Unknown Answer = ""
	Yes     Answer = "yes"
	No      Answer = "no"
)

// Person is one person, by role.
type Person struct {
	Role    string // "subject", "members/0"
	Subject bool
	// Holder: the money goes to an account of theirs.
	Holder   bool
	Deceased Answer
	// Payroll: they are paid from public funds as staff (财政供养).
	Payroll Answer
	// Owns is what of Assets the registers say they own; asked only about people who
	// draw dibao or tekun support.
	Owns    []string
	Schemes []Scheme
}

// Scheme is one benefit that a register says is being paid to somebody.
type Scheme struct {
	Name string // of Schemes
	// Age is how old they are, in whole years; only for a benefit that is bound to
	// an age, else 0.
	Age int
	// PlaceEnded: the benefit is bound to living in a place, and they live there no more.
	PlaceEnded Answer
	// Joined: the benefit goes by household, and they joined it JoinedMonthsAgo
	// without being near kin of its head. Of near kin nothing else is told, nor when.
	Joined          Answer
	JoinedMonthsAgo int
}

// The things that somebody who draws minimum support would not usually own. One
// home, a stall, two wheels or a farm or mobility vehicle are none of them.
const (
	Car        = "car"         // 小汽车
	SecondHome = "second_home" // 两处以上房产
	Company    = "company"     // 公司（个体经营不算）
)

// Assets lists every one of them.
func Assets() []string { return []string{Car, SecondHome, Company} }

// Schemes lists the benefits that models may name.
func Schemes() []string {
	return []string{"dibao", "tekun", "near_dibao", "rigid_expenditure", "elderly_allowance", "unemployment_benefit",
		"unemployed_relief", "child_support"}
}

// Payee is the account that the money goes to.
type Payee struct {
	Changed bool
	// ByStaff: two officers changed it after a payment failed; else the citizen did.
	ByStaff bool
	// HoursAgo is how long ago it was changed for the last time.
	HoursAgo int
}

// Shared is one thing and how many other people it serves.
type Shared struct {
	Kind   string // of Things
	Others int    // other people helped with the same thing
	// Days is how long ago the first of them was.
	Days int
}

// The things that cases may have in common.
const (
	Account         = "account"          // 收款账户
	GuardianAccount = "guardian_account" // 监护人代收的账户
	Phone           = "phone"            // 电话
	Device          = "device"           // 手机设备
	Filer           = "filer"            // 提交申请的微信账号
)

// Things lists every kind of Shared.
func Things() []string { return []string{Account, GuardianAccount, Phone, Device, Filer} }

// Elsewhere is other help for the person.
type Elsewhere struct {
	// Townships are other townships with an application of this person's that is
	// not finished.
	Townships int
	// Registered: another place has given aid for the same cause, MonthsAgo.
	Registered Answer
	MonthsAgo  int
}

// Pair is the approver and the payee together: Awards is how often this approver
// has approved money to this account within Days, this time not counted.
type Pair struct {
	Awards []int // how many days ago each was
}

// Invoice is one bill that the case names.
type Invoice struct {
	Place int // in the list, from 1
	// Elsewhere: another application was paid on it.
	Elsewhere bool
	// Settled: the medical settlement knows the bill.
	Settled Answer
	// Diagnosed: the medical settlement knows of the condition it is for. The
	// condition itself is not here.
	Diagnosed Answer
}

// Filing is how the application came in.
type Filing struct {
	ForOthers bool // by somebody who files for others
	Rows      int  // what the same account filed for others on that day
	Townships int  // in how many townships
}
