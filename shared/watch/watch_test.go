package watch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/reading"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/watch"
)

// Nothing that somebody typed is in the record: a query, or a path that is no id
// of ours, may hold somebody's number.
func TestWhatSomebodyTypedIsNotInTheRecord(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	look := watch.Over(o.Store, o.Now)
	const number, phone = "320402199001011234", "138000138001"
	for who, refused := range map[string]*fault.Error{"320400-supervisor-1": nil, "320400-auditor-1": fault.New(fault.NotFound, "absent", "无", "None")} {
		err := look(t.Context(), httpapi.Request{Principal: session.Principal{Kind: session.Staff, ID: who}, Operation: "GET /v1/x/{id}/{name}",
			PathValues: map[string]string{"id": number, "name": "张三", "case": o.IDs.New()}, Trace: "t",
			QueryValues: map[string]string{"q": "张三", "phone": phone, "division": "320402"}}, nil, refused)
		if err != nil {
			t.Fatal(err)
		}
		all := o.Events(reading.By(who))
		if len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		if text := fmt.Sprintf("%+v", all[0]); strings.Contains(text, number) || strings.Contains(text, "张三") || strings.Contains(text, phone) {
			t.Errorf("in the record: %s", text)
		}
		e := all[0]
		if e.Facts.Text("asked") != "division phone q" || e.Facts.Text("of_case") == "" || (refused == nil) != (e.Facts.Text("of_division") == "320402000000") ||
			e.Actor.ID != who || e.Actor.Person == "" || e.Trace != "t" {
			t.Errorf("the record says too little: %+v", e)
		}
	}
}

// A post that has ended supervises nothing any more; whoever is not known cannot
// be written down, and so sees nothing.
func TestWhoIsWatched(t *testing.T) {
	t.Parallel()
	o := firstaidtest.New(t)
	look := watch.Over(o.Store, o.Now)
	ask := func(who string, shown ...httpapi.Shown) error {
		return look(t.Context(), httpapi.Request{Principal: session.Principal{Kind: session.Staff, ID: who}, Operation: "GET /v1/x"}, shown, nil)
	}
	if err := ask("nobody"); !errors.Is(err, reading.ErrUnrecorded) {
		t.Errorf("a stranger looks: %v", err)
	}
	if err := ask("320400-clerk-1"); err != nil || len(o.Events(reading.By("320400-clerk-1"))) != 0 {
		t.Errorf("a list of a clerk is in the record: %v", err)
	}
	shown := httpapi.Shown{Case: "c", Fields: []string{"name"}, Role: "clerk", Office: "x", Purpose: "handle", Whole: true, Reason: "other"}
	if err := ask("320400-clerk-1", shown, httpapi.Shown{Case: "d", Fields: []string{"name"}}); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"c", "d"} {
		if got := o.Events(reading.Of(of)); len(got) != 1 || got[0].Actor.Kind != event.Staff || !got[0].At.Equal(o.Now()) {
			t.Errorf("%s: %+v", of, got)
		}
	}
	o.Pass(time.Hour)
	if err := ask("320400-auditor-1"); err != nil || len(o.Events(reading.By("320400-auditor-1"))) != 1 {
		t.Errorf("an auditor asks unseen: %v", err)
	}
}
