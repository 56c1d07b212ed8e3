package lambda

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

// hurry makes queues hide messages for a second or two, and the sweeper run
// several times a second and leave the relay one second.
func hurry(t shipped.Trouble) shipped.Trouble {
	only := t.Only
	t.Haste = 120
	t.Only = func(at shipped.Addresses) map[string]map[string]string {
		all := map[string]map[string]string{}
		if only != nil {
			all = only(at)
		}
		all["sweep"] = map[string]string{"DOUDI_SWEEP_GRACE": "1s"}
		return all
	}
	return t
}

// once is an event that happens at most once after it was armed.
type once struct {
	armed atomic.Int64 // how many times it is still let pass, plus one; 0 for not armed
	done  atomic.Bool
}

func (o *once) arm(pass int64) { o.done.Store(false); o.armed.Store(pass + 1) }

func (o *once) now() bool {
	if o.armed.Load() > 0 && o.armed.Add(-1) == 0 {
		o.done.Store(true)
		return true
	}
	return false
}

// cutter is a DynamoDB engine whose answer to a write is lost because whoever
// wrote is killed.
func cutter(t *testing.T, to string, kill *once, do func()) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, to+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return // the engine ends with the test
		}
		defer res.Body.Close()
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") && kill.now() {
			do()
			return
		}
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestKilledInTheMiddle kills functions of one system, case after case, and
// demands each time that the money arrives once.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	var system atomic.Pointer[shipped.System]
	var inBatch, afterWrite once
	s := start(t, engine.Any(t).URL, hurry(shipped.Trouble{
		Hook: func(c cloud.Call) {
			if c.Done && c.By == "relay" && c.Target == "AmazonSQS.SendMessage" && inBatch.now() {
				system.Load().Host.Kill("relay")
			}
		},
		Only: func(at shipped.Addresses) map[string]map[string]string {
			cut := cutter(t, at.Table, &afterWrite, func() { system.Load().Host.Kill("pay") })
			return map[string]map[string]string{"pay": {"AWS_ENDPOINT_URL_DYNAMODB": cut}}
		}}))
	system.Store(s)
	for _, c := range []struct {
		name, function string
		kill           *once
		after          int64
	}{
		// The batch comes again, and who is told twice does it once.
		{"relay_at_its_first_message", "relay", &inBatch, 0},
		{"relay_further_into_a_batch", "relay", &inBatch, 2},
		// Claimed, and the bank not told: whoever comes next may not simply tell it.
		{"pay_after_its_claim", "pay", &afterWrite, 0},
		// The bank told, and what it said written down, and nobody heard of it.
		{"pay_after_the_bank_was_told", "pay", &afterWrite, 1},
	} {
		c.kill.arm(c.after)
		before := s.Host.Report(c.function)
		play(t, s, "320400")
		if now := s.Host.Report(c.function); !c.kill.done.Load() || now.Failures == before.Failures {
			t.Errorf("%s: nothing was killed: %+v, then %+v", c.name, before, now)
		}
	}
	coldStart(t, s)
}

// coldStart plays a case that finds no environment of anything on its way.
func coldStart(t *testing.T, s *shipped.System) {
	t.Helper()
	path := []string{"signin", "apply", "relay", "verify", "decide", "pay", "settle", "notify"}
	before := map[string]int{}
	for _, name := range path {
		s.Host.Kill(name)
		before[name] = s.Host.Report(name).Starts
	}
	play(t, s, "120112")
	for _, name := range path {
		if now := s.Host.Report(name).Starts; now <= before[name] {
			t.Errorf("%s: %d starts before and %d after", name, before[name], now)
		}
	}
}

// TestEveryRecordLostAndEveryMessageTwice: with nothing relayed the sweeper
// finishes everything, and what is delivered twice is done once.
func TestEveryRecordLostAndEveryMessageTwice(t *testing.T) {
	t.Parallel()
	var lost, again atomic.Int64
	s := start(t, engine.Any(t).URL, hurry(shipped.Trouble{
		Lose:  func(map[string]string) bool { lost.Add(1); return true },
		Again: func(string, cloud.Message) bool { again.Add(1); return true },
	}))
	play(t, s, "320400")
	if s.Host.Report("relay").Invocations != 0 || lost.Load() == 0 || again.Load() == 0 {
		t.Errorf("%d records lost, %d messages repeated, the relay ran %d times", lost.Load(), again.Load(), s.Host.Report("relay").Invocations)
	}
	logged(t, s)
}

