// Package railtest is what every rail must do, whatever its provider: a suite
// that a rail's own test runs against the provider's stand-in. It is for tests
// only.
package railtest

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/redact"
)

// Provider is the other end of a rail, as a test sees it.
type Provider interface {
	// Cut makes the next call end without an answer; done says whether the provider
	// acts on it all the same.
	Cut(done bool)
	// Break makes the next call answer 500; done as for Cut.
	Break(done bool)
	// Forge makes the next answer carry a wrong signature; the provider acts.
	Forge()
	// Finish brings an order to its good end.
	Finish(reference string)
	// News is a signed callback about a reference, for the rail's callback path;
	// nil when the rail has none.
	News(reference string) *http.Request
	// Credits is how often money reached the payee of a reference.
	Credits(reference string) int
}

// Amount is what the suite pays.
const Amount money.Fen = 1_234_56

// Order is the order of the nth attempt of the suite's award.
func Order(n int) rail.Order {
	return rail.Order{Reference: payout.Reference("app1", "01", n), AmountFen: Amount, Purpose: "临时救助金",
		Payee: payout.Payee{Name: civil.StoredName("欧阳试金"), Account: civil.StoredAccount("6222020200099887768"), OpenID: redact.New("oTest-openid-1")}}
}

// Run holds a rail to the contract. open makes a rail with a provider that has
// seen nothing.
func Run(t *testing.T, open func(t *testing.T) (rail.Rail, Provider)) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, rail.Rail, Provider){
		"facts_are_whole":                       facts,
		"a_wrong_order_is_invalid":              invalid,
		"the_same_bytes_pay_once":               once,
		"nothing_is_concluded_from_a_lost_call": lost,
		"another_amount_is_a_conflict":          conflict,
		"unknown_is_not_found":                  unknown,
		"news_is_verified":                      news,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, provider := open(t)
			f(t, line, provider)
		})
	}
}

func facts(t *testing.T, line rail.Rail, _ Provider) {
	f := line.Facts()
	if f.Rail == "" || f.Reference == nil || f.PerSecond < 0 || f.Confirm < 0 || (f.MaxFen > 0 && f.MinFen > f.MaxFen) {
		t.Errorf("%+v", f)
	}
	if !f.Reference.MatchString(Order(1).Reference) {
		t.Errorf("our references do not fit %s", f.Reference)
	}
	if rail.Of(line)[f.Rail] == nil {
		t.Error("a set loses it")
	}
}

func encode(t *testing.T, line rail.Rail, o rail.Order) rail.Request {
	t.Helper()
	r, err := line.Encode(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Raw) == 0 || r.Payee == "" {
		t.Fatal("an order without bytes or payee digest")
	}
	for _, secret := range []string{o.Payee.Name.Reveal(), o.Payee.Account.Reveal(), o.Payee.OpenID.Reveal()} {
		if bytes.Contains([]byte(r.Payee), []byte(secret)) {
			t.Error("the digest shows the payee")
		}
	}
	return r
}

