package session_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// office is a session store over a table whose calls can be interfered with.
type office struct {
	table.Store
	sessions *session.Store
	now      time.Time
	fail     error               // every call fails with this
	before   func([]table.Write) // runs once before the next Transact
	writes   [][]table.Write     // all that were made
}

func (o *office) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if o.fail != nil {
		return table.Item{}, false, o.fail
	}
	return o.Store.Get(ctx, key)
}

func (o *office) Transact(ctx context.Context, writes ...table.Write) error {
	if f := o.before; f != nil {
		o.before = nil
		f(writes)
	}
	if o.fail != nil {
		return o.fail
	}
	o.writes = append(o.writes, writes)
	return o.Store.Transact(ctx, writes...)
}

func newOffice(t *testing.T) *office {
	o := &office{Store: embedded.Memory(), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	o.sessions = session.NewStore(o, rand.Reader, func() time.Time { return o.now })
	return o
}

var (
	clerk = session.Principal{Kind: session.Staff, ID: "s-1"}
	wang  = session.Principal{Kind: session.Citizen, ID: "c-1"}
)

func (o *office) open(t *testing.T, p session.Principal, previous string) string {
	t.Helper()
	token, err := o.sessions.Open(t.Context(), session.Opening{Principal: p, TTL: time.Hour, Previous: previous})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (o *office) in(t *testing.T, token string) bool {
	t.Helper()
	s, err := o.sessions.Find(t.Context(), token)
	if err != nil && !errors.Is(err, session.ErrNone) {
		t.Fatal(err)
	}
	return err == nil && s.ID != ""
}

func TestASession(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	token := o.open(t, wang, "")
	s, err := o.sessions.Find(t.Context(), token)
	if err != nil || s.Principal != wang || !s.Opened.Equal(o.now) || !s.Expires.Equal(o.now.Add(time.Hour)) {
		t.Fatalf("%+v %v", s, err)
	}
	if again := o.open(t, wang, ""); again == token || len(token) != 52 {
		t.Errorf("tokens %q %q", token, again)
	}
	o.now = o.now.Add(time.Hour - time.Second)
	if !o.in(t, token) {
		t.Error("out a second early")
	}
	o.now = o.now.Add(time.Second) // B06: at the limit it is over
	if o.in(t, token) {
		t.Error("in at the moment of expiry")
	}
}

func TestTheTokenIsStoredNowhere(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	token := o.open(t, wang, "")
	if all := fmt.Sprintf("%+v %s", o.writes, o.writes[0][0].(table.Put).Item.Body); strings.Contains(all, token) {
		t.Errorf("the token is in %s", all)
	}
}

func TestX084LogoutCountsAtOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	token, left := o.open(t, wang, ""), o.open(t, wang, "")
	if err := o.sessions.Close(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if o.in(t, token) || !o.in(t, left) {
		t.Error("the closed session is open, or the other one closed")
	}
	for _, again := range []string{token, strings.Repeat("0", 52), "", "x.y.z"} {
		if err := o.sessions.Close(t.Context(), again); err != nil {
			t.Errorf("closing what is not open: %v", err)
		}
	}
}

func TestX085A06RemovalEndsEverySession(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	one, two, citizen := o.open(t, clerk, ""), o.open(t, clerk, ""), o.open(t, wang, "")
	for range 2 { // the second time the epoch item exists
		if err := o.sessions.CloseAll(t.Context(), clerk); err != nil {
			t.Fatal(err)
		}
		if o.in(t, one) || o.in(t, two) || !o.in(t, citizen) {
			t.Error("a removed clerk is in, or somebody else out")
		}
		one = o.open(t, clerk, "")
		if !o.in(t, one) {
			t.Error("a clerk taken on again cannot sign in")
		}
	}
}

func TestRemovalWhileSigningIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	head := table.Item{Key: table.Key{PK: "STAFF#s-1", SK: "HEAD"}, Version: 1}
	if err := o.Store.Transact(t.Context(), table.Put{Item: head}); err != nil {
		t.Fatal(err)
	}
	remove := func([]table.Write) {
		gone := head
		gone.Version = 2
		if err := o.Store.Transact(t.Context(), table.Replace{Item: gone}); err != nil {
			t.Error(err)
		}
		if err := o.sessions.CloseAll(t.Context(), clerk); err != nil {
			t.Error(err)
		}
	}
	o.before = remove
	_, err := o.sessions.Open(t.Context(), session.Opening{Principal: clerk, TTL: time.Hour, Checks: []table.Write{table.Check{Key: head.Key, Version: 1}}})
	if _, failed := table.FailedOn(err, head.Key); !failed {
		t.Errorf("signed in across a removal: %v", err)
	}
}

func TestEpochMovedWhileOpening(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.before = func([]table.Write) {
		if err := o.sessions.CloseAll(t.Context(), clerk); err != nil {
			t.Error(err)
		}
	}
	if token := o.open(t, clerk, ""); !o.in(t, token) {
		t.Error("the session was opened under an epoch that is over")
	}
}

func TestX086OnlyOurTokens(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.fail = errors.New("must not be asked")
	for _, token := range []string{"", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat("u", 52), strings.Repeat("0", 51), strings.Repeat("0", 53), strings.Repeat("0", 1<<20)} {
		if _, err := o.sessions.Find(t.Context(), token); !errors.Is(err, session.ErrNone) {
			t.Errorf("%.60q: %v", token, err)
		}
	}
}

func TestX088TheTokenFromBeforeSignInIsDead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	planted := o.open(t, wang, "")
	after := o.open(t, wang, planted)
	if o.in(t, planted) || !o.in(t, after) {
		t.Error("the planted token works, or the new one does not")
	}
	for _, previous := range []string{planted, "nonsense", strings.Repeat("0", 52)} {
		if token := o.open(t, wang, previous); !o.in(t, token) {
			t.Error("an old token kept somebody out")
		}
	}
	// Closed by somebody else at the same moment: sign-in goes on.
	racing := o.open(t, wang, "")
	o.before = func([]table.Write) { _ = o.sessions.Close(t.Context(), racing) }
	if token := o.open(t, wang, racing); !o.in(t, token) || o.in(t, racing) {
		t.Error("lost the race with a logout")
	}
}

func TestTheStoreIsDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	token := o.open(t, wang, "")
	for _, down := range []error{errors.New("timeout"), table.ErrUnknown, table.ErrBusy} {
		o.fail = down
		_, find := o.sessions.Find(t.Context(), token)
		_, open := o.sessions.Open(t.Context(), session.Opening{Principal: wang, TTL: time.Hour})
		for _, err := range []error{find, open, o.sessions.Close(t.Context(), token), o.sessions.CloseAll(t.Context(), wang)} {
			if fault.Of(err).Kind != fault.Unavailable {
				t.Errorf("%v: %v", down, err)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, bad := range []session.Opening{
		{TTL: time.Hour}, {Principal: session.Principal{Kind: "root", ID: "x"}, TTL: time.Hour}, {Principal: wang}, {Principal: wang, TTL: session.MaxTTL + 1},
		{Principal: session.Principal{Kind: session.Staff}, TTL: time.Hour},
	} {
		if _, err := o.sessions.Open(t.Context(), bad); err == nil {
			t.Errorf("%+v was opened", bad)
		}
	}
	broken := session.NewStore(o, strings.NewReader("short"), func() time.Time { return o.now })
	if _, err := broken.Open(t.Context(), session.Opening{Principal: wang, TTL: time.Hour}); err == nil {
		t.Error("opened without randomness")
	}
}

// FuzzToken: nobody is signed in by a token that was not given out.
func FuzzToken(f *testing.F) {
	o := &office{Store: embedded.Memory(), now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	o.sessions = session.NewStore(o, rand.Reader, func() time.Time { return o.now })
	given, err := o.sessions.Open(f.Context(), session.Opening{Principal: wang, TTL: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", uint8(0))
	f.Add("eyJhbGciOiJub25lIn0.e30.", uint8(0))
	f.Add("#HEAD", uint8(20))
	f.Add("\x00", uint8(52))
	f.Fuzz(func(t *testing.T, text string, keep uint8) {
		token := given[:min(int(keep), len(given))] + text
		if s, err := o.sessions.Find(t.Context(), token); err == nil && token != given {
			t.Errorf("%q is %+v", token, s)
		} else if err != nil && !errors.Is(err, session.ErrNone) {
			t.Errorf("%q: %v", token, err)
		}
	})
}
