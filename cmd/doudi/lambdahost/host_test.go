package lambdahost

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/shared/ident"
)

// The test program is the function, too: started with this setting it speaks
// the Runtime API instead of running tests.
const role = "LAMBDAHOST_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "cannot start":
		os.Exit(1)
	default:
		lambda.Start(obey)
	}
}

// obey does what its event says.
func obey(ctx context.Context, raw json.RawMessage) (any, error) {
	var e struct {
		Do      string
		Version string `json:"version"`
		Body    string `json:"body"`
		Records []struct {
			ID     string `json:"messageId"`
			Body   string `json:"body"`
			Change struct {
				Seq  string `json:"SequenceNumber"`
				Keys map[string]map[string]string
			} `json:"dynamodb"`
		}
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	type failure struct {
		ID string `json:"itemIdentifier"`
	}
	var failed struct {
		Failures []failure `json:"batchItemFailures"`
	}
	for _, r := range e.Records {
		word := r.Body + r.Change.Keys["pk"]["S"]
		switch {
		case strings.Contains(word, "exit"):
			os.Exit(3)
		case strings.Contains(word, "stray"):
			failed.Failures = append(failed.Failures, failure{"nobody"})
		case strings.Contains(word, "bad"):
			failed.Failures = append(failed.Failures, failure{r.ID + r.Change.Seq})
		}
	}
	if len(e.Records) > 0 {
		return failed, nil
	}
	if e.Version == "2.0" {
		return map[string]any{"statusCode": 201, "headers": map[string]string{"content-type": "application/json", "x-one": "a"}, "body": string(raw)}, nil
	}
	switch e.Do {
	case "fail":
		return nil, errors.New("failed on purpose")
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(3)
	case "hang":
		select {}
	case "who":
		lc, _ := lambdacontext.FromContext(ctx)
		until, _ := ctx.Deadline()
		return map[string]any{"arn": lc.InvokedFunctionArn, "id": lc.AwsRequestID, "left": time.Until(until).Milliseconds(),
			"region": os.Getenv("AWS_REGION"), "own": os.Getenv("OWN"), "home": os.Getenv("HOME"), "token": os.Getenv("AWS_SESSION_TOKEN")}, nil
	}
	return map[string]string{"did": e.Do}, nil
}

// pack zips this test program as a function.
func pack(t *testing.T, file, entry string, mode os.FileMode, content []byte) {
	t.Helper()
	if content == nil {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		if content, err = os.ReadFile(self); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: entry, Method: zip.Store}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, z.Close(), os.WriteFile(file, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// host starts a host of one function called work.
func host(t *testing.T, f doudi.Function, role1 string, queues map[string]cloud.Queue) *Host {
	t.Helper()
	dir := t.TempDir()
	pack(t, filepath.Join(dir, "work.zip"), "bootstrap", 0o755, nil)
	if f.Timeout == 0 {
		f.Timeout = 10 * time.Second
	}
	f.Settings = map[string]string{"OWN": "", "FIXED": "yes", role: role1}
	h, err := New(Options{Template: &doudi.Template{Functions: map[string]doudi.Function{"work": f}}, Zips: dir, Settings: map[string]string{"OWN": "mine"},
		Queues: cloud.NewQueues(queues, time.Now, ident.Random(), nil), IDs: ident.Random(), Log: slog.New(slog.DiscardHandler), Output: io.Discard, Haste: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestWhatBecomesOfAnInvocation(t *testing.T) {
	t.Parallel()
	h := host(t, doudi.Function{Timeout: 2 * time.Second}, "serve", nil)
	for _, c := range []struct {
		do, failure string
		starts      int // of environments, in all
	}{
		{"answer", "", 1},
		{"again", "", 1}, // the same environment
		{"fail", "errorString", 1},
		{"exit", "Runtime.ExitError", 1},
		{"after a crash", "", 2},
		{"panic", "string", 2},
		{"after a panic", "", 3},
		{"hang", "Sandbox.Timedout", 3},
		{"after the end", "", 4},
	} {
		answer, err := h.Invoke(t.Context(), "work", []byte(`{"do":"`+c.do+`"}`))
		f, failed := errors.AsType[*Failure](err)
		switch {
		case c.failure == "" && (err != nil || string(answer) != `{"did":"`+c.do+`"}`):
			t.Errorf("%s: %s, %v", c.do, answer, err)
		case c.failure != "" && (!failed || f.Type != c.failure):
			t.Errorf("%s: %s, %v", c.do, answer, err)
		}
		if n := h.Report("work").Starts; n != c.starts {
			t.Errorf("%s: %d environments were started, want %d", c.do, n, c.starts)
		}
	}
	answer, err := h.Invoke(t.Context(), "work", []byte(`{"do":"who"}`))
	if err != nil {
		t.Fatal(err)
	}
	var who struct {
		ARN, ID, Region, Own, Home, Token string
		Left                              int64
	}
	if err := json.Unmarshal(answer, &who); err != nil {
		t.Fatal(err)
	}
	if who.ARN != cloud.ARN("lambda", "function:work:live") || who.ID == "" || who.Region != cloud.Region || who.Own != "mine" || who.Token != "work" ||
		who.Home != "" || who.Left <= 0 || who.Left > 2000 {
		t.Errorf("the function sees %+v", who)
	}
	if n := h.Kill("work"); n != 1 {
		t.Errorf("%d environments were killed", n)
	}
	if r := h.Report("work"); r.Ready != 4 || r.Init <= 0 || r.CPU <= 0 {
		t.Errorf("four environments were ready, the report says %+v", r)
	}
	if err := h.Start("work"); err != nil || h.Report("work").Ready != 5 {
		t.Errorf("made ready: %+v, %v", h.Report("work"), err)
	}
	h.Kill("work")
	if _, err := h.Invoke(t.Context(), "work", []byte(`{"do":"x"}`)); err != nil {
		t.Errorf("after a kill: %v", err)
	}
}

func TestAFunctionThatCannotStart(t *testing.T) {
	t.Parallel()
	h := host(t, doudi.Function{}, "cannot start", nil)
	if err := h.Start("work"); err == nil {
		t.Error("it is ready")
	}
	_, err := h.Invoke(t.Context(), "work", []byte(`{}`))
	if f, failed := errors.AsType[*Failure](err); !failed || f.Type != "Runtime.ExitError" {
		t.Errorf("%v", err)
	}
}

func TestManyAtOnceAreManyEnvironments(t *testing.T) {
	t.Parallel()
	h := host(t, doudi.Function{Timeout: 2 * time.Second}, "serve", nil)
	hung := make(chan error)
	go func() {
		_, err := h.Invoke(t.Context(), "work", []byte(`{"do":"hang"}`))
		hung <- err
	}()
	for h.Report("work").Starts == 0 { // the other one is on its way
		if _, err := h.Invoke(t.Context(), "work", []byte(`{"do":"x"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Invoke(t.Context(), "work", []byte(`{"do":"x"}`)); err != nil {
		t.Errorf("beside one that hangs: %v", err)
	}
	if err := <-hung; err == nil {
		t.Error("what hangs has answered")
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	h := host(t, doudi.Function{Routes: []doudi.Route{{Method: "POST", Path: "/v1/things/{id}"}, {Method: "POST", Path: "/v1/things/new"}}}, "serve", nil)
	s := httptest.NewServer(h.API())
	t.Cleanup(s.Close)
	send := func(method, path, kind string, body []byte) (*http.Response, events.APIGatewayV2HTTPRequest) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Add("X-Twice", "a")
		req.Header.Add("X-Twice", "b")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var seen events.APIGatewayV2HTTPRequest
		if err := json.NewDecoder(res.Body).Decode(&seen); err != nil {
			t.Fatal(err)
		}
		return res, seen
	}
	res, e := send("POST", "/v1/things/a%20b?q=1&q=2", "application/json; charset=utf-8", []byte(`{"x":"王"}`))
	if res.StatusCode != 201 || res.Header.Get("X-One") != "a" {
		t.Errorf("answered %d %v", res.StatusCode, res.Header)
	}
	if e.Body != `{"x":"王"}` || e.IsBase64Encoded || e.RouteKey != "POST /v1/things/{id}" || e.PathParameters["id"] != "a b" || e.RawQueryString != "q=1&q=2" ||
		e.QueryStringParameters["q"] != "1,2" || e.Headers["x-twice"] != "a,b" || e.RequestContext.HTTP.SourceIP != "127.0.0.1" || e.RequestContext.Stage != "$default" {
		t.Errorf("the event is %+v", e)
	}
	if _, e := send("POST", "/v1/things/new", "text/plain", nil); e.RouteKey != "POST /v1/things/new" {
		t.Errorf("a path that is written out goes to %q", e.RouteKey)
	}
	picture := []byte{0xff, 0xd8, 0xff}
	if _, e := send("POST", "/v1/things/1", "image/jpeg", picture); !e.IsBase64Encoded || e.Body != base64.StdEncoding.EncodeToString(picture) {
		t.Errorf("a picture is %q", e.Body)
	}
	for path, want := range map[string]int{"/v1/things/": 404, "/v1/things": 404, "/v1/things/1/2": 404} {
		if res, _ := send("POST", path, "text/plain", nil); res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res, _ := send("GET", "/v1/things/1", "text/plain", nil); res.StatusCode != 404 {
		t.Errorf("another method: %d", res.StatusCode)
	}
	if res, _ := send("POST", "/v1/things/1", "image/jpeg", make([]byte, maxRequest+1)); res.StatusCode != 413 {
		t.Errorf("more than the gateway takes: %d", res.StatusCode)
	}
	if res, _ := send("POST", "/v1/things/1", "image/jpeg", make([]byte, 7<<20)); res.StatusCode != 500 {
		t.Errorf("an answer of more than a function may give: %d", res.StatusCode)
	}
}

// settled waits until the queue of work is empty.
func settled(t *testing.T, h *Host) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for len(h.options.Queues.Waiting("WorkQueue")) > 0 {
		select {
		case <-tick.C:
		case <-patience.C:
			t.Fatal("the queue is never empty")
		}
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		send, dead []string
	}{
		"all_done":                          {[]string{"a", "b", "c"}, nil},
		"one_fails_and_the_others_are_done": {[]string{"a", "bad", "c"}, []string{"bad"}},
		"one_kills_whoever_is_with_it":      {[]string{"exit"}, []string{"exit"}},
		"a_stray_id_fails_the_whole_batch":  {[]string{"stray"}, []string{"stray"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := host(t, doudi.Function{Queue: "work", Batch: 10, Parallel: 2}, "serve", map[string]cloud.Queue{
				"WorkQueue": {Visibility: 100 * time.Millisecond, MaxReceive: 3, Dead: "WorkDead"}, "WorkDead": {}})
			for _, body := range c.send {
				h.options.Queues.Send("WorkQueue", body, map[string]cloud.Attribute{"hops": {DataType: "Number", StringValue: "1"}}, 0)
			}
			if err := h.Run(); err != nil {
				t.Fatal(err)
			}
			settled(t, h)
			var dead []string
			for _, m := range h.options.Queues.Waiting("WorkDead") {
				dead = append(dead, m.Body)
			}
			if !slices.Equal(dead, c.dead) {
				t.Errorf("dead letters %v, want %v", dead, c.dead)
			}
		})
	}
}

// record is a change whose partition key is the word that the function obeys.
func record(seq, pk string, age time.Duration) events.DynamoDBEventRecord {
	return events.DynamoDBEventRecord{EventName: "INSERT", Change: events.DynamoDBStreamRecord{SequenceNumber: seq,
		ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.Now().Add(-age)},
		Keys:                        map[string]events.DynamoDBAttributeValue{"pk": events.NewStringAttribute(pk)}}}
}

func TestStreamBatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records []events.DynamoDBEventRecord
		bisect  bool
		dead    []string // "first-last condition" of what was given up
	}{
		"all_done": {[]events.DynamoDBEventRecord{record("1", "a", 0), record("2", "b", 0)}, true, nil},
		"one_that_fails_is_given_up_alone": {[]events.DynamoDBEventRecord{record("1", "a", 0), record("2", "bad", 0), record("3", "c", 0), record("4", "d", 0)},
			true, []string{"2-2 RetryAttemptsExhausted"}},
		"one_that_kills_is_found_by_halving": {[]events.DynamoDBEventRecord{record("1", "a", 0), record("2", "b", 0), record("3", "exit", 0)},
			true, []string{"3-3 RetryAttemptsExhausted"}},
		"without_halving_the_rest_goes_with_it": {[]events.DynamoDBEventRecord{record("1", "a", 0), record("2", "bad", 0), record("3", "c", 0)},
			false, []string{"2-3 RetryAttemptsExhausted"}},
		"one_that_is_too_old": {[]events.DynamoDBEventRecord{record("1", "a", 2*time.Hour), record("2", "b", 0)}, true, []string{"1-1 RecordAgeExceeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := host(t, doudi.Function{}, "serve", map[string]cloud.Queue{"Dead": {}})
			m, err := h.mapping("work", doudi.Changes{Batch: 10, Parallel: 1, Bisect: c.bisect, Retries: 1, MaxAge: time.Hour, Dead: "Dead"})
			if err != nil {
				t.Fatal(err)
			}
			m.batch("shard", c.records)
			var dead []string
			for _, letter := range h.options.Queues.Waiting("Dead") {
				var p struct {
					Why   struct{ Condition string } `json:"requestContext"`
					Where struct {
						StartSequenceNumber string
						EndSequenceNumber   string
					} `json:"DDBStreamBatchInfo"`
				}
				if err := json.Unmarshal([]byte(letter.Body), &p); err != nil {
					t.Fatal(err)
				}
				dead = append(dead, p.Where.StartSequenceNumber+"-"+p.Where.EndSequenceNumber+" "+p.Why.Condition)
			}
			if !slices.Equal(dead, c.dead) {
				t.Errorf("given up %v, want %v", dead, c.dead)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	p, err := parsePattern(`{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"duepk":{"S":[{"exists":true}]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[string]bool{
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"duepk":{"S":"DUE#01"}}}}`: true,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"pk":{"S":"DUE#01"}}}}`:    false,
		`{"eventName":"REMOVE","dynamodb":{"NewImage":{"duepk":{"S":"DUE#01"}}}}`: false,
		`{"eventName":"INSERT"}`: false,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"duepk":"DUE#01"}}}`: false,
	} {
		var v any
		if err := json.Unmarshal([]byte(event), &v); err != nil {
			t.Fatal(err)
		}
		if p.matches(v) != want {
			t.Errorf("%s: %v", event, !want)
		}
	}
	p, err = parsePattern(`{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"EVENT#"}]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for sk, want := range map[string]bool{"EVENT#a": true, "HEAD": false, "": false} {
		if p.matches(map[string]any{"dynamodb": map[string]any{"Keys": map[string]any{"sk": map[string]any{"S": sk}}}}) != want {
			t.Errorf("sort key %q: %v", sk, !want)
		}
	}
	for _, text := range []string{`{`, `{}`, `{"a":"b"}`, `{"a":[{"prefix":1}]}`, `{"a":[{"exists":false}]}`, `{"a":{"b":[{"numeric":[">",1]}]}}`} {
		if _, err := parsePattern(text); err == nil {
			t.Errorf("%s: accepted, and would pass what Lambda drops", text)
		}
	}
}

func TestZipsThatCannotRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry   string
		mode    os.FileMode
		content []byte
		says    string
	}{
		"other_name":     {"main", 0o755, []byte("x"), "one executable"},
		"not_executable": {"bootstrap", 0o644, []byte("x"), "one executable"},
		"no_program":     {"bootstrap", 0o755, []byte("#!/bin/sh\n"), "no Linux program"},
		"other_machine":  {"bootstrap", 0o755, riscv(t), "scripts/build"},
	} {
		file := filepath.Join(t.TempDir(), "f.zip")
		pack(t, file, c.entry, c.mode, c.content)
		if err := unpack(file, filepath.Join(t.TempDir(), "home")); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := unpack(filepath.Join(t.TempDir(), "none.zip"), t.TempDir()); err == nil || !strings.Contains(err.Error(), "scripts/build") {
		t.Errorf("no zip: %v", err)
	}
	if _, err := New(Options{Template: &doudi.Template{Functions: map[string]doudi.Function{"work": {Settings: map[string]string{"DOUDI_X": ""}}}}, Zips: t.TempDir()}); err == nil {
		t.Error("a host without zips was made")
	}
}

// riscv is this program's header, said to be for a machine nobody here has.
func riscv(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	f[18], f[19] = 0xf3, 0
	return f
}