func invalid(t *testing.T, line rail.Rail, _ Provider) {
	for name, twist := range map[string]func(*rail.Order){
		"no reference":    func(o *rail.Order) { o.Reference = "" },
		"form":            func(o *rail.Order) { o.Reference = "a b" },
		"nothing to pay":  func(o *rail.Order) { o.AmountFen = 0 },
		"negative amount": func(o *rail.Order) { o.AmountFen = -1 },
		"no payee":        func(o *rail.Order) { o.Payee = payout.Payee{} },
	} {
		o := Order(1)
		twist(&o)
		if _, err := line.Encode(t.Context(), o); fault.Of(err).Kind != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// about refuses what was heard unless it is about what was asked.
func about(t *testing.T, h rail.Heard, reference string, words ...payout.Word) {
	t.Helper()
	if h.Reference != reference {
		t.Errorf("an answer about %q, asked about %q", h.Reference, reference)
	}
	for _, w := range words {
		if h.Word == w {
			return
		}
	}
	t.Errorf("heard %q (%s), want one of %q", h.Word, h.Code, words)
}

func settled(t *testing.T, line rail.Rail, r rail.Request, reference string) {
	t.Helper()
	h := line.Query(t.Context(), reference)
	about(t, h, reference, payout.Succeeded)
	if h.AmountFen != Amount || h.Payee != r.Payee || h.Evidence == "" {
		t.Errorf("paid without saying what to whom: %+v", h)
	}
}

func once(t *testing.T, line rail.Rail, provider Provider) {
	o := Order(1)
	r := encode(t, line, o)
	for range 3 {
		about(t, line.Send(t.Context(), o.Reference, r.Raw), o.Reference, payout.Processing, payout.Succeeded, payout.Awaits)
	}
	provider.Finish(o.Reference)
	about(t, line.Send(t.Context(), o.Reference, r.Raw), o.Reference, payout.Processing, payout.Succeeded)
	settled(t, line, r, o.Reference)
	if n := provider.Credits(o.Reference); n != 1 {
		t.Errorf("M08: %d credits", n)
	}
}

func lost(t *testing.T, line rail.Rail, provider Provider) {
	n := 0
	for name, doom := range map[string]func(){
		"cut, done": func() { provider.Cut(true) }, "cut, not done": func() { provider.Cut(false) },
		"broken, done": func() { provider.Break(true) }, "broken, not done": func() { provider.Break(false) }, "forged": provider.Forge,
	} {
		n++
		o := Order(n)
		r := encode(t, line, o)
		doom()
		if h := line.Send(t.Context(), o.Reference, r.Raw); h.Word != payout.Silence || h.Reference != o.Reference {
			t.Errorf("%s: a send said %q about %q", name, h.Word, h.Reference)
		}
		doom()
		if h := line.Query(t.Context(), o.Reference); h.Word != payout.Silence || h.Reference != o.Reference {
			t.Errorf("%s: a question said %q about %q", name, h.Word, h.Reference)
		}
		line.Send(t.Context(), o.Reference, r.Raw)
		provider.Finish(o.Reference)
		settled(t, line, r, o.Reference)
		if n := provider.Credits(o.Reference); n != 1 {
			t.Errorf("%s: M08: %d credits", name, n)
		}
	}
}

// conflict: other bytes under a number that is taken never pay, and never end
// what is there.
func conflict(t *testing.T, line rail.Rail, provider Provider) {
	o := Order(1)
	r := encode(t, line, o)
	line.Send(t.Context(), o.Reference, r.Raw)
	other := o
	other.AmountFen++
	about(t, line.Send(t.Context(), o.Reference, encode(t, line, other).Raw), o.Reference, payout.Conflict, payout.Silence, payout.Refused)
	provider.Finish(o.Reference)
	settled(t, line, r, o.Reference)
	if n := provider.Credits(o.Reference); n != 1 {
		t.Errorf("M08: %d credits", n)
	}
}

func unknown(t *testing.T, line rail.Rail, _ Provider) {
	o := Order(1)
	about(t, line.Query(t.Context(), o.Reference), o.Reference, payout.NotFound)
	if h := line.Query(t.Context(), "../other?x=1"); h.Word != payout.Silence {
		t.Errorf("a reference that cannot be ours: %q", h.Word)
	}
}

func news(t *testing.T, line rail.Rail, provider Provider) {
	f := line.Facts()
	if f.CallbackPath == "" {
		return
	}
	o := Order(1)
	r := encode(t, line, o)
	line.Send(t.Context(), o.Reference, r.Raw)
	provider.Finish(o.Reference)
	req := provider.News(o.Reference)
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(req.Body); err != nil {
		t.Fatal(err)
	}
	got, err := line.Read(http.MethodPost, f.CallbackPath, req.Header, raw.Bytes())
	if err != nil || got.ID == "" || got.Reference != o.Reference || got.Word != payout.Succeeded || got.AmountFen != Amount || got.Payee != r.Payee || got.Evidence == "" {
		t.Errorf("%+v %v", got, err)
	}
	for i := range raw.Bytes() {
		if i%17 != 0 {
			continue
		}
		bad := bytes.Clone(raw.Bytes())
		bad[i] ^= 1
		if _, err := line.Read(http.MethodPost, f.CallbackPath, req.Header, bad); err == nil {
			t.Errorf("byte %d was changed and nobody noticed", i)
		}
	}
	if _, err := line.Read(http.MethodPost, f.CallbackPath, http.Header{}, raw.Bytes()); err == nil {
		t.Error("news without a signature")
	}
}
