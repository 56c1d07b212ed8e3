package firstaid_test

import (
	"errors"
	"testing"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/redact"
)

// TestPaymentsInFilesAreOffUntilATownshipHasThem: then they go to the account that
// was approved, as single transfers do.
func TestPaymentsInFilesAreOffUntilATownshipHasThem(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a := o.Verify(o.Apply(o.Person()).ID)
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	d := decided(o, a, string(award.BankBatch))
	if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, firstaid.ErrNoFiles) {
		t.Errorf("where it is off: %v", err)
	}
	o.Files = func(township civil.DivisionCode) bool { return township == a.Township }
	d.Proposal.Exception = []string{"OVER_CEILING"}
	g, err := o.Grant(t.Context(), c, d)
	if err != nil || g.Award.Exception != "OVER_CEILING" || g.Award.Payee != c.Payee || g.Award.Rail != award.BankBatch || g.Award.Fund != fund.Named(fund.Relief, 2026) {
		t.Errorf("%+v %v", g.Award, err)
	}
	c.Particulars.Account = civil.Account{}
	if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, firstaid.ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
}

// TestAWalletIsTheApplicantsOwn: the rail is off until a township has it, needs the
// account that applied, and is not for whom somebody else applied.
func TestAWalletIsTheApplicantsOwn(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a := o.Verify(o.Apply(o.Person()).ID)
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	d := decided(o, a, string(award.WxPay))
	if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, firstaid.ErrNoWallet) {
		t.Errorf("where it is off: %v", err)
	}
	o.Wallets = func(township civil.DivisionCode) bool { return township == a.Township }
	if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("an account that is not there: %v", err)
	}
	owner, err := account.Open(t.Context(), o.Table, o.Blind, o.Box, "wx1", redact.New("oSomebody"), o.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Account = owner.ID
	g, err := o.Grant(t.Context(), c, d)
	if err != nil || g.Award.Payee != owner.ID || g.Award.Fund != fund.Named(fund.Relief, 2026) {
		t.Errorf("%+v %v", g.Award, err)
	}
	c.Particulars.Applicant = &application.Person{}
	if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, firstaid.ErrNoWallet) {
		t.Errorf("somebody else applied: %v", err)
	}
}
