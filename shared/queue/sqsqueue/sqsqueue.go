// Package sqsqueue sends messages to SQS. It receives none (package lambdaqueue
// adapts what Lambda delivers), and it decides nothing.
package sqsqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// deadline bounds one send, the SDK's own retries included.
const deadline = 5 * time.Second

// Client is what is needed of *sqs.Client.
type Client interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Sender is a queue.Sender over SQS standard queues.
type Sender struct {
	client Client
	urls   map[string]string
}

// New sends by client; urls has the URL of every queue by its name.
func New(client Client, urls map[string]string) *Sender { return &Sender{client, urls} }

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
	attributes := map[string]types.MessageAttributeValue{queue.HopsAttribute: text(strconv.Itoa(hops))}
	if trace := telemetry.Trace(ctx); trace != "" {
		attributes[queue.TraceAttribute] = text(trace)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	_, err = s.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String(string(body)), MessageAttributes: attributes,
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never early
	})
	if err != nil {
		return queue.ErrUnavailable.Because(err)
	}
	return nil
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}
