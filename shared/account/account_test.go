package account_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/account"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var t0 = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

type bench struct {
	store table.Store
	box   *seal.Box
	keys  *seal.KeyFile
}

func newBench(t *testing.T) bench {
	t.Helper()
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	mem := embedded.Memory()
	t.Cleanup(func() { mem.Close() })
	return bench{mem, seal.NewBox(keys, rand.Reader), keys}
}

func (b bench) open(appid, openid string) (account.Account, error) {
	return account.Open(context.Background(), b.store, b.keys.Blind(), b.box, appid, redact.New(openid), t0)
}

func TestOnePersonOfOneMiniProgramIsOneAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, err := b.open("wx1", "openid-abc")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.open("wx1", "openid-abc"); err != nil || again.ID != first.ID {
		t.Error(again.ID, err)
	}
	if other, err := b.open("wx2", "openid-abc"); err != nil || other.ID == first.ID {
		t.Error("the same openid of another mini-program is the same person")
	}
	if err := b.keys.RotateBlind(); err != nil {
		t.Fatal(err)
	}
	if again, err := b.open("wx1", "openid-abc"); err != nil || again.ID != first.ID {
		t.Error("a rotation of the key loses an account")
	}
	address, err := first.Address(t.Context(), b.box)
	if err != nil || address.Reveal() != "openid-abc" {
		t.Error(err)
	}
	item, _, err := b.store.Get(t.Context(), account.Key(first.ID))
	if err != nil || strings.Contains(string(item.Body)+item.Key.PK, "openid-abc") {
		t.Error("the openid is in the clear")
	}
}

func TestTwoSignInsAtOnceMakeOneAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		wg.Go(func() {
			a, err := b.open("wx1", "openid")
			if err != nil {
				t.Error(err)
			}
			ids[i] = a.ID
		})
	}
	wg.Wait()
	if len(slices.Compact(ids)) != 1 {
		t.Error(ids)
	}
}

// sick is a store that loses every write, after doing it or not, or every read.
type sick struct {
	table.Store
	done, blind bool
}

func (s sick) Get(ctx context.Context, k table.Key) (table.Item, bool, error) {
	if s.blind {
		return table.Item{}, false, errors.New("no answer")
	}
	return s.Store.Get(ctx, k)
}

func (s sick) Transact(ctx context.Context, w ...table.Write) error {
	if s.done {
		_ = s.Store.Transact(ctx, w...)
	}
	return table.ErrUnknown
}

func TestALostAnswerIsRead(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		b := newBench(t)
		b.store = sick{Store: b.store, done: done}
		_, err := b.open("wx1", "openid")
		if done && err != nil || !done && !errors.Is(err, account.ErrBusy) {
			t.Errorf("stored %v: %v", done, err)
		}
	}
	b := newBench(t)
	b.store = sick{Store: b.store, blind: true}
	if _, err := b.open("wx1", "openid"); !errors.Is(err, account.ErrBusy) {
		t.Error(err)
	}
}

func TestCreditsAndQuotas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a, err := b.open("wx1", "openid")
	if err != nil {
		t.Fatal(err)
	}
	full := a.Accept("paid", "paid", "accepted")
	if len(a.Accepted()) != 0 || !slices.Equal(full.Accepted(), []string{"accepted", "paid"}) {
		t.Error("credits leak into the original, or are lost")
	}
	one, ok := full.Spend("paid", false)
	if !ok || one.Credits["paid"] != 1 || full.Credits["paid"] != 2 {
		t.Error(one.Credits)
	}
	last, ok := one.Spend("paid", false)
	if !ok || !slices.Equal(last.Accepted(), []string{"accepted"}) {
		t.Errorf("the last message agreed to: %t, then %v", ok, last.Accepted())
	}
	none, ok := full.Spend("paid", true)
	if _, again := none.Spend("paid", false); !ok || again {
		t.Error("spends what WeChat took away")
	}
	for range 2 * account.MaxCredits {
		full = full.Accept("paid")
	}
	if full.Credits["paid"] != account.MaxCredits {
		t.Error(full.Credits)
	}
	day := civil.Date(2026, 11, 23)
	for i := 1; i <= 3; i++ {
		var n int
		if a, n, err = a.File(day, "self", 3); err != nil || n != i {
			t.Fatal(n, err)
		}
	}
	if _, _, err := a.File(day, "self", 3); !errors.Is(err, account.ErrQuota) {
		t.Error(err)
	}
	if _, n, err := a.File(day, "relative", 3); err != nil || n != 1 {
		t.Error("one relation uses up another's quota")
	}
	if _, n, err := a.File(day.AddDays(1), "self", 3); err != nil || n != 1 {
		t.Error("the quota does not end with the day")
	}
	w, err := a.Replace()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Transact(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if back, err := account.Get(t.Context(), b.store, a.ID); err != nil || back.Filed["self"] != 3 || back.Day != day || back.Version != 2 {
		t.Errorf("%+v %v", back, err)
	}
	if err := b.store.Transact(t.Context(), w); err == nil {
		t.Error("an old version replaces a new one")
	}
}
