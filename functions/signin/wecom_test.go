package signin_test

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/wecom"
)

func TestStaffAreMembersOfTheOffice(t *testing.T) {
	keys := world.LocalKeys("wecom")
	w, err := world.New(world.Options{Keys: keys, Seed: "wecom"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	s := httptest.NewServer(w.Handler())
	t.Cleanup(s.Close)
	open := func(secret string) signin.StaffIdentity {
		c, err := wecom.New(wecom.Config{BaseURL: s.URL + "/wecom", CorpID: keys.WeComCorp, Secret: redact.New(secret), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return signin.WeCom{Client: c}
	}
	for code, want := range map[string]struct {
		id  string
		err error
	}{
		"staff:320400-clerk-1": {"320400-clerk-1", nil},
		"staff:clerk-1":        {"320400-clerk-1", nil},
		"guest:赵六":             {"", signin.ErrStaffRefused},
		"staff:":               {"", signin.ErrStaffRefused},
		"wx:赵六":                {"", signin.ErrStaffRefused},
	} {
		if id, err := open(keys.WeComSecret).Who(t.Context(), code, "511700"); id != want.id || !errors.Is(err, want.err) {
			t.Errorf("%s: %q, %v", code, id, err)
		}
	}
	if _, err := open("another").Who(t.Context(), "staff:clerk-1", ""); !errors.Is(err, signin.ErrStaffUnavailable) {
		t.Errorf("with a wrong secret: %v", err)
	}
}
