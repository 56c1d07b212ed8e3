package complain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/event"
)

// No edit, transfer or reopening sets the first deadline back.
func TestNothingResetsAClock(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.assigned("account-1", township, nil)
	first := *w.read(id).Handling
	if got := first.At.Format(time.RFC3339); got != "2026-11-28T00:00:00+08:00" { // five working days, 绿色通道
		t.Fatalf("first %s", got)
	}
	same := func(step string) {
		t.Helper()
		if c := w.read(id); !c.Handling.At.Equal(first.At) || !c.Handling.From.Equal(first.From) {
			t.Errorf("%s: the clock is %+v", step, c.Handling)
		}
	}
	w.Pass(24 * time.Hour)
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief}), 201, "")
	same("transfer")
	w.want(w.act(countyClerk, id, "objections", m{"text": "不属本级管理权限。"}), 201, "")
	w.want(w.act(district, id, "objections/answers", m{"agree": true, "text": "同意退回重新分办。"}), 201, "")
	same("objection")
	w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 201, "")
	w.want(w.mine("account-1", id, "supplements", m{"text": "还有一笔。"}), 201, "")
	same("supplement")
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实，已补发。"}), 201, "")
	w.want(w.act(reviewer, id, "reviews", m{"finding_version": w.read(id).Finding.Version, "pass": false, "text": "请补充凭证。"}), 201, "")
	w.want(w.act(clerk, id, "findings", m{"outcome": "upheld", "text": "查实，已补发，附凭证。"}), 201, "")
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "您反映的情况属实，已经补发。"}), 201, "")
	same("reply")
	w.Pass(20 * 24 * time.Hour)
	w.want(w.mine("account-1", id, "reopenings", m{"text": "钱还是没有到。"}), 201, "")
	same("reopening")
	r := w.want(w.get(district, "/v1/staff/complaints/"+id), 200, "")
	if due := r.part("due"); due.text("first") != "2026-11-28T00:00:00+08:00" || due.out["late"] != true {
		t.Errorf("due %s", r.body)
	}
	if rep := w.sweep(); rep.Escalated != 1 {
		t.Errorf("swept %+v", rep)
	}
}

// Overdue climbs town → district → city, and each who supervises still sees it.
func TestOverdueClimbs(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.assigned("account-1", township, nil)
	k := w.read(id).Handling
	if at := w.read(id).Level(); string(at) != township {
		t.Fatalf("begins at %s", at)
	}
	for _, step := range []struct {
		percent int
		level   string
	}{{50, township}, {80, county}, {100, city}} {
		w.Pass(k.From.Add(k.At.Sub(k.From) / 100 * time.Duration(step.percent)).Sub(w.Now()))
		if rep := w.sweep(); rep.Escalated != 1 {
			t.Fatalf("%d: swept %+v", step.percent, rep)
		}
		if rep := w.sweep(); rep.Escalated != 0 {
			t.Errorf("%d: told twice", step.percent)
		}
		c := w.read(id)
		if c.Handling.Told != step.percent || string(c.Level()) != step.level {
			t.Errorf("%d: told %d at %s", step.percent, c.Handling.Told, c.Level())
		}
		for _, who := range []string{district, supervisor, clerk, countyClerk} {
			if list := w.want(w.get(who, "/v1/staff/complaints"), 200, ""); !strings.Contains(list.body, id) {
				t.Errorf("%d: %s does not see it", step.percent, who)
			}
		}
	}
	last := w.Events(complaint.Partition(id))
	if e := last[len(last)-1]; e.Kind != "escalated" || e.Actor.Kind != event.System || e.Facts.Text("level") != city {
		t.Errorf("event %+v", e)
	}
}

// The most urgent is on top: danger first, then people in hardship, then by time.
func TestUrgentGoesFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	// A place without rules of its own has a module that is not about hardship.
	ordinary := w.want(w.send("POST", "account-1", "/v1/complaints", w.key(), m{"place": "511702001000", "module": "staff-conduct", "description": "窗口上班时间没有人。"}), 201, "")
	if ordinary.text("rank") != "ordinary" {
		t.Errorf("%s", ordinary.body)
	}
	w.Pass(time.Minute)
	first := w.filed("account-1", nil)
	w.Pass(time.Minute)
	second := w.filed("account-2", nil)
	w.Pass(time.Minute)
	urgent := w.filed("account-3", m{"urgent": true})
	if k := w.read(urgent).Accepting; k.At.After(w.Now().Add(24 * time.Hour)) {
		t.Errorf("urgent until %s", k.At)
	}
	list := w.want(w.get(district, "/v1/staff/complaints?limit=2"), 200, "")
	next := w.want(w.get(district, "/v1/staff/complaints?limit=2&after="+list.text("next")), 200, "")
	var ids []string
	for _, page := range []reply{list, next} {
		for _, l := range page.out["complaints"].([]any) {
			ids = append(ids, l.(m)["id"].(string))
		}
	}
	if fmt.Sprint(ids) != fmt.Sprint([]string{urgent, first, second}) || next.text("next") != "" {
		t.Errorf("order %v, want %v", ids, []string{urgent, first, second})
	}
	for _, bad := range []string{"?limit=0", "?limit=x", "?after=!", "?state=all"} {
		if r := w.get(district, "/v1/staff/complaints"+bad); r.status != 400 {
			t.Errorf("%s: %d", bad, r.status)
		}
	}
	w.want(w.get(district, "/v1/staff/complaints?division=511702001000"), 403, "not-allowed")
	w.want(w.get(district, "/v1/staff/complaints?division=x"), 403, "not-allowed")
	// Lowering the rank never makes the clock longer than it was.
	before := w.read(urgent).Accepting.At
	w.want(w.act(district, urgent, "acceptance", m{"rank": "ordinary"}), 201, "")
	if c := w.read(urgent); !c.Accepting.At.Equal(before) || c.Rank != complaint.Ordinary {
		t.Errorf("%+v", c.Accepting)
	}
}

