// Package reconciliation holds what we booked against what the outside says: the
// statements of the rails and of the treasury account against the day book, by
// number and amount and payee and date. Whatever does not match is a break, in
// exactly one class, with an owner and an age. It closes with evidence and two
// people, and it never edits a line of the ledger.
//
// It also holds ours against ours (coherence): balances against entries, payouts
// against entries, states against their events. And it says when it is blind, so
// that payments stop until somebody can see again.
//
// It refuses to know how a statement is fetched and who asks. It books nothing:
// what a statement proves goes through the payout's own machine.
package reconciliation

import (
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
)

// The sources: accounts whose statements we hold against our books.
const (
	Bank     = "bank"     // the agent bank's account for our transfers, single and in files
	WxPay    = "wxpay"    // the merchant account at WeChat Pay
	Treasury = "treasury" // the treasury's account that the money comes from
)

// Names lists every source there may be.
func Names() []string { return []string{Bank, WxPay, Treasury} }

// Source is one account and how its statements are read.
type Source struct {
	Name string
	// Rails are those whose payments move the account.
	Rails []award.Rail
	// Layout is how its statements are written.
	Layout Layout
	// Holder is who we are to whoever writes the statement: the number of the
	// agreement or of the merchant. A statement of somebody else is not believed.
	Holder string
	// Numbers is the form of the numbers that we give to payments.
	Numbers *regexp.Regexp
	// Cut is how near to midnight a payment may lie and still belong to the next
	// day's statement without anybody being alarmed.
	Cut time.Duration
	// ByHand: nobody can be asked for its statements; a finance officer brings them.
	ByHand bool
}

// Sources are those in use, each under its own name.
type Sources []Source

// Find is the source of that name.
func (s Sources) Find(name string) (Source, bool) {
	i := slices.IndexFunc(s, func(one Source) bool { return one.Name == name })
	if i < 0 {
		return Source{}, false
	}
	return s[i], true
}

// DefaultCut is the Cut where nobody says otherwise.
const DefaultCut = time.Hour

var numbers = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-z]{1,32}$`) })

// byBank are the rails whose payments the agent bank makes, one by one and in files.
var byBank = []award.Rail{award.Bank, award.BankBatch}

// BankSource is the account of transfers under an agreement with the bank.
func BankSource(agreement string, unit Unit) Source {
	return Source{Name: Bank, Rails: byBank, Layout: Plain(unit), Holder: agreement, Numbers: numbers(), Cut: DefaultCut}
}

// TreasurySource is the account that the bank's payments are drawn on.
func TreasurySource(account string, unit Unit) Source {
	return Source{Name: Treasury, Rails: byBank, Layout: Plain(unit), Holder: account, Numbers: numbers(), Cut: DefaultCut}
}

// WxPaySource is the account of a merchant at WeChat Pay.
func WxPaySource(merchant string) Source {
	return Source{Name: WxPay, Rails: []award.Rail{award.WxPay}, Layout: FundFlow(), Holder: merchant, Numbers: numbers(), Cut: DefaultCut}
}

// Line is one movement of a statement, freed of the layout it was written in.
type Line struct {
	Place     int        // line of the file, from 1
	Reference string     // our number, as they repeat it
	Number    string     // theirs
	Way       payout.Way // out of the account, or back into it
	AmountFen money.Fen
	Payee     string // keyed digest; "" when the statement does not say
	At        time.Time
	Code      string // of a return
}

// Class is what is wrong about a break. Each break has exactly one.
type Class string

// The classes.
const (
	MissingTheirs Class = "missing-theirs" // we booked it, their statement has it not
	MissingOurs   Class = "missing-ours"   // they paid it, our books have it not
	Amount        Class = "amount"
	Payee         Class = "payee"
	Duplicate     Class = "duplicate" // they list one payment twice
	DateCut       Class = "date-cut"  // booked near midnight: the next day's statement will tell
	Returned      Class = "returned"  // they say that it came back, and we had not heard
	UnknownNumber Class = "unknown-number"
	// Incoherent is ours against ours: see Coherence.
	Incoherent Class = "incoherent"
)

// Classes lists every class.
func Classes() []Class {
	return []Class{MissingTheirs, MissingOurs, Amount, Payee, Duplicate, DateCut, Returned, UnknownNumber, Incoherent}
}

// Label is the class in Chinese.
func (c Class) Label() string {
	return map[Class]string{MissingTheirs: "对方账单缺少", MissingOurs: "我方账上缺少", Amount: "金额不符", Payee: "收款人不符",
		Duplicate: "重复列账", DateCut: "跨日", Returned: "对方已退回", UnknownNumber: "无法识别的单号", Incoherent: "内部账目不一致"}[c]
}

// within reports whether at falls on day in zone.
func within(at time.Time, day civil.Day, zone *time.Location) bool {
	return civil.DayOf(at, zone) == day
}
