package apply_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/functions/apply"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/reading"
)

// Who looked is read by the person whose case it is and by nobody else; it says
// which office and why, and not which officer.
func TestWhoLookedAtMyData(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.submit("father", "k")
	path := "/v1/applications/" + id + "/readings"
	read := func(query string) (out apply.Readings) {
		r := c.do("father", "GET", path+query, "", nil)
		if r.status != 200 || json.Unmarshal([]byte(r.body), &out) != nil {
			t.Fatalf("%d %s", r.status, r.body)
		}
		if strings.Contains(r.body, "clerk-7") || strings.Contains(r.body, "b1.") {
			t.Errorf("it names the officer: %s", r.body)
		}
		return out
	}
	if out := read(""); len(out.Readings) != 0 || out.After != "" || out.About == "" {
		t.Errorf("nobody looked: %+v", out)
	}
	for n := range 24 {
		look := reading.Look{By: event.Actor{Kind: event.Staff, ID: "clerk-7", Person: "b1.person"}, At: c.clock().Add(time.Duration(n) * time.Hour),
			Operation: "GET /v1/x", Case: id, Role: "clerk", Office: "天宁街道经办人员", Purpose: reading.Handle, Fields: []reading.Field{reading.Name, reading.Story}, Trace: fmt.Sprint(n)}
		if n == 23 {
			look.Whole, look.Reason, look.Fields = true, "payment_failed", []reading.Field{reading.Account}
		}
		if err := reading.Record(t.Context(), c.store, look); err != nil {
			t.Fatal(err)
		}
	}
	first := read("")
	if len(first.Readings) != 20 || first.After == "" {
		t.Fatalf("%d on the first page, then %q", len(first.Readings), first.After)
	}
	if got := first.Readings[0].Text; got != "天宁街道经办人员经另一人同意，查看了没有遮盖的收款账号。原因：付款失败，核对账户。" || !first.Readings[0].Whole {
		t.Errorf("latest: %s", got)
	}
	if got := first.Readings[1].Text; got != "天宁街道经办人员为办理您的申请查看了姓名（部分遮盖）、情况说明。" {
		t.Errorf("before: %s", got)
	}
	if last := read("?after=" + first.After); len(last.Readings) != 4 || last.After != "" {
		t.Errorf("%d on the last page, then %q", len(last.Readings), last.After)
	}
	for _, who := range []string{"neighbour", "clerk", ""} {
		if r := c.do(who, "GET", path, "", nil); r.status == 200 {
			t.Errorf("%s reads it: %s", who, r.body)
		}
	}
	if r := c.do("father", "GET", path+"?after=x", "", nil); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
