package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/telemetry"
	"github.com/doudi-aid/doudi/shared/work"
)

var t0 = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

const template = "TPL-1"

// channel answers as it is told and remembers to whom it sent.
type channel struct {
	mu      sync.Mutex
	answers []notice.Outcome // in turn; the last one stays
	to      []Recipient
	reaches func(Recipient) bool
	during  func()
}

func (c *channel) Reaches(to Recipient, _ notice.Kind) bool { return c.reaches(to) }

func (c *channel) Send(_ context.Context, to Recipient, _ notice.Notice) (notice.Outcome, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.during != nil {
		c.during()
	}
	c.to = append(c.to, to)
	o := c.answers[min(len(c.to), len(c.answers))-1]
	return o, "code"
}

// stage is one application with one notice owed.
type stage struct {
	store        *embedded.Store
	box          *seal.Box
	blind        *seal.Blind
	wechat, text *channel
	key          table.Key
	now          time.Time
	deps         Deps
}

func set(t *testing.T, kind notice.Kind) *stage {
	t.Helper()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{store: embedded.Memory(), box: seal.NewBox(keys, rand.Reader), blind: keys.Blind(), now: t0,
		wechat: &channel{answers: []notice.Outcome{notice.Taken}, reaches: func(r Recipient) bool { return slices.Contains(r.Accepted, template) }},
		text:   &channel{answers: []notice.Outcome{notice.Taken}, reaches: func(r Recipient) bool { return r.Phone.Mobile() }}}
	acc, err := account.Open(t.Context(), s.store, s.blind, s.box, "wx-app", redact.New("openid-of-zhang"), t0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := acc.Accept(template).Replace()
	if err != nil {
		t.Fatal(err)
	}
	phone, err := civil.ParsePhone("13800138000")
	if err != nil {
		t.Fatal(err)
	}
	p := application.Particulars{Subject: application.Person{Name: civil.StoredName("张三"), Phone: phone}, Holder: application.RoleSubject}
	a := application.Application{ID: ident.Derive("case"), Version: 1, State: application.Accepted, Account: acc.ID, AcceptedAt: t0, Township: "320402005000"}
	sealed, err := p.Seal(t.Context(), s.box, a.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	e := a.Event("accepted", event.Actor{Kind: event.Citizen, ID: acc.ID}, t0)
	e.Facts = event.Facts{"amount_fen": money.Fen(300000)}
	owe, err := notice.Owe(kind, e)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := a.Writes(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Transact(t.Context(), append(writes, table.Put{Item: sealed}, owe, w)...); err != nil {
		t.Fatal(err)
	}
	s.key = owe.Target()
	s.deps = Deps{Table: s.store, Box: s.box, Now: func() time.Time { return s.now }, Metrics: telemetry.Discard,
		Channels: map[notice.Channel]Sender{notice.WeChat: s.wechat, notice.SMS: s.text}}
	return s
}

func (s *stage) deliver(t *testing.T) error {
	t.Helper()
	return Handle(s.deps)(t.Context(), queue.Message{Body: work.Message{PK: s.key.PK, SK: s.key.SK}.Encode()})
}

func (s *stage) notice(t *testing.T) notice.Notice {
	t.Helper()
	item, ok, err := s.store.Get(t.Context(), s.key)
	if err != nil || !ok {
		t.Fatalf("the notice is gone: %v", err)
	}
	n, err := notice.Decode(item)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDelivery(t *testing.T) {
	for name, c := range map[string]struct {
		wechat, text []notice.Outcome
		state        notice.State
		used         [2]int // sends over wechat and sms
	}{
		"taken by wechat":         {[]notice.Outcome{notice.Taken}, nil, notice.Sent, [2]int{1, 0}},
		"refused, then sms":       {[]notice.Outcome{notice.Refusal}, []notice.Outcome{notice.Taken}, notice.Sent, [2]int{1, 1}},
		"unclear, then sms":       {[]notice.Outcome{notice.Unclear}, []notice.Outcome{notice.Taken}, notice.Sent, [2]int{1, 1}},
		"busy waits":              {[]notice.Outcome{notice.Busy}, nil, notice.Owed, [2]int{1, 0}},
		"nobody takes it: a call": {[]notice.Outcome{notice.Refusal}, []notice.Outcome{notice.Refusal}, notice.Unsent, [2]int{1, 1}},
		"all unclear: a call":     {[]notice.Outcome{notice.Unclear}, []notice.Outcome{notice.Unclear}, notice.Unsent, [2]int{1, 1}},
	} {
		s := set(t, notice.Paid)
		s.wechat.answers, s.text.answers = c.wechat, c.text
		for range 3 { // the message comes three times; only the first may do anything
			if err := s.deliver(t); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n := s.notice(t); n.State != c.state || len(s.wechat.to) != c.used[0] || len(s.text.to) != c.used[1] {
			t.Errorf("%s: %s after %d wechat and %d sms, want %s after %v", name, n.State, len(s.wechat.to), len(s.text.to), c.state, c.used)
		}
	}
}

func TestBusyComesAgainWhenItIsDue(t *testing.T) {
	s := set(t, notice.Paid)
	s.wechat.answers = []notice.Outcome{notice.Busy, notice.Taken}
	if err := s.deliver(t); err != nil {
		t.Fatal(err)
	}
	s.now = s.notice(t).Due
	if err := s.deliver(t); err != nil {
		t.Fatal(err)
	}
	if n := s.notice(t); n.State != notice.Sent || len(s.wechat.to) != 2 {
		t.Errorf("%+v", n)
	}
}

func TestFiledForYouWarnsThePersonAndNotTheAccount(t *testing.T) {
	s := set(t, notice.FiledForYou)
	if err := s.deliver(t); err != nil {
		t.Fatal(err)
	}
	if len(s.wechat.to) != 0 || len(s.text.to) != 1 || s.text.to[0].Phone.Reveal() != "13800138000" {
		t.Errorf("%d by wechat, %d by sms", len(s.wechat.to), len(s.text.to))
	}
}

// crash is a store that dies at the nth write: lost, or stored with the answer lost.
type crash struct {
	table.Store
	at     int
	stored bool
	n      int
}

var errDied = errors.New("died")

func (c *crash) Transact(ctx context.Context, writes ...table.Write) error {
	c.n++
	if c.n != c.at {
		return c.Store.Transact(ctx, writes...)
	}
	if c.stored {
		if err := c.Store.Transact(ctx, writes...); err != nil {
			return err
		}
	}
	return errDied
}

func TestADeathAnywhereEndsInOneMessageAtLeast(t *testing.T) {
	for at := 1; at <= 2; at++ {
		for _, stored := range []bool{false, true} {
			s := set(t, notice.Paid)
			s.deps.Table = &crash{Store: s.store, at: at, stored: stored}
			_ = s.deliver(t) // it may die
			s.deps.Table = s.store
			for range 3 {
				s.now = s.now.Add(notice.Lease) // the sweeper comes round
				if err := s.deliver(t); err != nil {
					t.Fatal(err)
				}
			}
			n := s.notice(t)
			if n.State != notice.Sent || len(s.wechat.to) > 1 || len(s.text.to) > 1 || len(s.wechat.to)+len(s.text.to) == 0 {
				t.Errorf("death at write %d, stored %v: %s after %d wechat and %d sms", at, stored, n.State, len(s.wechat.to), len(s.text.to))
			}
		}
	}
}

func TestTwoWorkersSendOnce(t *testing.T) {
	s := set(t, notice.Paid)
	var second error
	s.wechat.during = func() { // the other worker comes while the first is sending
		s.wechat.during = nil
		second = s.deliver(t)
	}
	if err := s.deliver(t); err != nil {
		t.Fatal(err)
	}
	if second != nil || len(s.wechat.to) != 1 || len(s.text.to) != 0 {
		t.Errorf("second worker: %v, %d by wechat, %d by sms", second, len(s.wechat.to), len(s.text.to))
	}
}

func TestMessagesThatMeanNothing(t *testing.T) {
	s := set(t, notice.Paid)
	h := Handle(s.deps)
	if err := h(t.Context(), queue.Message{Body: []byte("poison")}); err == nil {
		t.Error("poison was taken as done")
	}
	for _, key := range []table.Key{{PK: "APP#none", SK: "NOTICE#x"}, {PK: s.key.PK, SK: "HEAD"}} {
		if err := h(t.Context(), queue.Message{Body: work.Message{PK: key.PK, SK: key.SK}.Encode()}); err != nil {
			t.Errorf("%v: %v", key, err)
		}
	}
}

func TestNothingPersonalIsStoredInTheClear(t *testing.T) {
	s := set(t, notice.Paid)
	if err := s.deliver(t); err != nil {
		t.Fatal(err)
	}
	page, err := s.store.Query(t.Context(), table.Query{PK: s.key.PK})
	if err != nil {
		t.Fatal(err)
	}
	dump, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		dump = append(dump, it.Body...)
	}
	for _, canary := range []string{"13800138000", "张三", "openid-of-zhang"} {
		if strings.Contains(string(dump), canary) {
			t.Errorf("%s is stored in the clear", canary)
		}
	}
}
