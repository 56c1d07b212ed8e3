package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/table"
)

// unreached is an application whose people no channel could tell of what happened.
func (w *world) unreached() (id string, n notice.Notice) {
	w.T.Helper()
	id = w.Verify(w.Apply(w.Person()).ID).ID
	a := w.Read(id)
	put, err := notice.Owe(notice.Accepted, a.Event("verified", system, w.Now()))
	if err == nil {
		err = w.Store.Transact(w.T.Context(), put)
	}
	if err == nil {
		n, err = notice.Decode(put.(table.Put).Item)
	}
	if err == nil {
		n = n.GiveUp(string(a.Township))
		var writes []table.Write
		if writes, err = n.Replace(system, w.Now()); err == nil {
			err = w.Store.Transact(w.T.Context(), writes...)
		}
	}
	if err != nil {
		w.T.Fatal(err)
	}
	return id, n
}

// calls are the tasks to call somebody, as who sees them.
func (w *world) calls(who string) (all []m) {
	w.T.Helper()
	r := w.get(who, "/v1/staff/tasks")
	w.want(r, 200, "")
	for _, t := range r.tasks() {
		if t["kind"] == "notice" {
			all = append(all, t)
		}
	}
	return all
}

func TestWhomNoMessageReachedIsCalled(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, n := w.unreached()
	tasks := w.calls(clerk)
	if len(tasks) != 1 || tasks[0]["application"] != id || tasks[0]["id"] != n.ID || tasks[0]["mine"] != true || tasks[0]["next_action"] != "call" ||
		tasks[0]["state_label"] != "通知未送达：已受理" || tasks[0]["next_action_label"] == "" || tasks[0]["division"] != string(firstaidtest.Township) {
		t.Fatalf("tasks %v", tasks)
	}
	if tasks := w.calls(finance); len(tasks) != 1 || tasks[0]["mine"] != false {
		t.Errorf("finance sees %v", tasks)
	}
	said := m{"notice": n.ID, "reached": true, "note": "本人接听，已告知。"}
	w.want(w.post(finance, id, "calls", said), 403, "not-allowed")
	w.want(w.post(clerk3, id, "calls", said), 404, "application-not-found")
	w.want(w.post(clerk, id, "calls", m{"notice": n.ID, "note": "本人接听。"}), 400, "invalid-fields")
	w.want(w.post(clerk, id, "calls", m{"notice": "accepted#application#other#1", "reached": true, "note": "本人接听。"}), 404, "notice-not-found")
	r := w.post(clerk, id, "calls", said)
	w.want(r, 201, "")
	if r.text("notice_state") != "told" || r.number("calls") != 1 || len(w.calls(clerk)) != 0 {
		t.Errorf("%s, tasks %v", r.body, w.calls(clerk))
	}
	w.want(w.post(clerk2, id, "calls", said), 409, "notice-state")
	w.told(id, "notice.told by "+clerk, "application.called by "+clerk)
	if page := w.get(clerk, "/v1/staff/applications/"+id); !strings.Contains(page.body, "本人接听，已告知。") {
		t.Error("what the clerk wrote is not shown to colleagues")
	}
}

// A call that nobody answers leaves the task where it is, for the next day; it
// does not pretend that the person knows. The last of three ends it.
func TestACallThatNobodyAnswersIsNotTelling(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, n := w.unreached()
	for i, state := range []string{"unsent", "unsent", "untold"} {
		before := w.calls(clerk)
		if len(before) != 1 {
			t.Fatalf("call %d: tasks %v", i, before)
		}
		r := w.post([]string{clerk, clerk2}[i%2], id, "calls", m{"notice": n.ID, "reached": false, "note": "无人接听。"})
		w.want(r, 201, "")
		if r.text("notice_state") != state || r.number("calls") != int64(i+1) {
			t.Errorf("call %d: %s", i, r.body)
		}
		if after := w.calls(clerk); state == "unsent" && (len(after) != 1 || after[0]["deadline"].(m)["at"] != w.Now().AddDate(0, 0, 1).Format(time.RFC3339)) {
			t.Errorf("call %d: again %v", i, after)
		}
		w.Pass(time.Hour)
	}
	if left := w.calls(clerk); len(left) != 0 {
		t.Errorf("still asked to call: %v", left)
	}
	w.want(w.post(clerk, id, "calls", m{"notice": n.ID, "reached": true, "note": "回电。"}), 409, "notice-state")
	w.told(id, "notice.called by "+clerk, "notice.untold by "+clerk)
}

// told fails unless all of these events stand in the partition of id.
func (w *world) told(id string, want ...string) {
	w.T.Helper()
	var all []string
	for _, e := range w.Events(application.Partition(id)) {
		if e.Actor.Kind == event.Staff {
			all = append(all, e.Noun+"."+e.Kind+" by "+e.Actor.ID)
		}
	}
	for _, one := range want {
		if !strings.Contains(strings.Join(all, "\n"), one) {
			w.T.Errorf("no event %s in %v", one, all)
		}
	}
}