// logged waits until the evidence log has published every event of the payment,
// which its own sweep must find when the stream brings none.
func logged(t *testing.T, s *shipped.System) {
	t.Helper()
	verifier, err := note.NewVerifier(s.LogKey)
	if err != nil {
		t.Fatal(err)
	}
	entries := evidence.New(s.Table, nil, rand.Reader, time.Now) // reads, and seals nothing
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for paid := false; ; {
		select {
		case <-tick.C:
		case <-patience.C:
			t.Fatalf("the log has not published the payment; it is sequenced: %t", paid)
		}
		resp, err := http.Get(s.URL + "/v1/log/checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			continue
		}
		signed, err := evidence.OpenCheckpoint(raw, verifier)
		if err != nil {
			t.Fatal(err)
		}
		leaves, err := evidence.Leaves(t.Context(), entries, 0, int(signed.Size))
		if err != nil {
			t.Fatal(err)
		}
		if paid = slices.ContainsFunc(leaves, func(l []byte) bool {
			return bytes.Contains(l, []byte(`"noun":"payout"`)) && bytes.Contains(l, []byte(`"kind":"paid"`))
		}); paid {
			return
		}
	}
}

// TestPoison: what no handler can deal with ends among the dead letters, with
// nobody in it, and everybody else is helped meanwhile.
func TestPoison(t *testing.T) {
	t.Parallel()
	at := engine.Any(t).URL
	s := start(t, at, hurry(shipped.Trouble{}))
	client := setup.Client(cloud.Region, at, aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.AccessKey}, nil
	}), nil)
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	// The store never writes a truth value, so no relay can read this.
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("doudi-lambda"), Item: map[string]types.AttributeValue{
		"pk": text("POISON"), "sk": text("POISON"), "duepk": text("DUE#poison"), "duesk": text("x"), "who": text("王秀英"), "bad": &types.AttributeValueMemberBOOL{Value: true}}}); err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{"VerifyQueue", "PayQueue", "SettleQueue", "NotifyQueue"} {
		s.Queues.Send(queue, "this is no message", nil, 0)
	}
	var playing sync.WaitGroup
	playing.Go(func() { play(t, s, "320400") })
	for _, dead := range []string{"VerifyDead", "PayDead", "SettleDead", "NotifyDead", "RelayDead"} {
		letters := await(t, s, dead)
		if len(letters) != 1 {
			t.Errorf("%s: %d dead letters of one poison", dead, len(letters))
		}
		if strings.Contains(letters[0].Body, "王秀英") {
			t.Errorf("%s: who it was about is in the dead letter: %s", dead, letters[0].Body)
		}
	}
	playing.Wait()
	var pointer struct {
		Why   struct{ Condition string } `json:"requestContext"`
		Where struct {
			StartSequenceNumber, StreamArn string
			BatchSize                      int
		} `json:"DDBStreamBatchInfo"`
	}
	if err := json.Unmarshal([]byte(s.Queues.Waiting("RelayDead")[0].Body), &pointer); err != nil {
		t.Fatal(err)
	}
	if pointer.Why.Condition != "RetryAttemptsExhausted" || pointer.Where.BatchSize != 1 || pointer.Where.StartSequenceNumber == "" {
		t.Errorf("the relay's dead letter says %+v: one bad record must be found out of its batch", pointer)
	}
}

// await waits until a queue holds something.
func await(t *testing.T, s *shipped.System, queue string) []cloud.Message {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for {
		if all := s.Queues.Waiting(queue); len(all) > 0 {
			return all
		}
		select {
		case <-tick.C:
		case <-patience.C:
			t.Fatalf("%s stays empty", queue)
		}
	}
}
