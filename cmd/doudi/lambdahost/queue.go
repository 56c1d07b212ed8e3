package lambdahost

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
)

// poll is one poller of a queue's mapping: it receives a batch, invokes, and
// deletes what was done. What failed stays hidden until its time is up.
func (h *Host) poll(name string, f doudi.Function) {
	queue := QueueName(f.Queue)
	for h.ctx.Err() == nil {
		batch := h.options.Queues.Receive(h.ctx, queue, max(1, f.Batch))
		if len(batch) == 0 {
			continue
		}
		event, err := json.Marshal(sqsEvent(queue, batch))
		if err != nil {
			h.options.Log.Error("event of a queue", "queue", queue, "err", err)
			continue
		}
		answer, err := h.Invoke(h.ctx, name, event)
		if err != nil {
			if h.ctx.Err() == nil {
				h.options.Log.Warn("a batch failed", "queue", queue, "messages", len(batch), "why", kind(err))
			}
			continue
		}
		failed, ok := failures(answer, batch)
		if !ok { // nothing is lost to a misprint
			h.options.Log.Warn("an answer to a batch is none, or names what was not in it", "queue", queue)
			continue
		}
		for _, m := range batch {
			if !slices.Contains(failed, m.ID) {
				h.options.Queues.Delete(queue, m.Receipt)
			}
		}
	}
}

// failures are the ids that an answer gives back; false when the answer is not
// one, or gives back what was not in the batch. No answer gives nothing back.
func failures(answer []byte, batch []cloud.Message) (ids []string, ok bool) {
	var out events.SQSEventResponse
	if len(answer) == 0 {
		return nil, true
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return nil, false
	}
	for _, f := range out.BatchItemFailures {
		if !slices.ContainsFunc(batch, func(m cloud.Message) bool { return m.ID == f.ItemIdentifier }) {
			return nil, false
		}
		ids = append(ids, f.ItemIdentifier)
	}
	return ids, true
}

func sqsEvent(queue string, batch []cloud.Message) events.SQSEvent {
	var e events.SQSEvent
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	for _, m := range batch {
		r := events.SQSMessage{MessageId: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, Md5OfBody: m.MD5(), EventSource: "aws:sqs",
			EventSourceARN: cloud.ARN("sqs", queue), AWSRegion: cloud.Region, MessageAttributes: map[string]events.SQSMessageAttribute{},
			Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.Received), "SentTimestamp": millis(m.Sent),
				"ApproximateFirstReceiveTimestamp": millis(m.First), "SenderId": cloud.Account}}
		for name, a := range m.Attributes {
			r.MessageAttributes[name] = events.SQSMessageAttribute{StringValue: &a.StringValue, DataType: a.DataType}
		}
		e.Records = append(e.Records, r)
	}
	return e
}

// tick is a schedule. A run that takes longer than the pause is followed at
// once by the next, and never overtaken.
func (h *Host) tick(name string, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		event, err := json.Marshal(events.CloudWatchEvent{Version: "0", ID: h.options.IDs.New(), DetailType: "Scheduled Event", Source: "aws.events",
			AccountID: cloud.Account, Time: time.Now().UTC().Truncate(time.Second), Region: cloud.Region, Detail: json.RawMessage("{}")})
		if err == nil {
			_, err = h.Invoke(h.ctx, name, event)
		}
		if err != nil && h.ctx.Err() == nil {
			h.options.Log.Warn("a scheduled run failed", "function", name, "why", kind(err))
		}
		select {
		case <-h.ctx.Done():
			return
		case <-t.C:
		}
	}
}
