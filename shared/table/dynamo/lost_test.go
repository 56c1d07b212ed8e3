package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/tabletest"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

// fate is what the wire does to one write request.
type fate int

const (
	arrives    fate = iota
	lostBefore      // the engine never sees it
	lostAfter       // the engine carries it out, the answer is cut off
)

// wire forwards to an engine and cuts connections. Reads pass untouched.
type wire struct {
	engine string
	mu     sync.Mutex
	fates  []fate // of the next writes; then arrives
	always fate
	sent   int
	after  func() // runs once, after the first write whose answer is lost was carried out or dropped
}

func (w *wire) next() (f fate, after func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	f = w.always
	if len(w.fates) > 0 {
		f, w.fates = w.fates[0], w.fates[1:]
	}
	if f != arrives {
		after, w.after = w.after, nil
	}
	return f, after
}

func (w *wire) attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	f, after := arrives, func() {}
	if target := r.Header.Get("X-Amz-Target"); strings.HasSuffix(target, ".PutItem") || strings.HasSuffix(target, ".TransactWriteItems") {
		if g, then := w.next(); then != nil {
			f, after = g, then
		} else {
			f = g
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if f == lostBefore {
		after()
		panic(http.ErrAbortHandler) // cuts the connection
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, w.engine, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || f == lostAfter {
		after()
		panic(http.ErrAbortHandler)
	}
	for name, values := range resp.Header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(resp.StatusCode)
	_, _ = rw.Write(answer) // the client may be gone
}

func atOnce(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// lostAnswers holds the store to one promise: whatever the wire does, a write is
// booked once, and what is answered is true.
func lostAnswers(t *testing.T, e engine.Engine) {
	name := fresh(t, e.URL, noStream)
	direct := dynamo.New(client(e.URL), name, ident.Random())

	type world struct {
		fund, thing, entry table.Item
	}
	put := func(w world) []table.Write { return []table.Write{table.Put{Item: w.entry}} }
	replace := func(w world) []table.Write {
		next := w.thing.Clone()
		next.Version, next.Body = 2, []byte("second")
		return []table.Write{table.Replace{Item: next}}
	}
	move := func(w world) []table.Write {
		return []table.Write{table.Put{Item: w.entry}, table.Move{Key: w.fund.Key, Deltas: []table.Delta{{Counter: "open", By: -60}}}}
	}
	// Somebody else is quicker.
	otherEntry := func(w world) []table.Write {
		other := w.entry.Clone()
		other.Body = []byte("theirs")
		return []table.Write{table.Put{Item: other}}
	}
	nextEntry := func(w world) []table.Write {
		next := w.entry.Clone()
		next.Version, next.Body = 2, []byte("theirs")
		return []table.Write{table.Replace{Item: next}}
	}
	otherReplace := func(w world) []table.Write {
		other := w.thing.Clone()
		other.Version, other.Body = 2, []byte("theirs")
		return []table.Write{table.Replace{Item: other}}
	}
	nextReplace := func(w world) []table.Write {
		next := w.thing.Clone()
		next.Version, next.Body = 3, []byte("theirs")
		return []table.Write{table.Replace{Item: next}}
	}
	emptyFund := func(w world) []table.Write {
		j := w.entry.Clone()
		j.Key.SK = "other"
		return []table.Write{table.Put{Item: j}, table.Move{Key: w.fund.Key, Deltas: []table.Delta{{Counter: "open", By: -60}}}}
	}

	allSince := func(w world) []table.Write {
		j := w.entry.Clone()
		j.Key.SK = "other"
		return append(nextEntry(w), table.Put{Item: j}, table.Move{Key: w.fund.Key, Deltas: []table.Delta{{Counter: "open", By: 10}}})
	}

	const ours, refused, unknown = "ours", "refused", "unknown"
	for _, c := range []struct {
		name     string
		writes   func(world) []table.Write
		fates    []fate
		between  func(world) []table.Write // written by somebody else once the answer is lost
		answer   string
		attempts int
		fund     int64 // what is left of 100
	}{
		{"put_arrives", put, nil, nil, ours, 1, 100},
		{"put_lost_but_stored", put, []fate{lostAfter}, nil, ours, 2, 100},
		{"put_lost_and_not_stored", put, []fate{lostBefore}, nil, ours, 2, 100},
		{"put_lost_three_times", put, []fate{lostAfter, lostBefore, lostAfter}, nil, ours, 4, 100},
		{"put_lost_and_somebody_puts_the_same", put, []fate{lostBefore}, otherEntry, refused, 2, 100},
		{"put_lost_but_stored_and_replaced_since", put, []fate{lostAfter}, nextEntry, unknown, 2, 100},
		{"replace_lost_but_stored", replace, []fate{lostAfter}, nil, ours, 2, 100},
		{"replace_lost_and_not_stored", replace, []fate{lostBefore}, nil, ours, 2, 100},
		{"replace_lost_and_somebody_replaces", replace, []fate{lostBefore}, otherReplace, refused, 2, 100},
		{"replace_lost_but_stored_and_replaced_since", replace, []fate{lostAfter}, nextReplace, unknown, 2, 100},
		{"move_arrives", move, nil, nil, ours, 1, 40},
		{"move_lost_but_stored", move, []fate{lostAfter}, nil, ours, 2, 40},
		{"move_lost_and_not_stored", move, []fate{lostBefore}, nil, ours, 2, 40},
		{"move_lost_three_times", move, []fate{lostAfter, lostAfter, lostBefore}, nil, ours, 4, 40},
		{"move_lost_and_somebody_puts_the_entry", move, []fate{lostBefore}, otherEntry, refused, 2, 100},
		{"move_lost_but_stored_and_the_fund_moved_since", move, []fate{lostAfter}, nextEntry, ours, 2, 40},
		{"move_lost_but_stored_and_all_written_since", move, []fate{lostAfter}, allSince, ours, 2, 50},
		{"move_lost_and_the_fund_is_emptied", move, []fate{lostBefore}, emptyFund, unknown, 2, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			pk := ident.Random().New()
			item := func(sk string) table.Item {
				return table.Item{Key: table.Key{PK: pk, SK: sk}, Version: 1, Body: []byte("first")}
			}
			w := world{fund: item("fund"), thing: item("thing"), entry: item("entry")}
			w.fund.Counters = map[string]int64{"open": 100}
			if err := direct.Transact(t.Context(), table.Put{Item: w.fund}, table.Put{Item: w.thing}); err != nil {
				t.Fatal(err)
			}
			line := &wire{engine: e.URL, fates: c.fates}
			if c.between != nil {
				line.after = func() {
					if err := direct.Transact(context.WithoutCancel(t.Context()), c.between(w)...); err != nil {
						t.Errorf("somebody else: %v", err)
					}
				}
			}
			server := httptest.NewServer(line)
			defer server.Close()
			store := dynamo.New(client(server.URL), name, ident.Random(), dynamo.Sleep(atOnce))

			err := store.Transact(t.Context(), c.writes(w)...)
			got := ours
			if _, ok := errors.AsType[*table.ConditionError](err); ok {
				got = refused
			} else if errors.Is(err, table.ErrUnknown) {
				got = unknown
			} else if err != nil {
				got = err.Error()
			}
			if got != c.answer || line.attempts() != c.attempts {
				t.Errorf("answer %s after %d attempts (%v), want %s after %d", got, line.attempts(), err, c.answer, c.attempts)
			}
			fund, _, err := direct.Get(t.Context(), w.fund.Key)
			if err != nil || fund.Counters["open"] != c.fund {
				t.Errorf("fund %d (%v), want %d", fund.Counters["open"], err, c.fund)
			}
			for _, write := range c.writes(w) {
				var mine table.Item
				switch write := write.(type) {
				case table.Put:
					mine = write.Item
				case table.Replace:
					mine = write.Item
				default:
					continue
				}
				stored, _, err := direct.Get(t.Context(), mine.Key)
				if err != nil {
					t.Fatal(err)
				}
				if c.between == nil && !tabletest.Same(stored, mine) {
					t.Errorf("stored %+v, want %+v", stored, mine)
				}
			}
		})
	}

	t.Run("every_answer_lost_is_unknown", func(t *testing.T) {
		line := &wire{engine: e.URL, always: lostBefore}
		server := httptest.NewServer(line)
		defer server.Close()
		store := dynamo.New(client(server.URL), name, ident.Random(), dynamo.Sleep(atOnce), dynamo.Attempts(3))
		err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: "p", SK: "s"}, Version: 1}})
		if !errors.Is(err, table.ErrUnknown) || line.attempts() != 3 {
			t.Errorf("answer %v after %d attempts", err, line.attempts())
		}
	})
	t.Run("an_engine_that_is_not_there_is_busy", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		store := dynamo.New(client(server.URL), name, ident.Random(), dynamo.Sleep(atOnce), dynamo.Attempts(3))
		err := store.Transact(t.Context(), table.Put{Item: table.Item{Key: table.Key{PK: "p", SK: "s"}, Version: 1}})
		if !errors.Is(err, table.ErrBusy) || errors.Is(err, table.ErrUnknown) {
			t.Errorf("answer %v", err)
		}
	})
}
