package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
)

// script answers writes with one error after the other and then with success.
// No engine here shows conflicts or throttling, so these are made up, as AWS
// documents them.
type script struct {
	dynamo.Client
	errors []error
	tokens []string
}

func (s *script) next(token string) error {
	s.tokens = append(s.tokens, token)
	if len(s.errors) == 0 {
		return nil
	}
	err := s.errors[0]
	s.errors = s.errors[1:]
	return err
}

func (s *script) JSONOnce(_ context.Context, _ awscall.Service, operation string, in, _ any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var sent struct {
		ClientRequestToken string
		Item               map[string]dynamo.Value
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		return err
	}
	if operation == "PutItem" {
		return s.next(*sent.Item["tx"].S)
	}
	return s.next(sent.ClientRequestToken)
}

func refused(code string) error {
	return &awscall.Error{Service: "dynamodb", Code: code, Status: 400, Detail: []byte("{}")}
}

func canceled(codes ...string) error {
	type reason struct{ Code string }
	var said struct{ CancellationReasons []reason }
	for _, c := range codes {
		said.CancellationReasons = append(said.CancellationReasons, reason{c})
	}
	raw, _ := json.Marshal(said) // strings always marshal
	return &awscall.Error{Service: "dynamodb", Code: "TransactionCanceledException", Status: 400, Detail: raw}
}

func times(n int, err error) []error {
	var all []error
	for range n {
		all = append(all, err)
	}
	return all
}

func TestRepeat(t *testing.T) {
	server := &awscall.Error{Service: "dynamodb", Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable}
	conflict := canceled("None", "TransactionConflict")
	for _, c := range []struct {
		name     string
		errors   []error
		single   bool
		want     error // nil: applied
		attempts int
	}{
		{"conflict_storm_ends", times(6, conflict), false, nil, 7},
		{"conflict_storm_does_not_end", times(20, conflict), false, table.ErrBusy, 8},
		{"single_conflicts_with_a_transaction", times(3, refused("TransactionConflictException")), true, nil, 4},
		{"throttled_in_a_transaction", times(2, canceled("ThrottlingError", "None")), false, nil, 3},
		{"throttled", times(20, refused("ProvisionedThroughputExceededException")), true, table.ErrBusy, 8},
		{"throttled_by_code", times(1, refused("ThrottlingException")), true, nil, 2},
		{"still_in_progress", times(2, refused("TransactionInProgressException")), false, nil, 3},
		{"in_progress_for_ever", times(20, refused("TransactionInProgressException")), false, table.ErrUnknown, 8},
		{"server_error_then_busy", append(times(1, server), times(20, conflict)...), false, table.ErrUnknown, 8},
		{"server_error", times(1, server), true, nil, 2},
		{"condition_beside_a_conflict", []error{canceled("ConditionalCheckFailed", "TransactionConflict")}, false, &table.ConditionError{}, 1},
		{"refused_for_its_form", []error{refused("ValidationException")}, true, table.ErrInvalid, 1},
		{"cancelled_for_its_form", []error{canceled("None", "ValidationError")}, false, table.ErrInvalid, 1},
		{"not_allowed", []error{refused("AccessDeniedException")}, true, errOther, 1},
		{"lost_then_not_allowed", []error{server, refused("ExpiredTokenException")}, true, table.ErrUnknown, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine := &script{errors: c.errors}
			var pauses []time.Duration
			store := dynamo.New(engine, "t", ident.Random(), dynamo.Sleep(func(_ context.Context, d time.Duration) error {
				pauses = append(pauses, d)
				return nil
			}))
			writes := []table.Write{table.Put{Item: table.Item{Key: table.Key{PK: "p", SK: "s"}, Version: 1}}}
			if !c.single {
				writes = append(writes, table.Check{Key: table.Key{PK: "p", SK: "absent"}})
			}
			err := store.Transact(t.Context(), writes...)
			if !answers(err, c.want) {
				t.Errorf("answer %v, want %v", err, c.want)
			}
			if len(engine.tokens) != c.attempts {
				t.Errorf("%d attempts, want %d", len(engine.tokens), c.attempts)
			}
			for i, token := range engine.tokens {
				if token != engine.tokens[0] || !ident.Valid(token) {
					t.Errorf("attempt %d has token %q, the first has %q", i, token, engine.tokens[0])
				}
			}
			for _, d := range pauses {
				if d < 0 || d > time.Second {
					t.Errorf("pause of %v", d)
				}
			}
		})
	}
}

