// Package sqsqueue sends messages to SQS. It receives none (package lambdaqueue
// adapts what Lambda delivers), and it decides nothing.
package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// deadline bounds one send, retries included.
const deadline = 5 * time.Second

// service is SQS as it is called.
var service = awscall.Service{Name: "sqs", Target: "AmazonSQS", Version: "1.0"}

// Sender is a queue.Sender over SQS standard queues.
type Sender struct {
	client *awscall.Client
	urls   map[string]string
}

// New sends by client; urls has the URL of every queue by its name.
func New(client *awscall.Client, urls map[string]string) *Sender { return &Sender{client, urls} }

// Send hands body to the named queue. A send that failed may have arrived all
// the same, which every handler survives.
func (s *Sender) Send(ctx context.Context, name string, body []byte, delay time.Duration) error {
	url, ok := s.urls[name]
	if !ok {
		return fmt.Errorf("sqsqueue: no queue %q", name)
	}
	if len(body) == 0 || len(body) > queue.MaxBody || !utf8.Valid(body) || delay < 0 || delay > queue.MaxDelay {
		return fmt.Errorf("sqsqueue: body of %d bytes or delay of %s is out of range", len(body), delay)
	}
	hops, err := queue.NextHops(ctx)
	if err != nil {
		return err
	}
	attributes := map[string]attribute{queue.HopsAttribute: text(strconv.Itoa(hops))}
	if trace := telemetry.Trace(ctx); trace != "" {
		attributes[queue.TraceAttribute] = text(trace)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var sent struct{}
	err = s.client.JSON(ctx, service, "SendMessage", message{
		QueueURL: url, Body: string(body), Attributes: attributes,
		DelaySeconds: int((delay + time.Second - 1) / time.Second), // never early
	}, &sent)
	if err != nil {
		return queue.ErrUnavailable.Because(err)
	}
	return nil
}

// message is SendMessage's request.
type message struct {
	QueueURL     string               `json:"QueueUrl"`
	Body         string               `json:"MessageBody"`
	DelaySeconds int                  `json:"DelaySeconds"`
	Attributes   map[string]attribute `json:"MessageAttributes"`
}

type attribute struct {
	DataType    string
	StringValue string
}

func text(s string) attribute { return attribute{"String", s} }
