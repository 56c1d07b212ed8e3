package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// childDir, when set, makes this test binary the process that is killed.
const childDir = "DOUDI_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(3) // being killed is the only good end
	}
	goleak.VerifyTestMain(m)
}

const fundKey = "fund"

func numbered(client string, n int) []table.Write {
	it := table.Item{
		Key: table.Key{PK: "c" + client, SK: fmt.Sprintf("%08d", n)}, Version: 1, Body: []byte(strings.Repeat("x", 300)),
		Places: []table.Place{{Index: table.ByDue, PK: "due", SK: client}},
	}
	return []table.Write{
		table.Put{Item: it},
		table.Move{Key: table.Key{PK: fundKey, SK: fundKey}, Deltas: []table.Delta{{Counter: "n", By: 1}}},
	}
}

// writeUntilKilled writes from several clients and says on standard output what
// was acknowledged, and how far a consumer of the feed has come.
func writeUntilKilled(dir string) error {
	s, err := embedded.Open(dir)
	if err != nil {
		return err
	}
	ctx := context.Background()
	fund := table.Item{Key: table.Key{PK: fundKey, SK: fundKey}, Version: 1, Counters: map[string]int64{"n": 0}}
	if err := s.Transact(ctx, table.Put{Item: fund}); err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(words...)
	}
	failed := make(chan error)
	for client := range 8 {
		name := strconv.Itoa(client)
		go func() {
			for n := 0; ; n++ {
				if err := s.Transact(ctx, numbered(name, n)...); err != nil {
					failed <- err
					return
				}
				say("ack", name, n)
			}
		}()
	}
	go func() {
		for {
			changes, err := s.Next(ctx, "relay", 100)
			if err == nil {
				for _, c := range changes {
					say("seen", c.Item.Key.PK, c.Item.Key.SK, c.Item.Version)
				}
				err = s.Ack(ctx, "relay", changes[len(changes)-1].Seq)
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	return <-failed
}

// TestKill kills a writing process with SIGKILL, soon and late.
func TestKill(t *testing.T) {
	for round, until := range []int{200, 1500} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := map[string]int{} // by client: the last acknowledged
		total := 0
		seen := map[string]bool{}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			words := strings.Fields(lines.Text())
			switch {
			case len(words) == 3 && words[0] == "ack":
				n, err := strconv.Atoi(words[2])
				if err != nil {
					t.Fatal(err)
				}
				acked[words[1]] = n
				total++
			case len(words) == 4 && words[0] == "seen":
				seen[strings.Join(words[1:], " ")] = true
			}
			if total == until {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		if total < until {
			t.Fatalf("round %d: the child ended by itself after %d", round, total)
		}

		s := open(t, dir)
		stored := 0
		for client := range 8 {
			name := strconv.Itoa(client)
			last := -1
			for _, it := range all(t, s, table.Query{PK: "c" + name}) {
				if n, _ := strconv.Atoi(it.Key.SK); n != last+1 {
					t.Fatalf("client %s: %d after %d", name, n, last)
				}
				last++
			}
			if n, ok := acked[name]; ok && last < n {
				t.Errorf("round %d client %s: %d was acknowledged, %d is the last stored", round, name, n, last)
			}
			stored += last + 1
		}
		fund, _, err := s.Get(t.Context(), table.Key{PK: fundKey, SK: fundKey})
		if err != nil || fund.Counters["n"] != int64(stored) || fund.Version != int64(stored)+1 {
			t.Errorf("round %d: fund %+v (%v), want %d movements", round, fund, err, stored)
		}
		if n := len(all(t, s, table.Query{Index: table.ByDue, PK: "due"})); n != stored {
			t.Errorf("round %d: index has %d of %d", round, n, stored)
		}
		// The feed goes on: seen before or seen now, nothing is missing.
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for {
			changes, err := s.Next(ended, "relay", 500)
			if err != nil {
				t.Fatal(err)
			}
			if len(changes) == 0 {
				break
			}
			for _, c := range changes {
				seen[fmt.Sprint(c.Item.Key.PK, " ", c.Item.Key.SK, " ", c.Item.Version)] = true
			}
			if err := s.Ack(t.Context(), "relay", changes[len(changes)-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
		if want := 2*stored + 1; len(seen) != want {
			t.Errorf("round %d: the feed gave %d different changes, want %d", round, len(seen), want)
		}
	}
}

func all(t *testing.T, s table.Store, q table.Query) (items []table.Item) {
	t.Helper()
	for {
		page, err := s.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
		if q.After = page.Next; page.Next == "" {
			return items
		}
	}
}

func plain(sk string) table.Item { return table.Item{Key: table.Key{PK: "p", SK: sk}, Version: 1} }

func TestFolderIsHeldOnce(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := embedded.Open(dir); !errors.Is(err, embedded.ErrHeld) {
		t.Errorf("second Open: %v, want ErrHeld", err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	it := plain("kept")
	it.Counters = map[string]int64{"n": -3}
	it.Places = []table.Place{{Index: table.ByWork, PK: "w", SK: "1"}}
	it.Expires = time.Unix(4_102_444_800, 0).UTC()
	if err := first.Transact(t.Context(), table.Put{Item: it}, table.Put{Item: plain("other")}); err != nil {
		t.Fatal(err)
	}
	changes, err := first.Next(t.Context(), "relay", 1)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	if err := first.Ack(t.Context(), "relay", changes[0].Seq); err != nil {
		t.Fatal(err)
	}
	for range 2 { // closing twice is closing
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Transact(t.Context(), table.Put{Item: plain("late")}); !errors.Is(err, embedded.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, _, err := first.Get(t.Context(), it.Key); !errors.Is(err, embedded.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}

	again := open(t, dir)
	if got, _, err := again.Get(t.Context(), it.Key); err != nil || got.Version != 1 || got.Counters["n"] != -3 || len(got.Places) != 1 || !got.Expires.Equal(it.Expires) {
		t.Errorf("%+v %v", got, err)
	}
	if err := again.Transact(t.Context(), table.Put{Item: plain("more")}); err != nil {
		t.Fatal(err)
	}
	next, err := again.Next(t.Context(), "relay", 10)
	if err != nil || len(next) != 2 || next[0].Item.Key.SK != "other" || next[1].Item.Key.SK != "more" || next[0].Seq <= changes[0].Seq {
		t.Errorf("the feed goes on with %+v, %v", next, err)
	}
}

func both(t *testing.T, fact func(t *testing.T, open func(...embedded.Option) *embedded.Store)) {
	t.Run("memory", func(t *testing.T) { fact(t, embedded.Memory) })
	t.Run("disk", func(t *testing.T) {
		fact(t, func(opts ...embedded.Option) *embedded.Store { return open(t, t.TempDir(), opts...) })
	})
}

func TestExpired(t *testing.T) {
	both(t, func(t *testing.T, open func(...embedded.Option) *embedded.Store) {
		now := time.Unix(1_700_000_000, 0)
		s := open(embedded.Clock(func() time.Time { return now }))
		short, long := plain("short"), plain("long")
		short.Expires, long.Expires = now.Add(time.Minute), now.Add(time.Hour)
		short.Places = []table.Place{{Index: table.ByOwner, PK: "o", SK: "1"}}
		if err := s.Transact(t.Context(), table.Put{Item: short}, table.Put{Item: long}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Minute)
		if err := s.Transact(t.Context(), table.Put{Item: short}); err != nil {
			t.Errorf("putting anew what has expired: %v", err)
		}
		if n := len(all(t, s, table.Query{Index: table.ByOwner, PK: "o"})); n != 1 {
			t.Errorf("index has %d", n)
		}
		if _, found, _ := s.Get(t.Context(), long.Key); !found {
			t.Error("an item was forgotten before its time")
		}
		now = now.Add(2 * time.Hour)
		if err := s.Transact(t.Context(), table.Put{Item: plain("third")}); err != nil {
			t.Fatal(err)
		}
		if left := all(t, s, table.Query{PK: "p"}); len(left) != 1 || left[0].Key.SK != "third" {
			t.Errorf("left %+v", left)
		}
	})
}

func TestFeedIsBounded(t *testing.T) {
	both(t, func(t *testing.T, open func(...embedded.Option) *embedded.Store) {
		s := open(embedded.Spare(100))
		write := func(from, to int) {
			t.Helper()
			for n := from; n < to; n++ {
				if err := s.Transact(t.Context(), table.Put{Item: plain(fmt.Sprintf("%06d", n))}); err != nil {
					t.Fatal(err)
				}
			}
		}
		write(0, 1000)
		first, err := s.Next(t.Context(), "relay", 1)
		if err != nil || len(first) != 1 || first[0].Item.Key.SK < "000850" {
			t.Fatalf("without a consumer more than the spare changes are kept: %+v %v", first, err)
		}
		write(1000, 1300)
		got, err := s.Next(t.Context(), "relay", 1000)
		if err != nil || len(got) < 400 {
			t.Fatalf("with a consumer %d changes are kept, %v", len(got), err)
		}
		if err := s.Ack(t.Context(), "relay", got[len(got)-1].Seq); err != nil {
			t.Fatal(err)
		}
		if err := s.Forget("relay"); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if left, err := s.Next(ended, "audit", 10); err != nil || len(left) != 0 {
			t.Errorf("what every consumer acked is kept: %+v %v", left, err)
		}
		if err := s.Ack(t.Context(), "nobody", got[0].Seq); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("ack of a stranger: %v", err)
		}
	})
}

// TestSettle waits for a store that was written to, loses nothing by it, and waits
// neither longer than it may nor for one that is closed.
func TestSettle(t *testing.T) {
	t.Parallel()
	s, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fund := table.Item{Key: table.Key{PK: fundKey, SK: fundKey}, Version: 1, Counters: map[string]int64{"n": 0}}
	if err := s.Transact(t.Context(), table.Put{Item: fund}); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		if err := s.Transact(t.Context(), numbered("a", n)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if it, ok, err := s.Get(t.Context(), fund.Key); err != nil || !ok || it.Counters["n"] != 200 {
		t.Errorf("%+v %t %v", it, ok, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Settle(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with no time left: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context()); !errors.Is(err, embedded.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	memory := embedded.Memory()
	if err := errors.Join(memory.Settle(ended), memory.Close()); err != nil {
		t.Errorf("in memory: %v", err)
	}
}
