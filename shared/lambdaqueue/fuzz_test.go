package lambdaqueue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/lambdaqueue"
	"github.com/doudi-aid/doudi/shared/queue"
)

// FuzzBatch delivers any event as a batch of a queue: each message is given once, in
// order, with hops and attempts that make sense; exactly those come back that failed;
// and no body is in the log.
func FuzzBatch(f *testing.F) {
	raw, err := os.ReadFile("testdata/sqs.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	for _, text := range []string{`{}`, `{"Records":[{}]}`, `{"Records":[{"messageId":"a","body":"fail-canary-canary","messageAttributes":{"hops":{"stringValue":"-1","dataType":"Number"}}}]}`,
		`{"Records":[{"messageId":"a","eventSourceARN":":","attributes":{"ApproximateReceiveCount":"-9"}},{"messageId":"a"}]}`,
		`{"Records":[{"messageId":"a","messageAttributes":{"` + queue.HopsAttribute + `":{"dataType":"Binary","binaryValue":"eA=="}}}]}`, `null`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e events.SQSEvent
		if json.Unmarshal(raw, &e) != nil {
			return
		}
		var logs bytes.Buffer
		var given, want []string
		batch := lambdaqueue.Batch(config(&logs), func(_ context.Context, m queue.Message) error {
			given = append(given, m.ID)
			if m.Attempt < 1 || m.Hops < 0 || m.Hops > queue.MaxHops {
				t.Errorf("attempt %d, hops %d", m.Attempt, m.Hops)
			}
			if strings.HasPrefix(string(m.Body), "fail") {
				want = append(want, m.ID)
				return errors.New("it failed")
			}
			return nil
		})
		out, err := batch(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		var back []string
		for _, b := range out.BatchItemFailures {
			back = append(back, b.ItemIdentifier)
		}
		for _, id := range want {
			if !slices.Contains(back, id) {
				t.Errorf("%q failed and does not come back", id)
			}
		}
		if len(back) > len(e.Records)-len(given)+len(want) {
			t.Errorf("%d of %d come back, %d were given and %d failed", len(back), len(e.Records), len(given), len(want))
		}
		// Whoever writes it into an id or a trace as well shows it there.
		inBody := slices.ContainsFunc(e.Records, func(r events.SQSMessage) bool { return strings.Contains(r.Body, "canary-canary") })
		if inBody && bytes.Count(raw, []byte("canary")) == 2 && strings.Contains(logs.String(), "canary-canary") {
			t.Errorf("the log has the body: %s", logs.String())
		}
	})
}
