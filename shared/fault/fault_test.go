package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestTablesAreTotal(t *testing.T) {
	for _, k := range Kinds() {
		if _, ok := statuses[k]; !ok {
			t.Errorf("kind %s has no status", k)
		}
		if _, ok := dispositions[k]; !ok {
			t.Errorf("kind %s has no disposition", k)
		}
	}
	if len(statuses) != len(Kinds()) || len(dispositions) != len(Kinds()) {
		t.Errorf("a table names a kind that Kinds does not: %d statuses, %d dispositions, %d kinds", len(statuses), len(dispositions), len(Kinds()))
	}
}

func TestOf(t *testing.T) {
	sentinel := New(Conflict, "moved", "变了", "moved")
	wrapped := fmt.Errorf("claim: %w", sentinel.Because(errors.New("version 3")))
	if got := Of(wrapped); got.Code != "moved" || got.Kind.Status() != 409 {
		t.Errorf("Of(wrapped) = %v", got)
	}
	if !errors.Is(wrapped, sentinel) {
		t.Error("a copy with a cause no longer matches its sentinel")
	}
	if got := Of(errors.New("dial tcp: secret")); got.Kind != Internal || got.Title == "" {
		t.Errorf("Of(unknown) = %+v", got)
	}
	if Of(nil) != nil {
		t.Error("Of(nil) is not nil")
	}
	if Kind("other").Status() != 500 || Kind("other").Disposition() != Redeliver {
		t.Error("an unknown kind must be a 500 that comes back")
	}
}

func TestWithDoesNotShareFields(t *testing.T) {
	base := New(Invalid, "x", "x", "x").With(Field{Pointer: "/a"})
	one, two := base.With(Field{Pointer: "/b"}), base.With(Field{Pointer: "/c"})
	if one.Fields[1].Pointer != "/b" || two.Fields[1].Pointer != "/c" || len(base.Fields) != 1 {
		t.Errorf("fields leaked between copies: %v %v %v", base.Fields, one.Fields, two.Fields)
	}
	var fs Fields
	if fs.Err() != nil {
		t.Error("no field, but an error")
	}
	fs.Add("/x", "required", "请填写")
	if !errors.Is(fs.Err(), ErrFields) {
		t.Error("fields lost their sentinel")
	}
	if e := fs.Err().(*Error).After(5); e.RetryAfter != 5 || ErrFields.RetryAfter != 0 {
		t.Error("After changed the sentinel")
	}
}
