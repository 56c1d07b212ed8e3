package complain_test

import (
	"bytes"
	"testing"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/complaint/announce"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/work"
)

// owed are the notices about a complaint.
func (w *world) owed(id string) (items []table.Item) {
	w.T.Helper()
	page, err := w.Store.Query(w.T.Context(), table.Query{PK: notice.ReplyPartition(id)}.Prefix(notice.Prefix))
	if err != nil {
		w.T.Fatal(err)
	}
	return page.Items
}

// A reply and the message that it is there are one transaction: whoever complained
// and can be reached is owed one for each reply, and nobody learns from it who that
// is or what it was about.
func TestAReplyIsAnnounced(t *testing.T) {
	t.Parallel()
	w := open(t)
	const account = "account-1"
	id := w.handled(account, nil)
	w.want(w.passed(id, reviewer), 201, "")
	if n := len(w.owed(id)); n != 0 {
		t.Fatalf("%d owed before the reply", n)
	}
	const words = "您反映的情况属实，差额已经补发到账，请查收。"
	key := w.key()
	for range 3 {
		w.want(w.send("POST", clerk, "/v1/staff/complaints/"+id+"/replies", key, m{"text": words}), 201, "")
	}
	items := w.owed(id)
	if len(items) != 1 {
		t.Fatalf("%d owed for one reply", len(items))
	}
	n, err := notice.Decode(items[0])
	if at, q, owes := work.Owed(items[0]); err != nil || !owes || q != work.Notify || !at.Equal(w.Now()) || n.Kind != notice.Replied || n.Complaint != id || n.Application != "" || len(n.Facts) != 0 {
		t.Errorf("%+v %v", n, err)
	}
	w.clear(notice.ReplyPartition(id), account, canaryName, canaryPhone, words, w.read(id).Owner)
	to, err := announce.Open(t.Context(), w.Store, w.Box, id)
	if err != nil || to.Account != account || to.Phone.Reveal() != canaryPhone {
		t.Errorf("%+v %v", to, err)
	}
	w.clear(complaint.Partition(id), account, canaryPhone)
	for _, who := range []string{clerk, reviewer, district} {
		if r := w.want(w.get(who, "/v1/staff/complaints/"+id), 200, ""); bytes.Contains([]byte(r.body), []byte("REPLY#")) || bytes.Contains([]byte(r.body), []byte(account)) {
			t.Errorf("%s sees %s", who, r.body)
		}
	}
	// Another reply is another message.
	w.want(w.mine(account, id, "reopenings", m{"text": "钱还是没有到。"}), 201, "")
	w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 201, "")
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "再次核实，已补发。"}), 201, "")
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": words}), 201, "")
	if n := len(w.owed(id)); n != 2 {
		t.Errorf("%d owed for two replies", n)
	}
}

// Nothing is kept by which somebody anonymous could be reached; whoever telephoned
// is told by telephone number.
func TestWhoIsNotAnnounced(t *testing.T) {
	t.Parallel()
	w := open(t)
	code := w.want(w.send("POST", "", "/v1/complaint-codes", "", m{}), 201, "").text("code")
	in := matter(m{"code": code})
	secret := w.want(w.send("POST", "", "/v1/anonymous-complaints", "", in), 201, "").text("id")
	called := w.want(w.send("POST", clerk2, "/v1/staff/complaints", w.key(), sealed(m{"place": township})), 201, "").text("id")
	for id, want := range map[string]int{secret: 0, called: 1} {
		w.want(w.act(district, id, "acceptance", m{}), 201, "")
		w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 201, "")
		w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实漏发一笔，已补发。"}), 201, "")
		w.want(w.passed(id, reviewer), 201, "")
		w.want(w.act(clerk, id, "replies", m{"text": "情况属实，差额已经补发到账。"}), 201, "")
		if n := len(w.owed(id)); n != want {
			t.Errorf("%s: %d owed, want %d", id, n, want)
		}
	}
	if to, err := announce.Open(t.Context(), w.Store, w.Box, secret); err != nil || to.Account != "" || !to.Phone.Empty() {
		t.Errorf("anonymous, at %+v %v", to, err)
	}
	if to, err := announce.Open(t.Context(), w.Store, w.Box, called); err != nil || to.Account != "" || to.Phone.Reveal() != canaryPhone {
		t.Errorf("the caller is at %+v %v", to, err)
	}
}
