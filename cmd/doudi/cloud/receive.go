package cloud

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The receiving half of SQS: Lambda's own poller does not use it, a person's
// tools do.

type receiveMessage struct {
	QueueURL   string `json:"QueueUrl"`
	Most       int    `json:"MaxNumberOfMessages"`
	Visibility *int   `json:"VisibilityTimeout"`
	Wait       int    `json:"WaitTimeSeconds"`
}

type receivedMessage struct {
	ID         string               `json:"MessageId"`
	Receipt    string               `json:"ReceiptHandle"`
	Body       string               `json:"Body"`
	MD5        string               `json:"MD5OfBody"`
	Attributes map[string]Attribute `json:"MessageAttributes,omitempty"`
}

func queueName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

var errNoQueue = &awsError{"QueueDoesNotExist", "The specified queue does not exist."}

func (c *Cloud) receiveMessage(in receiveMessage) (map[string]any, error) {
	if in.Most == 0 {
		in.Most = 1
	}
	if in.Most < 0 || in.Most > 10 {
		return nil, &awsError{"InvalidParameterValue", fmt.Sprintf("Value %d for parameter MaxNumberOfMessages is invalid. Reason: must be between 1 and 10.", in.Most)}
	}
	hide := time.Duration(-1)
	if in.Visibility != nil {
		hide = time.Duration(*in.Visibility) * time.Second
	}
	got, ok := c.options.Queues.Take(queueName(in.QueueURL), in.Most, hide)
	if !ok {
		return nil, errNoQueue
	}
	out := []receivedMessage{}
	for _, m := range got {
		out = append(out, receivedMessage{m.ID, m.Receipt, m.Body, m.MD5(), m.Attributes})
	}
	return map[string]any{"Messages": out}, nil
}

func (c *Cloud) deleteMessage(in struct {
	QueueURL string `json:"QueueUrl"`
	Receipt  string `json:"ReceiptHandle"`
}) (map[string]string, error) {
	if !c.options.Queues.Has(queueName(in.QueueURL)) {
		return nil, errNoQueue
	}
	c.options.Queues.Delete(queueName(in.QueueURL), in.Receipt)
	return map[string]string{}, nil
}

func (c *Cloud) queueAttributes(in struct {
	QueueURL string `json:"QueueUrl"`
}) (map[string]any, error) {
	if !c.options.Queues.Has(queueName(in.QueueURL)) {
		return nil, errNoQueue
	}
	return map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": strconv.Itoa(c.options.Queues.Visible(queueName(in.QueueURL)))}}, nil
}

// Has reports whether there is such a queue.
func (q *Queues) Has(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queues[name] != nil
}

// Visible is how many messages could be received now.
func (q *Queues) Visible(name string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	if l := q.queues[name]; l != nil {
		for _, m := range l.waiting {
			if !m.visible.After(q.now()) {
				n++
			}
		}
	}
	return n
}

// Take delivers up to most messages that are visible now, hidden for hide
// (negative: as the queue says); ok is false when there is no such queue.
func (q *Queues) Take(name string, most int, hide time.Duration) (got []Message, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.queues[name]
	if l == nil {
		return nil, false
	}
	if hide >= 0 {
		usual := l.Visibility
		l.Visibility = hide
		defer func() { l.Visibility = usual }()
	}
	got, _ = q.take(name, most)
	return got, true
}
