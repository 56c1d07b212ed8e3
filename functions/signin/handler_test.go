package signin_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

type door struct {
	t        *testing.T
	url      string
	store    table.Store
	sessions *session.Store
	asked    *wechat
	logs     bytes.Buffer
	mu       sync.Mutex
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logs.Write(p)
}

// wechat counts how often a code was sent on.
type wechat struct {
	signin.WeChat
	mu    sync.Mutex
	calls int
}

func (w *wechat) Code2Session(ctx context.Context, code string) (wxapp.Identity, error) {
	w.mu.Lock()
	w.calls++
	w.mu.Unlock()
	return w.WeChat.Code2Session(ctx, code)
}

type names struct{ before func() }

func (n names) Who(_ context.Context, code, _ string) (string, error) {
	id, ok := strings.CutPrefix(code, "staff:")
	if !ok {
		return "", signin.ErrStaffRefused
	}
	if n.before != nil {
		n.before()
	}
	return id, nil
}

var now = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func newDoor(t *testing.T, scenario string, identity signin.StaffIdentity) *door {
	t.Helper()
	d := &door{t: t}
	clock := func() time.Time { return now }
	keys := world.LocalKeys("signin")
	o := world.Options{Keys: keys, Seed: "signin", Now: clock, SingleUseCodes: true}
	if scenario != "" {
		s, err := world.ParseScenario([]byte(scenario))
		if err != nil {
			t.Fatal(err)
		}
		o.Scenario = s
	}
	w, err := world.New(o)
	if err != nil {
		t.Fatal(err)
	}
	outside := httptest.NewServer(w.Handler())
	client, err := wxapp.New(keys.WeChatConfig(outside.URL, outside.Client(), clock))
	if err != nil {
		t.Fatal(err)
	}
	files, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	d.store, d.sessions, d.asked = mem, session.NewStore(mem, rand.Reader, clock), &wechat{WeChat: client}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: d.sessions, Now: clock, IDs: ident.Random(), Logger: telemetry.NewLogger(d, slog.LevelDebug)},
		signin.Routes(signin.Deps{Table: mem, Box: seal.NewBox(files, rand.Reader), Blind: files.Blind(), Sessions: d.sessions, WeChat: d.asked,
			AppID: keys.WeChatAppID, Staff: identity, Now: clock})...))
	t.Cleanup(func() { server.Close(); _ = w.Close(); outside.Close(); mem.Close() })
	d.url = server.URL
	return d
}

func (d *door) call(method, path, token, body string) (int, map[string]any, http.Header) {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]any{}
	_ = json.Unmarshal(raw, &out)
	return res.StatusCode, out, res.Header
}

func TestACodeIsASessionAndTheSamePersonTheSameAccount(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "", nil)
	status, first, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#1"}`)
	if status != 201 || first["token"] == "" || first["account"] == "" || first["expires_in_seconds"] != float64(86400) {
		t.Fatalf("%d %v", status, first)
	}
	_, second, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#2"}`)
	if second["account"] != first["account"] || second["token"] == first["token"] {
		t.Error("the same person has two accounts, or one token twice")
	}
	if _, other, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:li#1"}`); other["account"] == first["account"] {
		t.Error("two people share an account")
	}
	if s, err := d.sessions.Find(t.Context(), first["token"].(string)); err != nil || s.ID != first["account"] || s.Kind != session.Citizen {
		t.Error(err)
	}
}

func TestX081ToX088(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "", nil)
	_, first, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#1"}`)
	token := first["token"].(string)
	if status, _, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#1"}`); status != 401 {
		t.Errorf("X081 a code used again: %d", status)
	}
	if status, p, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#9","openid":"forged"}`); status != 400 || d.asked.calls != 2 {
		t.Errorf("X083 an openid of one's own: %d %v", status, p)
	}
	if status, p, _ := d.call("POST", "/v1/sessions?token="+token, "", `{"code":"wx:zhang#9"}`); status != 400 || p["code"] != "token-in-query" {
		t.Errorf("X087: %d %v", status, p)
	}
	status, next, _ := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#3","previous":"`+token+`"}`)
	if status != 201 {
		t.Fatal(status)
	}
	if status, _, _ := d.call("DELETE", "/v1/sessions/current", token, ""); status != 401 {
		t.Errorf("X088 the token from before sign-in still works: %d", status)
	}
	for _, jwt := range []string{"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "../../etc/passwd", strings.Repeat("a", 52)} {
		if status, _, _ := d.call("DELETE", "/v1/sessions/current", jwt, ""); status != 401 {
			t.Errorf("X086: %d", status)
		}
	}
	token = next["token"].(string)
	if status, _, _ := d.call("DELETE", "/v1/sessions/current", token, ""); status != 204 {
		t.Errorf("logout: %d", status)
	}
	if status, _, _ := d.call("DELETE", "/v1/sessions/current", token, ""); status != 401 {
		t.Errorf("X084 a token after logout: %d", status)
	}
	if out := d.logs.String(); strings.Contains(out, token) || strings.Contains(out, "wx:zhang") {
		t.Error("a token or a code is in the log")
	}
}