// errOther stands for any error that is none of table's own.
var errOther = errors.New("other")

func answers(err, want error) bool {
	_, refused := errors.AsType[*table.ConditionError](err)
	_, wantRefused := errors.AsType[*table.ConditionError](want)
	known := errors.Is(err, table.ErrUnknown) || errors.Is(err, table.ErrBusy) || errors.Is(err, table.ErrInvalid)
	switch {
	case want == nil:
		return err == nil
	case wantRefused:
		return refused
	case want == errOther:
		return err != nil && !known && !refused
	}
	return errors.Is(err, want)
}

func TestContextEndsWhileRepeating(t *testing.T) {
	for _, c := range []struct {
		first error
		want  error
	}{
		{canceled("TransactionConflict"), table.ErrBusy},
		{fmt.Errorf("read: %w", http.ErrServerClosed), table.ErrUnknown},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		engine := &script{errors: times(9, c.first)}
		store := dynamo.New(engine, "t", ident.Random(), dynamo.Sleep(func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		}))
		err := store.Transact(ctx, table.Put{Item: table.Item{Key: table.Key{PK: "p", SK: "s"}, Version: 1}}, table.Check{Key: table.Key{PK: "p", SK: "t"}})
		if !errors.Is(err, c.want) || len(engine.tokens) != 1 {
			t.Errorf("answer %v after %d attempts, want %v after 1", err, len(engine.tokens), c.want)
		}
	}
}

// lagging is an index that is behind the table, as DynamoDB's may be, and a
// batch that comes in pieces.
type lagging struct {
	dynamo.Client
	index []map[string]dynamo.Value
	items map[string]map[string]dynamo.Value // by sk
	asked int
}

func (l *lagging) JSON(_ context.Context, _ awscall.Service, operation string, in, out any) error {
	answer := func(v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, out)
	}
	if operation == "Query" {
		return answer(map[string]any{"Items": l.index})
	}
	l.asked++
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	type some struct{ Keys []map[string]dynamo.Value }
	var asks struct{ RequestItems map[string]some }
	if err := json.Unmarshal(raw, &asks); err != nil {
		return err
	}
	keys := asks.RequestItems["t"].Keys
	found := map[string][]map[string]dynamo.Value{}
	if item, ok := l.items[*keys[0]["sk"].S]; ok {
		found["t"] = append(found["t"], item)
	}
	left := map[string]some{}
	if len(keys) > 1 {
		left["t"] = some{keys[1:]}
	}
	return answer(map[string]any{"Responses": found, "UnprocessedKeys": left})
}

func TestIndexBehindTheTable(t *testing.T) {
	s := func(v string) dynamo.Value { return dynamo.Value{S: &v} }
	three := "3"
	stored := func(sk, due string) map[string]dynamo.Value {
		a := map[string]dynamo.Value{"pk": s("p"), "sk": s(sk), "v": {N: &three}, "tx": s("x")}
		if due != "" {
			a["duepk"], a["duesk"] = s("d"), s(due)
		}
		return a
	}
	entry := func(sk, due string) map[string]dynamo.Value {
		return map[string]dynamo.Value{"pk": s("p"), "sk": s(sk), "duepk": s("d"), "duesk": s(due)}
	}
	l := &lagging{
		index: []map[string]dynamo.Value{entry("stays", "1"), entry("left", "2"), entry("moved", "3"), entry("forgotten", "4"), entry("last", "5")},
		items: map[string]map[string]dynamo.Value{"stays": stored("stays", "1"), "left": stored("left", ""), "moved": stored("moved", "9"), "last": stored("last", "5")},
	}
	store := dynamo.New(l, "t", ident.Random(), dynamo.Sleep(func(context.Context, time.Duration) error { return nil }))
	page, err := store.Query(t.Context(), table.Query{Index: table.ByDue, PK: "d"})
	if err != nil || len(page.Items) != 2 || page.Items[0].Key.SK != "stays" || page.Items[1].Key.SK != "last" || l.asked != 5 {
		t.Errorf("%d items %+v after %d batches, %v; want those that still stand there", len(page.Items), page.Items, l.asked, err)
	}
}
