package notify

import (
	"slices"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/complaint/announce"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/table"
)

// complained is a stage on which a reply to a complaint from there is to be announced.
func complained(t *testing.T, to func(*stage) announce.Address) *stage {
	t.Helper()
	s := set(t, notice.Paid)
	id := ident.Derive("complaint")
	if address := to(s); !address.Nowhere() {
		w, err := address.Put(t.Context(), s.box, id)
		if err == nil {
			err = s.store.Transact(t.Context(), w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	owe, err := notice.OweReply(id, event.Event{Version: 7, At: t0})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Transact(t.Context(), owe); err != nil {
		t.Fatal(err)
	}
	s.key = owe.Target()
	return s
}

// The reply is announced once, to whoever complained; nobody calls when no channel
// reaches them, because whoever called would learn who it was.
func TestAReplyIsAnnouncedToTheComplainant(t *testing.T) {
	mine := func(s *stage) string {
		a, err := account.Open(t.Context(), s.store, s.blind, s.box, "wx-app", redact.New("openid-of-zhang"), t0)
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	for name, c := range map[string]struct {
		to    func(*stage) announce.Address
		state notice.State
		used  [2]int
	}{
		"by wechat": {func(s *stage) announce.Address { return announce.Address{Account: mine(s)} }, notice.Sent, [2]int{1, 0}},
		"wechat and a phone": {func(s *stage) announce.Address {
			return announce.Address{Account: mine(s), Phone: redact.New("13900139000")}
		}, notice.Sent, [2]int{1, 0}},
		"a phone": {func(*stage) announce.Address { return announce.Address{Phone: redact.New("13900139000")} }, notice.Sent, [2]int{0, 1}},
		"nowhere": {func(*stage) announce.Address { return announce.Address{} }, notice.Unsent, [2]int{0, 0}},
		"an account that is gone": {func(*stage) announce.Address { return announce.Address{Account: "gone"} },
			notice.Unsent, [2]int{0, 0}},
	} {
		s := complained(t, c.to)
		for range 3 {
			if err := s.deliver(t); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		n := s.notice(t)
		if n.State != c.state || len(s.wechat.to) != c.used[0] || len(s.text.to) != c.used[1] {
			t.Errorf("%s: %s, %d by wechat, %d by sms", name, n.State, len(s.wechat.to), len(s.text.to))
		}
		for _, r := range s.text.to {
			if r.Phone.Reveal() != "13900139000" {
				t.Errorf("%s: sent elsewhere", name)
			}
		}
		item, _, err := s.store.Get(t.Context(), s.key)
		if err != nil || slices.ContainsFunc(item.Places, func(p table.Place) bool { return p.Index == table.ByWork }) {
			t.Errorf("%s: somebody is asked to call: %+v %v", name, item.Places, err)
		}
		if strings.Contains(string(item.Body), "13900139000") || strings.Contains(string(item.Body), "openid") {
			t.Errorf("%s: %s", name, item.Body)
		}
	}
}
