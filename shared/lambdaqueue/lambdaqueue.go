// Package lambdaqueue gives SQS batches and DynamoDB stream batches to plain Go
// functions, one message or change at a time, and reports exactly which of them
// failed. It decides nothing about a message: queue.Run and the fault kinds do.
package lambdaqueue

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Config is what the adapters need from the world.
type Config struct {
	Logger  *slog.Logger
	Metrics telemetry.Metrics
	Now     func() time.Time
	// Reserve is how long before the end of the invocation no further message is
	// begun; those left are given back. A handler cut off half way would leave
	// an unknown outcome that nobody asked for.
	Reserve time.Duration
}

// Batch is the Lambda function that handles SQS batches with h. The mapping must
// have ReportBatchItemFailures, or one failure brings the whole batch back.
//
// A message to be parked is reported as failed like one to be redelivered: it
// comes back until maxReceiveCount moves it to the dead-letter queue, which is
// slower than parking it here and needs no permission to write anywhere.
func Batch(cfg Config, h queue.Handler) func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
	return func(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
		out := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for _, record := range e.Records {
			m := message(record)
			if cfg.late(ctx) || !cfg.done(ctx, m, h) {
				out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
			}
		}
		return out, nil
	}
}

// done reports whether m needs no further delivery.
func (cfg Config) done(ctx context.Context, m queue.Message, h queue.Handler) bool {
	disposition, err := queue.Run(ctx, m, h)
	label := telemetry.Label{Name: "queue", Value: m.Queue}
	if disposition == "" {
		// One line and one count a step: an alarm on "no success lately" needs a success.
		cfg.Logger.InfoContext(telemetry.WithTrace(ctx, m.Trace), "message done", "queue", m.Queue, "message", m.ID, "attempt", m.Attempt)
		cfg.Metrics.Count("MessageDone", 1, label)
		return true
	}
	cfg.Logger.ErrorContext(telemetry.WithTrace(ctx, m.Trace), "message failed", "queue", m.Queue, "message", m.ID,
		"attempt", m.Attempt, "disposition", string(disposition), "error", err)
	// The invocation succeeds, so Lambda's own Errors metric stays at 0.
	cfg.Metrics.Count("MessageFailed", 1, label)
	if disposition == fault.Park {
		cfg.Metrics.Count("MessageParked", 1, label)
	}
	return disposition == fault.Drop
}

// late reports whether too little time is left to begin another message.
func (cfg Config) late(ctx context.Context) bool {
	end, bounded := ctx.Deadline()
	return bounded && end.Sub(cfg.Now()) < cfg.Reserve
}

// message is one SQS record. A hop count that cannot be read counts as one too
// many: who tampers with it does not get to start a circle.
func message(r events.SQSMessage) queue.Message {
	m := queue.Message{ID: r.MessageId, Queue: r.EventSourceARN[strings.LastIndexByte(r.EventSourceARN, ':')+1:], Body: []byte(r.Body), Attempt: 1}
	if n, err := strconv.Atoi(r.Attributes["ApproximateReceiveCount"]); err == nil && n > 0 {
		m.Attempt = n
	}
	if a, ok := r.MessageAttributes[queue.HopsAttribute]; ok {
		m.Hops = queue.MaxHops + 1
		if a.StringValue != nil {
			if n, err := strconv.Atoi(*a.StringValue); err == nil && n >= 0 {
				m.Hops = n
			}
		}
	}
	if a, ok := r.MessageAttributes[queue.TraceAttribute]; ok && a.StringValue != nil {
		m.Trace = *a.StringValue
	}
	return m
}

// Decode turns a stream record into a change; false for a record that is none,
// such as the removal of an expired item.
type Decode func(events.DynamoDBEventRecord) (table.Change, bool, error)

// Stream is the Lambda function that gives the changes of a table stream to h,
// in order. It stops at the first that fails and reports its sequence number,
// so that the shard begins there again and nothing after it is done out of turn.
func Stream(cfg Config, decode Decode, h func(context.Context, table.Change) error) func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	return func(ctx context.Context, e events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		out := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
		for _, record := range e.Records {
			m := queue.Message{ID: record.Change.SequenceNumber, Queue: "stream", Attempt: 1}
			give := func(ctx context.Context, _ queue.Message) error {
				change, ok, err := decode(record)
				if err != nil || !ok {
					return err
				}
				return h(ctx, change)
			}
			if cfg.late(ctx) || !cfg.done(ctx, m, give) {
				out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: record.Change.SequenceNumber})
				break
			}
		}
		return out, nil
	}
}

// Changes is Stream for a function that takes a batch as one. When h fails, the
// whole batch comes again, halved until what fails stands alone. A record that
// cannot be read is given up by itself in the same way.
func Changes(cfg Config, decode Decode, h func(context.Context, []table.Change) error) func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
	return func(ctx context.Context, e events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		out := events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{}}
		if len(e.Records) == 0 {
			return out, nil
		}
		var changes []table.Change
		failed := func(at string) {
			out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: at})
		}
		unread := ""
		for _, record := range e.Records {
			change, ok, err := decode(record)
			if err != nil {
				cfg.Logger.ErrorContext(ctx, "record cannot be read", "record", record.Change.SequenceNumber, "error", err)
				cfg.Metrics.Count("MessageFailed", 1, telemetry.Label{Name: "queue", Value: "stream"})
				unread = record.Change.SequenceNumber
				break
			}
			if ok {
				changes = append(changes, change)
			}
		}
		first := queue.Message{ID: e.Records[0].Change.SequenceNumber, Queue: "stream", Attempt: 1}
		give := func(ctx context.Context, _ queue.Message) error { return h(ctx, changes) }
		switch {
		case len(changes) > 0 && !cfg.done(ctx, first, give):
			failed(first.ID)
		case unread != "":
			failed(unread)
		}
		return out, nil
	}
}