func TestWhatWeChatSaysAndWhatWeMakeOfIt(t *testing.T) {
	t.Parallel()
	rule := func(effect string) string {
		return "[[rule]]\nservice = \"wechat\"\nop = \"code2session\"\n" + effect
	}
	for name, c := range map[string]struct {
		effect string
		want   int
		retry  bool
	}{
		"X082 a code of another mini-program": {"effect = \"errcode\"\nerrcode = 40013\n", 401, false},
		"a wrong code":                        {"effect = \"errcode\"\nerrcode = 40029\n", 401, false},
		"a blocked user":                      {"effect = \"errcode\"\nerrcode = 40226\n", 403, false},
		"busy":                                {"effect = \"errcode\"\nerrcode = -1\n", 503, true},
		"too many":                            {"effect = \"errcode\"\nerrcode = 45011\n", 503, true},
		"an operator's business":              {"effect = \"errcode\"\nerrcode = 40125\n", 500, false},
		"a 500, done or not":                  {"effect = \"status\"\nstatus = 500\ndone = true\n", 503, true},
		"cut off after acting":                {"effect = \"cut_after\"\n", 503, true},
		"garbage":                             {"effect = \"lie\"\nlie = \"garbage\"\n", 503, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, rule(c.effect), nil)
			status, p, h := d.call("POST", "/v1/sessions", "", `{"code":"wx:zhang#1"}`)
			if status != c.want || (h.Get("Retry-After") != "") != c.retry || p["token"] != nil {
				t.Errorf("%d %v", status, p)
			}
			if d.asked.calls != 1 {
				t.Errorf("the code was sent %d times", d.asked.calls)
			}
		})
	}
}

func (d *door) appoint(id string, active bool) staff.Staff {
	d.t.Helper()
	s := staff.Staff{ID: id, Region: "320400", Person: "b1." + id, Active: active, Version: 1,
		Grants: []staff.Grant{{Role: staff.Clerk, Division: "320402005000", From: now.Add(-time.Hour)}, {Role: staff.Approver, Division: "320402005000", From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}}}
	if err := staff.Appoint(context.Background(), d.store, s, event.Actor{Kind: event.System, ID: "seed"}, now); err != nil {
		d.t.Fatal(err)
	}
	return s
}

func TestStaff(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "", names{})
	d.appoint("clerk-1", true)
	d.appoint("gone-1", false)
	status, out, _ := d.call("POST", "/v1/staff/sessions", "", `{"code":"staff:clerk-1","region":"320400"}`)
	if status != 201 || out["staff"] != "clerk-1" || len(out["grants"].([]any)) != 1 {
		t.Fatalf("%d %v", status, out)
	}
	if s, err := d.sessions.Find(t.Context(), out["token"].(string)); err != nil || s.Kind != session.Staff {
		t.Error(err)
	}
	for name, code := range map[string]string{"X089 an outsider": "wx:somebody", "nobody": "staff:nobody", "somebody who left": "staff:gone-1"} {
		if status, p, _ := d.call("POST", "/v1/staff/sessions", "", `{"code":"`+code+`"}`); status != 401 || p["code"] != "staff-sign-in-refused" {
			t.Errorf("%s: %d %v", name, status, p)
		}
	}
	if status, _, h := newDoor(t, "", nil).call("POST", "/v1/staff/sessions", "", `{"code":"staff:clerk-1"}`); status != 503 || h.Get("Retry-After") == "" {
		t.Errorf("without single sign-on: %d", status)
	}
}

// late lets something happen between the read of a member of staff and the
// opening of the session.
type late struct {
	table.Store
	once sync.Once
	do   func()
}

func (l *late) Transact(ctx context.Context, w ...table.Write) error {
	l.once.Do(l.do)
	return l.Store.Transact(ctx, w...)
}

func TestX085ARemovalBetweenReadingAndOpeningIsSeen(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "", nil)
	s := d.appoint("clerk-1", true)
	behind := session.NewStore(d.store, rand.Reader, func() time.Time { return now })
	slow := &late{Store: d.store, do: func() {
		if err := staff.Revoke(context.Background(), d.store, behind, s, "LEFT", event.Actor{Kind: event.System, ID: "x"}, now); err != nil {
			t.Error(err)
		}
	}}
	routes := signin.Routes(signin.Deps{Table: d.store, Sessions: session.NewStore(slow, rand.Reader, func() time.Time { return now }), Staff: names{}, Now: func() time.Time { return now }})
	server := httptest.NewServer(httpapi.New(httpapi.Config{Sessions: d.sessions, Now: func() time.Time { return now }, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler)}, routes...))
	defer server.Close()
	d.url = server.URL
	if status, p, _ := d.call("POST", "/v1/staff/sessions", "", `{"code":"staff:clerk-1"}`); status != 401 {
		t.Errorf("%d %v", status, p)
	}
}
