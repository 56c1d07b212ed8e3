package lambdaqueue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/lambdaqueue"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func config(logs *bytes.Buffer) lambdaqueue.Config {
	return lambdaqueue.Config{Logger: telemetry.NewLogger(logs, nil), Metrics: telemetry.NewEMF(logs, "T", func() time.Time { return now }), Now: func() time.Time { return now }, Reserve: 2 * time.Second}
}

func recorded[T any](t *testing.T, name string) (e T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBatchReportsExactlyWhatFailed(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	var got []string
	h := lambdaqueue.Batch(config(&logs), func(ctx context.Context, m queue.Message) error {
		got = append(got, fmt.Sprintf("%s %s %s attempt %d hops %d trace %s/%s", m.Queue, m.ID, m.Body, m.Attempt, m.Hops, m.Trace, telemetry.Trace(ctx)))
		switch string(m.Body) {
		case `{"do":"later"}`:
			return fault.New(fault.Unavailable, "x-later", "x", "x")
		case `{"do":"never"}`:
			return fault.New(fault.Invalid, "x-never", "x", "x")
		case `{"do":"unknown"}`:
			return fault.New(fault.Indeterminate, "x-unknown", "x", "x")
		case `{"do":"panic"}`:
			panic("canary")
		}
		return nil
	})
	out, err := h(t.Context(), recorded[events.SQSEvent](t, "sqs.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(out)
	// m-6 has made too many hops, m-7 a hop count that is none: they are not run.
	if want := `{"batchItemFailures":[{"itemIdentifier":"m-2"},{"itemIdentifier":"m-3"},{"itemIdentifier":"m-5"},{"itemIdentifier":"m-6"},{"itemIdentifier":"m-7"}]}`; string(raw) != want {
		t.Errorf("got %s", raw)
	}
	if len(got) != 5 || got[0] != `doudi-pay m-1 {"do":"now"} attempt 3 hops 2 trace t-1/t-1` || got[1] != `doudi-pay m-2 {"do":"later"} attempt 1 hops 0 trace /` {
		t.Errorf("got %q", got)
	}
	for _, want := range []string{`"x-later"`, `"x-never"`, `"x-unknown"`, `"MessageParked":1`, `"too-many-hops"`} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, logs.String())
		}
	}
	if strings.Contains(logs.String(), "canary") {
		t.Error("the panic was quoted")
	}
}

func TestNothingIsBegunAtTheEndOfTheInvocation(t *testing.T) {
	t.Parallel()
	for left, begun := range map[time.Duration]int{2 * time.Second: 7, 2*time.Second - 1: 0} {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
		defer cancel()
		end, _ := ctx.Deadline()
		cfg := config(&bytes.Buffer{})
		cfg.Now = func() time.Time { return end.Add(-left) }
		n := 0
		e := recorded[events.SQSEvent](t, "sqs.json")
		for i := range e.Records {
			e.Records[i].MessageAttributes = nil
		}
		out, _ := lambdaqueue.Batch(cfg, func(context.Context, queue.Message) error { n++; return nil })(ctx, e)
		if n != begun || len(out.BatchItemFailures) != 7-begun {
			t.Errorf("%s left: %d begun, %d given back", left, n, len(out.BatchItemFailures))
		}
	}
}

func decode(r events.DynamoDBEventRecord) (table.Change, bool, error) {
	if r.EventName == "REMOVE" {
		return table.Change{}, false, nil
	}
	pk := r.Change.Keys["PK"]
	if pk.DataType() != events.DataTypeString {
		return table.Change{}, false, errors.New("unreadable")
	}
	return table.Change{Seq: r.Change.SequenceNumber, Item: table.Item{Key: table.Key{PK: pk.String()}}}, true, nil
}

func TestStreamStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	for failing, want := range map[string]struct{ seen, answer string }{
		"none":    {"[APP#1 APP#2 APP#3]", `{"batchItemFailures":[]}`},
		"APP#1":   {"[APP#1]", `{"batchItemFailures":[{"itemIdentifier":"100"}]}`},
		"APP#2":   {"[APP#1 APP#2]", `{"batchItemFailures":[{"itemIdentifier":"300"}]}`},
		"decode":  {"[APP#1]", `{"batchItemFailures":[{"itemIdentifier":"300"}]}`},
		"unknown": {"[APP#1 APP#2 APP#3]", `{"batchItemFailures":[]}`},
	} {
		var seen []string
		d := func(r events.DynamoDBEventRecord) (table.Change, bool, error) {
			if failing == "decode" && r.Change.SequenceNumber == "300" {
				delete(r.Change.Keys, "PK")
			}
			return decode(r)
		}
		h := lambdaqueue.Stream(config(&bytes.Buffer{}), d, func(_ context.Context, c table.Change) error {
			seen = append(seen, c.Item.Key.PK)
			switch {
			case c.Item.Key.PK == failing:
				return errors.New("failed")
			case failing == "unknown" && c.Item.Key.PK == "APP#2":
				return fault.New(fault.Indeterminate, "x", "x", "x") // reconciliation finds out
			}
			return nil
		})
		out, err := h(t.Context(), recorded[events.DynamoDBEvent](t, "stream.json"))
		raw, _ := json.Marshal(out)
		if err != nil || fmt.Sprint(seen) != want.seen || string(raw) != want.answer {
			t.Errorf("%s: %v %s %v", failing, seen, raw, err)
		}
	}
}
