package sqsqueue_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/queue/sqsqueue"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// sender sends through the real client to a server that answers status.
func sender(t *testing.T, status int, sent *[]string) *sqsqueue.Sender {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		*sent = append(*sent, r.Header.Get("X-Amz-Target")+" "+string(raw))
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"MessageId":"m-1"}`)
	}))
	t.Cleanup(server.Close)
	client := awscall.New(awscall.Config{
		Region: "cn-north-1", Endpoint: func(string) string { return server.URL }, HTTP: server.Client(), Now: time.Now,
		Pause: func(context.Context, time.Duration) error { return nil },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
	return sqsqueue.New(client, map[string]string{"pay": server.URL + "/123456789012/doudi-pay"})
}

func TestSend(t *testing.T) {
	t.Parallel()
	var sent []string
	s := sender(t, 200, &sent)
	if err := s.Send(telemetry.WithTrace(t.Context(), "t-1"), "pay", []byte(`{"pk":"APP#1"}`), 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	var in struct {
		QueueURL          string `json:"QueueUrl"`
		MessageBody       string
		DelaySeconds      int
		MessageAttributes map[string]struct{ StringValue string }
	}
	target, body, _ := strings.Cut(sent[0], " ")
	if err := json.Unmarshal([]byte(body), &in); err != nil || target != "AmazonSQS.SendMessage" {
		t.Fatal(sent, err)
	}
	if in.MessageBody != `{"pk":"APP#1"}` || in.DelaySeconds != 2 || in.MessageAttributes["hops"].StringValue != "0" || in.MessageAttributes["trace"].StringValue != "t-1" || !strings.HasSuffix(in.QueueURL, "/doudi-pay") {
		t.Errorf("%+v", in)
	}
	// A message sent while handling one is a hop further.
	_, err := queue.Run(t.Context(), queue.Message{Hops: 4, Trace: "t-2"}, func(ctx context.Context, _ queue.Message) error {
		return s.Send(ctx, "pay", []byte("x"), 0)
	})
	if err != nil || !strings.Contains(sent[1], `"hops":{"DataType":"String","StringValue":"5"}`) || !strings.Contains(sent[1], "t-2") {
		t.Errorf("%v %s", err, sent[1])
	}
	_, err = queue.Run(t.Context(), queue.Message{Hops: queue.MaxHops}, func(ctx context.Context, _ queue.Message) error {
		return s.Send(ctx, "pay", []byte("x"), 0)
	})
	if !errors.Is(err, queue.ErrTooManyHops) {
		t.Errorf("%v", err)
	}
	for _, err := range []error{
		s.Send(t.Context(), "nobody", []byte("x"), 0), s.Send(t.Context(), "pay", nil, 0), s.Send(t.Context(), "pay", []byte{0xff}, 0),
		s.Send(t.Context(), "pay", make([]byte, queue.MaxBody+1), 0), s.Send(t.Context(), "pay", []byte("x"), queue.MaxDelay+1),
	} {
		if err == nil {
			t.Error("sent what is out of range")
		}
	}
	if len(sent) != 2 {
		t.Errorf("%d requests", len(sent))
	}
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	var sent []string
	err := sender(t, 503, &sent).Send(t.Context(), "pay", []byte("x"), 0)
	if !errors.Is(err, queue.ErrUnavailable) || fault.Of(err).Kind != fault.Unavailable {
		t.Errorf("%v", err)
	}
}