// The regulation's own figures: 15, 60, +30, and one level up each time.
func TestPetition(t *testing.T) {
	t.Parallel()
	w := open(t)
	nobody := matter(m{"kind": "petition"})
	if r := w.send("POST", "account-1", "/v1/complaints", w.key(), nobody); r.status != 400 || r.fields != "/name" {
		t.Errorf("%d %s", r.status, r.body)
	}
	id := w.assigned("account-1", township, m{"kind": "petition"})
	c := w.read(id)
	day := func(d time.Time) string { return d.Format(time.DateOnly) }
	// 绿色通道 is quicker than the sixty days, and may be.
	if got := day(c.Accepting.At); got != "2026-12-06" {
		t.Errorf("inform by %s", got)
	}
	if c.Handling.At.After(c.AcceptedAt.AddDate(0, 0, 61)) {
		t.Errorf("handle by %s", c.Handling.At)
	}
	w.want(w.act(clerk, id, "extensions", m{"days": 31, "text": "情况复杂，需要更多时间。"}), 400, "invalid-fields")
	w.want(w.act(clerk, id, "findings", m{"outcome": "not_upheld", "text": "经查，标准计算无误。"}), 201, "")
	w.want(w.passed(id, reviewer), 201, "")
	w.want(w.act(clerk, id, "replies", m{"text": "经核实，您的救助金标准计算无误。"}), 201, "")
	first := w.read(id).Handling.At
	w.want(w.mine("account-1", id, "reopenings", m{"text": "请求复查。"}), 201, "")
	if c := w.read(id); c.Stage != complaint.Review || day(c.Reviewing.At) != "2026-12-21" || !c.Handling.At.Equal(first) {
		t.Errorf("review %+v", c.Reviewing)
	}
	w.want(w.act(district, id, "assignments", m{"division": township, "brief": brief}), 409, "complaint-review-level")
	w.want(w.act(district, id, "assignments", m{"division": sibling, "brief": brief}), 409, "complaint-review-level")
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief}), 201, "")
	w.want(w.act(countyClerk, id, "extensions", m{"days": 3, "text": "复查没有延期的规定。"}), 409, "complaint-state")
	w.want(w.act(countyClerk, id, "findings", m{"outcome": "not_upheld", "text": "复查维持原意见。"}), 201, "")
	w.want(w.passed(id, countyReviewer), 201, "")
	w.want(w.act(countyClerk, id, "replies", m{"text": "经复查，维持原处理意见。"}), 201, "")
	w.want(w.mine("account-1", id, "reopenings", m{"text": "请求复核。"}), 201, "")
	w.want(w.act(district, id, "assignments", m{"division": county, "brief": brief}), 409, "complaint-review-level")
	w.want(w.act(district, id, "assignments", m{"division": city, "brief": brief}), 201, "")
	if c := w.read(id); c.Stage != complaint.Rereview {
		t.Errorf("stage %d", c.Stage)
	}
	late := w.replied("account-2", m{"kind": "petition"})
	w.Pass(32 * 24 * time.Hour)
	w.want(w.mine("account-2", late, "reopenings", m{"text": "请求复查。"}), 409, "complaint-too-late")
}

func TestPausesAreCappedAndExtendOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.assigned("account-1", township, nil)
	first := w.read(id).Handling.At
	stop := func(days int) reply {
		return w.act(district, id, "pauses", m{"days": days, "reason": "awaiting_expert", "text": "等待医保部门出具意见。"})
	}
	w.want(w.act(clerk, id, "pauses", m{"days": 1, "reason": "awaiting_expert", "text": "等待医保部门意见。"}), 403, "not-allowed")
	w.want(stop(11), 409, "complaint-pause-cap")
	w.want(stop(4), 201, "")
	w.want(stop(1), 409, "complaint-paused")
	due := func() time.Time { c := w.read(id); _, at := c.Running(); return at }
	if got := due(); !got.Equal(first.AddDate(0, 0, 4)) {
		t.Errorf("due %s after a pause of four days from %s", got, first)
	}
	w.Pass(24 * time.Hour)
	w.want(w.act(district, id, "pauses/end", m{"text": "意见已到，恢复计时。"}), 201, "")
	w.want(w.act(district, id, "pauses/end", m{"text": "意见已到，恢复计时。"}), 409, "complaint-state")
	if got := due(); !got.Equal(first.AddDate(0, 0, 1)) {
		t.Errorf("due %s after a pause that lasted a day", got)
	}
	w.want(stop(10), 409, "complaint-pause-cap") // one of the ten is used
	w.want(w.act(clerk, id, "extensions", m{"days": 30, "text": "需要调取三年的流水。"}), 201, "")
	w.want(w.act(district, id, "extensions/answers", m{"agree": false, "text": "理由不足。"}), 201, "")
	w.want(w.act(clerk, id, "extensions", m{"days": 30, "text": "需要调取三年的银行流水。"}), 201, "")
	w.want(w.act(district, id, "extensions/answers", m{"agree": true, "text": "同意。"}), 201, "")
	if got := due(); !got.Equal(first.AddDate(0, 0, 31)) {
		t.Errorf("due %s", got)
	}
	if c := w.read(id); !c.Handling.At.Equal(first) {
		t.Errorf("the first deadline moved to %s", c.Handling.At)
	}
}

func TestSupervisionNotesAndLookBacks(t *testing.T) {
	t.Parallel()
	w := open(t)
	fresh := w.filed("account-1", nil)
	w.want(w.act(district, fresh, "supervision-notes", m{"working_days": 2, "text": "请说明进度。"}), 409, "complaint-state")
	id := w.assigned("account-1", township, nil)
	w.want(w.act(district, id, "supervision-notes", m{"working_days": 1, "text": "请说明进度。"}), 201, "")
	note := w.read(id).Notes[0]
	w.Pass(note.Due.Add(time.Second).Sub(w.Now()))
	w.sweep()
	if n := w.read(id).Notes[0]; !n.Told {
		t.Error("nobody was told that the answer is late")
	}
	w.want(w.act(clerk, id, "supervision-notes/"+note.ID+"/answers", m{"text": "正在核对流水。"}), 201, "")
	w.want(w.act(clerk, id, "supervision-notes/"+note.ID+"/answers", m{"text": "正在核对流水。"}), 409, "complaint-note-answered")
	shown := w.want(w.get(clerk, "/v1/staff/complaints/"+id), 200, "")
	if n := shown.out["supervision_notes"].([]any)[0].(m); n["late"] != true || n["answer"] == "" {
		t.Errorf("%s", shown.body)
	}

	done := w.replied("account-2", nil)
	w.want(w.act(supervisor2, id, "look-backs", m{"rectified": true, "text": "还没有答复。"}), 409, "complaint-state")
	l := w.read(done).LookBack
	w.Pass(l.Due.Sub(w.Now()))
	w.sweep()
	if !w.read(done).LookBack.Told {
		t.Error("nobody was told that the second look is due")
	}
	w.want(w.act(clerk, done, "look-backs", m{"rectified": true, "text": "已经到账。"}), 403, "complaint-same-person")
	w.want(w.act(approver, done, "look-backs", m{"rectified": true, "text": "已经到账。"}), 403, "not-allowed")
	w.want(w.act(supervisor2, done, "look-backs", m{"rectified": false, "text": "电话回访，没有到账。"}), 201, "")
	if c := w.read(done); c.State != complaint.Accepted || c.Reopened != 1 {
		t.Errorf("%+v", c)
	}
}

func TestSatisfactionIsCoarse(t *testing.T) {
	t.Parallel()
	w := open(t)
	rate := func(n int, rating string) {
		for range n {
			id := w.replied("account-1", nil)
			w.want(w.mine("account-1", id, "ratings", m{"rating": rating}), 201, "")
		}
	}
	rate(4, "dissatisfied")
	public := func() []any {
		return w.want(w.get("", "/v1/complaint-satisfaction?division="+township), 200, "").out["lines"].([]any)
	}
	if lines := public(); len(lines) != 0 {
		t.Errorf("four ratings are shown: %v", lines)
	}
	rate(1, "very_satisfied")
	lines := public()
	if len(lines) != 1 {
		t.Fatalf("%v", lines)
	}
	if l := lines[0].(m); l["ratings"] != 5.0 || l["dissatisfied"] != 4.0 || l["module"] != "困难群众救助和生活补贴管理" {
		t.Errorf("%v", l)
	}
	inner := w.want(w.get(district, "/v1/staff/complaint-figures?division="+county), 200, "").out["lines"].([]any)
	if l := inner[0].(m); l["filed"] != 5.0 || l["replied"] != 5.0 || l["late"] != 0.0 {
		t.Errorf("%v", l)
	}
	w.want(w.get(clerk, "/v1/staff/complaint-figures?division="+county), 403, "not-allowed")
	w.want(w.get(district, "/v1/staff/complaint-figures?division=x"), 403, "not-allowed")
	w.want(w.get("", "/v1/complaint-satisfaction?division=x"), 400, "complaint-place")
	w.want(w.get("", "/v1/complaint-satisfaction?division="+city+"&year=abcd"), 400, "invalid-fields")
}
