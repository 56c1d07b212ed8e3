package redrive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/cmd/doudi/redrive"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/queue"
)

// line is two queues behind real HTTP, and the SDK's own client.
type line struct {
	*sqs.Client
	queues *cloud.Queues
	now    time.Time
	url    string
}

func open(t *testing.T, letters int) *line {
	t.Helper()
	l := &line{now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	l.queues = cloud.NewQueues(map[string]cloud.Queue{"pay": {Visibility: time.Minute}, "pay-dead": {Visibility: time.Minute}},
		func() time.Time { return l.now }, ident.Random(), nil)
	for n := range letters {
		l.queues.Send("pay-dead", fmt.Sprint("letter ", n), map[string]cloud.Attribute{
			queue.TraceAttribute: {DataType: "String", StringValue: fmt.Sprint("t", n)}, queue.HopsAttribute: {DataType: "String", StringValue: "3"}}, 0)
	}
	c, err := cloud.New(cloud.Options{Dir: t.TempDir(), Queues: l.queues, IDs: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	l.url = s.URL
	words := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
	})
	l.Client = sqs.New(sqs.Options{Region: cloud.Region, BaseEndpoint: &s.URL, Credentials: words})
	return l
}

func (l *line) options() redrive.Options {
	return redrive.Options{From: l.url + "/0/pay-dead", To: l.url + "/0/pay", Max: 1000, Progress: &bytes.Buffer{}}
}

// arrived counts how often each letter is in the source queue.
func (l *line) arrived() map[string]int {
	n := map[string]int{}
	for _, m := range l.queues.Waiting("pay") {
		n[m.Body]++
	}
	return n
}

func TestEveryLetterIsMovedWithItsTrace(t *testing.T) {
	t.Parallel()
	l := open(t, 25)
	o := l.options()
	r, err := redrive.Run(t.Context(), l, o)
	if err != nil || r.Moved != 25 || r.Waiting != 25 || r.Twice != 0 || len(l.queues.Waiting("pay-dead")) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if got := o.Progress.(*bytes.Buffer).String(); got != "10 / 25\n20 / 25\n25 / 25\n" {
		t.Errorf("progress %q", got)
	}
	for _, m := range l.queues.Waiting("pay") {
		if m.Attributes[queue.TraceAttribute].StringValue != "t"+m.Body[len("letter "):] || m.Attributes[queue.HopsAttribute].StringValue != "3" {
			t.Errorf("%s lost its attributes: %v", m.Body, m.Attributes)
		}
	}
}

func TestWhatIsNotMoved(t *testing.T) {
	t.Parallel()
	l := open(t, 25)
	o := l.options()
	o.DryRun = true
	if r, err := redrive.Run(t.Context(), l, o); err != nil || r.Waiting != 25 || r.Moved != 0 || l.queues.Visible("pay-dead") != 25 {
		t.Errorf("a dry run touched something: %+v %v", r, err)
	}
	o.DryRun, o.Max = false, 12
	if r, err := redrive.Run(t.Context(), l, o); err != nil || r.Moved != 12 || len(l.queues.Waiting("pay-dead")) != 13 {
		t.Errorf("%+v %v", r, err)
	}
	o.To = o.From
	if _, err := redrive.Run(t.Context(), l, o); !errors.Is(err, redrive.ErrSame) {
		t.Error(err)
	}
	for _, o := range []redrive.Options{{From: l.url + "/0/none", To: o.From, Max: 1}, {From: o.From, To: l.url + "/0/none", Max: 1}} {
		if _, err := redrive.Run(t.Context(), l, o); err == nil {
			t.Errorf("%+v: no such queue, and nobody says so", o)
		}
	}
	if n := len(l.queues.Waiting("pay-dead")); n != 13 {
		t.Errorf("%d letters left", n)
	}
}

var errKilled = errors.New("killed")

// mortal is a tool that is killed before or after its nth call.
type mortal struct {
	*line
	calls, at int
	after     bool
}

func (m *mortal) dies() bool { m.calls++; return m.calls >= m.at }

func (m *mortal) SendMessage(ctx context.Context, in *sqs.SendMessageInput, o ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if m.dies() {
		if m.after {
			_, _ = m.line.SendMessage(ctx, in, o...) // it lands, and nobody hears of it
		}
		return nil, errKilled
	}
	return m.line.SendMessage(ctx, in, o...)
}

func (m *mortal) DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	if m.dies() {
		if m.after {
			_, _ = m.line.DeleteMessage(ctx, in, o...)
		}
		return nil, errKilled
	}
	return m.line.DeleteMessage(ctx, in, o...)
}

// Killed at every call in turn, then run again: duplicates are fine, loss is not.
func TestKilledAnywhereNothingIsLost(t *testing.T) {
	t.Parallel()
	const letters = 3
	for at := 1; at <= 2*letters; at++ {
		for _, after := range []bool{false, true} {
			l := open(t, letters)
			r, err := redrive.Run(t.Context(), &mortal{line: l, at: at, after: after}, l.options())
			if err == nil && r.Twice == 0 {
				t.Errorf("killed at %d: %+v, and nobody says so", at, r)
			}
			l.now = l.now.Add(2 * time.Minute) // what was received is seen again
			if _, err := redrive.Run(t.Context(), l, l.options()); err != nil {
				t.Fatal(err)
			}
			if got := l.arrived(); len(got) != letters || len(l.queues.Waiting("pay-dead")) != 0 {
				t.Errorf("killed at %d, after=%t: arrived %v, %d left", at, after, got, len(l.queues.Waiting("pay-dead")))
			}
		}
	}
}
