package firstaid_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/firstaid"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
)

// opened is a verified application and its case.
func opened(t *testing.T, o *firstaidtest.Office, change ...func(*application.Submission)) (application.Application, firstaid.Case) {
	t.Helper()
	a := o.Verify(o.Apply(o.Person(), change...).ID)
	c, err := o.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

// Files are off until a township has them; then the award is the bank's in all else.
func TestFilesAreSwitchedOnByTownship(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a, c := opened(t, o)
	d := decided(o, a, string(award.BankBatch))
	for name, files := range map[string]func(civil.DivisionCode) bool{"nowhere": nil, "elsewhere": func(at civil.DivisionCode) bool { return at != a.Township }} {
		o.Files = files
		if _, err := o.Grant(t.Context(), c, d); !errors.Is(err, firstaid.ErrNoFiles) || o.Filed(c) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o.Files = func(at civil.DivisionCode) bool { return at == a.Township }
	g, err := o.Grant(t.Context(), c, d)
	if err != nil || g.Award.Rail != award.BankBatch || g.Award.Fund != fund.Named(fund.Relief, 2026) || g.Award.Payee != a.Payee {
		t.Errorf("%+v %v", g.Award, err)
	}
	if _, err := o.Grant(t.Context(), c, decided(o, a, string(award.Bank))); err != nil {
		t.Errorf("one by one: %v", err)
	}
}

// An award made as an exception says which.
func TestAnExceptionIsOnTheAward(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a, c := opened(t, o)
	d := decided(o, a, string(award.Bank))
	plain, err := o.Grant(t.Context(), c, d)
	if err != nil || plain.Award.Exception != "" {
		t.Fatalf("%+v %v", plain.Award, err)
	}
	d.Proposal.Exception = []string{policy.HoldOverCodeCeiling, "second"}
	g, err := o.Grant(t.Context(), c, d)
	if err != nil || g.Award.Exception != policy.HoldOverCodeCeiling || len(g.Writes) != len(plain.Writes) {
		t.Errorf("%+v %v", g.Award, err)
	}
}

// keyless has no keys to give.
type keyless struct{}

func (keyless) Current(context.Context) (seal.Key, error)      { return seal.Key{}, seal.ErrKey }
func (keyless) ByID(context.Context, string) (seal.Key, error) { return seal.Key{}, seal.ErrKey }

// Nothing is granted to a payee who could not be sealed, nor to an address that
// cannot be opened.
func TestWithoutKeysNothingIsGranted(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	owner, err := account.Open(t.Context(), o.Table, o.Blind, o.Box, "wx1", redact.New("oSomebody"), o.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, c := opened(t, o)
	c.Account = owner.ID
	whole := o.Office
	whole.Wallets = func(civil.DivisionCode) bool { return true }
	blank := whole
	blank.Box = seal.NewBox(keyless{}, rand.Reader)
	for _, rail := range []award.Rail{award.Bank, award.WxPay} {
		if _, err := whole.Grant(t.Context(), c, decided(o, a, string(rail))); err != nil {
			t.Fatal(err)
		}
		if g, err := blank.Grant(t.Context(), c, decided(o, a, string(rail))); !errors.Is(err, seal.ErrKey) || len(g.Writes) > 0 {
			t.Errorf("%s: %d writes, %v", rail, len(g.Writes), err)
		}
	}
	if _, err := blank.Open(t.Context(), a); !errors.Is(err, seal.ErrKey) {
		t.Errorf("opened: %v", err)
	}
}

// silent does not answer queries, or reads.
type silent struct {
	table.Store
	get, query bool
}

func (s silent) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if s.get {
		return table.Item{}, false, table.ErrBusy
	}
	return s.Store.Get(ctx, k)
}

func (s silent) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if s.query {
		return table.Page{}, table.ErrBusy
	}
	return s.Store.Query(ctx, q)
}

// A store that does not answer is an error of every step, and never a case without
// earlier awards or without findings.
func TestASilentStoreDecidesNothing(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a, c := opened(t, o)
	noGet, noQuery := o.Office, o.Office
	noGet.Table, noQuery.Table = silent{o.Store, true, false}, silent{o.Store, false, true}
	if _, err := noGet.Open(t.Context(), a); !errors.Is(err, table.ErrBusy) {
		t.Errorf("opened: %v", err)
	}
	if _, err := noQuery.Open(t.Context(), a); !errors.Is(err, table.ErrBusy) {
		t.Errorf("opened without what came earlier: %v", err)
	}
	if g, err := noGet.Grant(t.Context(), c, decided(o, a, string(award.Bank))); !errors.Is(err, table.ErrBusy) || len(g.Writes) > 0 {
		t.Errorf("granted: %v", err)
	}
	if r, err := noQuery.Inspect(t.Context(), c, second, first, o.Now()); !errors.Is(err, table.ErrBusy) || r.Holds() {
		t.Errorf("inspected: %v", err)
	}
}

// The models see the case at the moment of the decision: kin of staff are found, an
// ordinary case is not, and without models nothing is.
func TestModelsLookAtTheDecision(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	_, c := opened(t, o)
	if r, err := o.Inspect(t.Context(), c, second, first, o.Now()); err != nil || len(r.Found) > 0 || r.Holds() {
		t.Errorf("found in an ordinary case: %+v %v", r.Found, err)
	}
	kin := o.Verify(o.Apply(o.Person()).ID, func(f *application.Findings) { f.Kin = []string{"320400-clerk-2"} })
	kc, err := o.Open(t.Context(), kin)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := o.Inspect(t.Context(), kc, second, first, o.Now()); err != nil || len(r.Found) != 1 || r.Found[0].Model != "staff-kin" || r.Found[0].Application != kin.ID {
		t.Errorf("kin of staff: %+v %v", r.Found, err)
	}
	desk := o.Inspection()
	if desk.Table != o.Table || desk.Models != o.Models || desk.Box != o.Box || desk.Blind != o.Blind || desk.Tree != o.Tree {
		t.Error("the desk is another office's")
	}
	none := o.Office
	none.Models, none.Table = nil, silent{o.Store, true, true}
	if r, err := none.Inspect(t.Context(), kc, second, first, o.Now()); err != nil || r.Holds() || len(r.Found) > 0 {
		t.Errorf("without models: %v", err)
	}
}

// While keys rotate, an award stands under every reference of its person and of
// their account, each once: under fewer somebody is paid twice, and the same one
// twice is a transaction that no store takes.
func TestAnAwardStandsUnderEveryLiveKeyOnce(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	a, c := opened(t, o)
	for rotations := range 2 {
		if rotations > 0 {
			o.RotateBlind()
		}
		g, err := o.Grant(t.Context(), c, decided(o, a, string(award.Bank)))
		if err != nil {
			t.Fatal(err)
		}
		w := g.Award
		if len(w.Subjects) != rotations || slices.Contains(w.Subjects, w.Subject) || len(w.Payees) != rotations || slices.Contains(w.Payees, w.Payee) {
			t.Errorf("after %d rotations: %s and %v, %s and %v", rotations, w.Subject, w.Subjects, w.Payee, w.Payees)
		}
		if w.Subject != a.Subject || w.Payee != a.Payee || w.Holder != "" {
			t.Errorf("after %d rotations it is of %s, to %s of %q", rotations, w.Subject, w.Payee, w.Holder)
		}
	}
	c.Particulars.Holder = application.RoleSubject
	if g, err := o.Grant(t.Context(), c, decided(o, a, string(award.Bank))); err != nil || g.Award.Holder != "" {
		t.Errorf("one's own account has no other holder: %q %v", g.Award.Holder, err)
	}
}

func TestTheRulesHearOfKinOfStaff(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	_, c := opened(t, o)
	if c.Facts(0, 0).KinOfStaff {
		t.Error("nobody is kin, and the rules hear otherwise")
	}
	c.Application.Findings.Kin = []string{"320400-clerk-2"}
	if !c.Facts(0, 0).KinOfStaff {
		t.Error("kin of staff is kept from the rules")
	}
}
