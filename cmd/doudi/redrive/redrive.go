// Package redrive moves dead letters back to the queue they died in. China's SQS
// cannot do it by itself. It knows what no letter means: a letter says where to
// look, and every handler survives it twice, so it errs on the side of sending
// again and never on the side of losing.
package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Client is what is needed of *sqs.Client.
type Client interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
}

// Options say what to move.
type Options struct {
	From, To string // queue URLs
	Max      int    // letters at most
	DryRun   bool   // only count; nothing is received, so no letter is touched
	Progress io.Writer
}

// Report is what was done.
type Report struct {
	Waiting int `json:"waiting"` // letters when it began, as SQS estimates them
	Moved   int `json:"moved"`
	// Twice are letters that were sent and could not be deleted: they are in both queues.
	Twice int `json:"twice"`
}

const (
	batch = 10
	// hidden is how long a received letter is out of others' sight: killed half way,
	// whatever was not deleted is back after it.
	hidden = 60 // s
	// deadline bounds one call, the SDK's own retries included.
	deadline = 20 * time.Second
	// empties is how many empty answers in a row mean that there is no more: one
	// alone does not, because a queue lives on many machines.
	empties = 3
)

// ErrSame: a queue is not its own dead-letter queue; it would go round for ever.
var ErrSame = errors.New("redrive: from and to are the same queue")

// Run moves letters until there is none, or Max are moved, or ctx ends. It never
// moves more than waited when it began, so letters that die again meanwhile are
// left for a person. A letter is deleted only after SQS has taken it on the other
// side. If we die after the sending and before the deleting it is in both
// queues, which every handler survives; before the sending it comes back by itself.
func Run(ctx context.Context, c Client, o Options) (Report, error) {
	if o.From == o.To {
		return Report{}, ErrSame
	}
	waiting, err := count(ctx, c, o.From)
	r := Report{Waiting: waiting}
	if err != nil || o.DryRun {
		return r, err
	}
	most := min(waiting, o.Max)
	for quiet := 0; r.Moved < most && quiet < empties; {
		letters, err := receive(ctx, c, o.From, min(batch, most-r.Moved))
		if err != nil {
			return r, err
		}
		if len(letters) == 0 {
			quiet++
			continue
		}
		quiet = 0
		for _, m := range letters {
			if err := send(ctx, c, o.To, m); err != nil {
				return r, err // it comes back where it was
			}
			r.Moved++
			if err := remove(ctx, c, o.From, m); err != nil {
				r.Twice++
			}
		}
		fmt.Fprintf(o.Progress, "%d / %d\n", r.Moved, most)
	}
	return r, nil
}

func count(ctx context.Context, c Client, from string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	out, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &from,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages}})
	if err != nil {
		return 0, fmt.Errorf("redrive: count: %w", err)
	}
	n, err := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
	if err != nil {
		return 0, fmt.Errorf("redrive: count: %w", err)
	}
	return n, nil
}

func receive(ctx context.Context, c Client, from string, most int) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &from, MaxNumberOfMessages: int32(most), VisibilityTimeout: hidden,
		WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"}})
	if err != nil {
		return nil, fmt.Errorf("redrive: receive: %w", err)
	}
	return out.Messages, nil
}

// send sends m as it is, its hop count and trace with it.
func send(ctx context.Context, c Client, to string, m types.Message) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if _, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &to, MessageBody: m.Body, MessageAttributes: m.MessageAttributes}); err != nil {
		return fmt.Errorf("redrive: send: %w", err)
	}
	return nil
}

func remove(ctx context.Context, c Client, from string, m types.Message) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &from, ReceiptHandle: m.ReceiptHandle})
	return err
}
