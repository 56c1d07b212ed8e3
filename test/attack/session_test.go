package attack

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/httpapi"
	sessions "github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
)

func TestX081_login_code_again(t *testing.T) {
	t.Parallel()
	o := shared(t)
	code := map[string]string{"code": o.person(t).Code + "#once"}
	var won atomic.Int64
	together(8, func(int) {
		switch r := o.nobody().call(t, "POST", "/v1/sessions", "", code); r.status {
		case 201:
			won.Add(1)
		case 401:
		default:
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	if won.Load() != 1 {
		t.Errorf("the code worked %d times", won.Load())
	}
	o.nobody().call(t, "POST", "/v1/sessions", "", code).is(t, 401, "")
}

func TestX082_codes_of_others(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for _, code := range []string{"0a1B2c3D4e5F6g7H8i9J0k", "staff:clerk-1", "wx", "", " ", "wx:"} {
		if r := o.nobody().call(t, "POST", "/v1/sessions", "", map[string]string{"code": code}); r.status != 401 && r.status != 400 {
			t.Errorf("%q: %d %s", code, r.status, r.body)
		}
	}
	// X089: whoever is not one of us, or was one, gets nothing.
	for _, code := range []string{"staff:nobody", "wx:somebody", "staff:", "staff:320400-clerk-1/../x", "staff:999999-clerk-1", "openid-of-an-outsider", "staff:clerk-1\u0000"} {
		if r := o.nobody().call(t, "POST", "/v1/staff/sessions", "", map[string]string{"code": code}); r.status != 401 && r.status != 400 {
			t.Errorf("%q: %d %s", code, r.status, r.body)
		}
	}
}

func TestX083_own_openid(t *testing.T) {
	t.Parallel()
	o := shared(t)
	for _, name := range []string{"openid", "unionid", "account", "session_key"} {
		r := o.nobody().call(t, "POST", "/v1/sessions", "", map[string]string{"code": o.person(t).Code, name: "o-somebody"}).is(t, 400, "")
		if r.at("/"+name) == "" {
			t.Errorf("%s", r.body)
		}
	}
}

func TestX084_token_after_logout(t *testing.T) {
	t.Parallel()
	o := shared(t)
	c := o.citizen(t, o.person(t))
	c.get(t, "/v1/applications").is(t, 200, "")
	c.call(t, "DELETE", "/v1/sessions/current", "", nil).is(t, 204, "")
	c.get(t, "/v1/applications").is(t, 401, "not-signed-in")
	c.call(t, "DELETE", "/v1/sessions/current", "", nil).is(t, 401, "not-signed-in")
}

func TestX085_token_after_removal(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	c := o.hire(t, staff.Approver, township)
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	c.get(t, f.staffPath("")).is(t, 200, "")
	s, err := staff.Get(t.Context(), o.Table, c.id)
	if err != nil {
		t.Fatal(err)
	}
	open := sessions.NewStore(o.Table, rand.Reader, o.clock.Now)
	if err := staff.Revoke(t.Context(), o.Table, open, s, "left", seeded, o.clock.Now()); err != nil {
		t.Fatal(err)
	}
	f.unmoved(t, func() {
		c.get(t, f.staffPath("")).is(t, 401, "not-signed-in")
		f.decide(t, c).is(t, 401, "not-signed-in")
		o.nobody().call(t, "POST", "/v1/staff/sessions", "", map[string]string{"code": "staff:" + c.id}).is(t, 401, "")
	})
	f.approve(t).paid(t)
}

// Removed in the very moment of approving: either the approval was first, or it
// never happened.
func TestRemovedMidFlight(t *testing.T) {
	t.Parallel()
	o := shared(t)
	open := sessions.NewStore(o.Table, rand.Reader, o.clock.Now)
	for range 5 {
		f := o.file(t, o.person(t)).verified(t)
		c := o.hire(t, staff.Approver, township)
		f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
		s, err := staff.Get(t.Context(), o.Table, c.id)
		if err != nil {
			t.Fatal(err)
		}
		together(2, func(i int) {
			if i == 0 {
				if err := staff.Revoke(t.Context(), o.Table, open, s, "left", seeded, o.clock.Now()); err != nil {
					t.Error(err)
				}
				return
			}
			if r := f.decide(t, c); r.status != 201 && r.status != 401 && r.status != 409 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
		f.decide(t, c).is(t, 401, "not-signed-in")
	}
}

func TestX086_tokens_that_are_none(t *testing.T) {
	t.Parallel()
	o := shared(t)
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, token := range []string{
		part(`{"alg":"none"}`) + "." + part(`{"sub":"320400-clerk-1"}`) + ".",
		part(`{"alg":"HS256","kid":"../../dev/null"}`) + "." + part(`{"sub":"a"}`) + "." + part("x"),
		part(`{"alg":"RS256","jku":"http://127.0.0.1/keys"}`) + "." + part(`{}`) + ".x",
		"undefined", "null", strings.Repeat("A", 43), strings.Repeat("a", 8000), "' OR 1=1 --", "SESSION#",
	} {
		c := caller{o: o, token: token}
		c.get(t, "/v1/applications").is(t, 401, "not-signed-in")
		c.get(t, "/v1/staff/tasks").is(t, 401, "not-signed-in")
	}
	good := o.citizen(t, o.person(t)).token
	for _, h := range [][]string{{"Basic " + good}, {good}, {"Bearer"}, {"Bearer " + good, "Bearer " + good}, {"Bearer " + good + " "}, {"Bearer  " + good}, {"bearer\t" + good}} {
		r := o.nobody().call(t, "GET", "/v1/applications", "", nil, func(r *http.Request) { r.Header["Authorization"] = h })
		if r.status == 200 && len(h) != 1 {
			t.Errorf("%d headers let somebody in", len(h))
		}
	}
	o.nobody().call(t, "GET", "/v1/applications", "", nil, func(r *http.Request) { r.Header.Set("Cookie", "token="+good) }).is(t, 401, "not-signed-in")
}

func TestX087_token_in_the_query(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	token := o.citizen(t, o.person(t)).token
	for _, name := range []string{"token", "access_token", "session", "Authorization"} {
		o.nobody().get(t, "/v1/applications?"+name+"="+token).is(t, 400, "token-in-query")
	}
	if bytes.Contains(o.log.all(), []byte(token)) {
		t.Error("the token is in the log")
	}
}

func TestX088_session_planted_before_sign_in(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	planted := o.citizen(t, p)
	r := o.nobody().call(t, "POST", "/v1/sessions", "", map[string]string{"code": p.Code, "previous": planted.token}).is(t, 201, "")
	var s struct{ Token string }
	r.read(t, &s)
	if s.Token == planted.token {
		t.Error("the token was not changed")
	}
	planted.get(t, "/v1/applications").is(t, 401, "not-signed-in")
	caller{o: o, token: s.Token}.get(t, "/v1/applications").is(t, 200, "")
}

func TestASessionEndsByItself(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	c := o.citizen(t, o.person(t))
	s := o.staff(t, "clerk-1")
	o.pass(t, 8*time.Hour+time.Second)
	s.get(t, "/v1/staff/tasks").is(t, 401, "not-signed-in")
	c.get(t, "/v1/applications").is(t, 200, "")
	o.pass(t, 16*time.Hour)
	c.get(t, "/v1/applications").is(t, 401, "not-signed-in")
}

func TestX099_lookups_by_identity_number(t *testing.T) {
	t.Parallel()
	o := strict(t, httpapi.Limits{})
	p := o.person(t)
	f := o.file(t, p)
	c := o.citizen(t, o.person(t))
	for _, path := range []string{"/v1/applications?id_number=" + p.IDNumber, "/v1/applications?person=" + p.IDNumber, "/v1/programs?id=" + p.IDNumber} {
		if r := c.get(t, path).is(t, 400, "query-not-allowed"); bytes.Contains(r.body, []byte(f.id)) || bytes.Contains(r.body, []byte(p.IDNumber)) {
			t.Errorf("%s", r.body)
		}
	}
	asked := 0
	for ; asked < 60; asked++ {
		r := c.get(t, "/v1/people/"+p.IDNumber)
		if r.status == http.StatusTooManyRequests {
			break
		}
		r.is(t, 404, "not-found")
	}
	if asked > 20 {
		t.Errorf("%d lookups went through", asked)
	}
	if bytes.Contains(o.log.all(), []byte(p.IDNumber)) {
		t.Error("the number is in the log")
	}
	// Whoever asks honestly beside the prober is not shut out.
	f.by.get(t, f.path("")).is(t, 200, "")
}
