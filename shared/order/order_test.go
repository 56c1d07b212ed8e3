package order_test

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/order"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var (
	at    = time.Date(2026, 11, 20, 9, 0, 0, 0, calendar.Zone)
	asked = event.Actor{Kind: event.Staff, ID: "a", Person: "p"}
	done  = event.Actor{Kind: event.Staff, ID: "b", Person: "q"}
)

func store(t *testing.T, s table.Store, o order.Order, kind string, by event.Actor) order.Order {
	t.Helper()
	writes, err := o.Writes(kind, by, at)
	if err == nil {
		err = s.Transact(t.Context(), writes...)
	}
	if err == nil {
		o, err = order.Get(t.Context(), s, o.Application, o.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// An order is a task until it is done, is done once, and each version has its event.
func TestAnOrderIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := embedded.Memory()
	a := application.Application{ID: "app", Township: "320402005000"}
	tasks := func() int {
		t.Helper()
		page, err := s.Query(t.Context(), table.Query{Index: table.ByWork, PK: application.WorkList(a.Township)})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items)
	}
	for i, kind := range order.Kinds() {
		o := store(t, s, order.New(string(kind), a, "01", kind, asked, at), "asked", asked)
		if tasks() != 1 || o.State != order.Open || !order.Is(order.Key("app", o.ID)) {
			t.Errorf("%s: %+v, %d tasks", kind, o, tasks())
		}
		if !o.Due.Equal(at.AddDate(0, 0, 1)) {
			t.Errorf("%s is due at %v, not a day after %v", kind, o.Due, at)
		}
		o, err := o.Complete(done)
		if err != nil {
			t.Fatal(err)
		}
		o = store(t, s, o, "completed", done)
		if tasks() != 0 || o.State != order.Done || *o.Done != done || o.Asked != asked || o.Version != 2 {
			t.Errorf("%s: %+v, %d tasks", kind, o, tasks())
		}
		if _, err := o.Complete(done); !errors.Is(err, order.ErrDone) {
			t.Errorf("%s done twice: %v", kind, err)
		}
		page, err := s.Query(t.Context(), table.Query{PK: application.Partition("app")}.Prefix(event.Prefix))
		if err != nil || len(page.Items) != 2*(i+1) {
			t.Errorf("%d events %v", len(page.Items), err)
		}
	}
	if _, err := order.Get(t.Context(), s, "app", "none"); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := order.Decode(table.Item{Body: []byte("{")}); err == nil {
		t.Error("a broken order was read")
	}
}

// P02: the account opens only in the order it was given for.
func TestAnAccountIsSealedToItsOrder(t *testing.T) {
	t.Parallel()
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	box := seal.NewBox(keys, rand.Reader)
	account, err := civil.ParseAccount("6299990000000000017")
	if err != nil {
		t.Fatal(err)
	}
	s := embedded.Memory()
	o, err := order.New("one", application.Application{ID: "app"}, "01", order.Payee, asked, at).WithAccount(t.Context(), box, keys.Blind(), account)
	if err != nil {
		t.Fatal(err)
	}
	o = store(t, s, o, "asked", asked)
	if got, err := o.OpenAccount(t.Context(), box); err != nil || got != account {
		t.Errorf("got %v %v", got, err)
	}
	page, err := s.Query(t.Context(), table.Query{PK: application.Partition("app")})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		if strings.Contains(string(item.Body), account.Reveal()) {
			t.Errorf("%s holds the account in the clear", item.Key.SK)
		}
	}
	o.ID = "two"
	if _, err := o.OpenAccount(t.Context(), box); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("an account opens in another order: %v", err)
	}
}
