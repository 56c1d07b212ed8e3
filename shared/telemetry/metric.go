package telemetry

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Metrics takes counts and ages. Names and labels are fixed words of ours; a
// value of the outside in a label would be personal data and a bill.
type Metrics interface {
	// Count adds n to the counter name.
	Count(name string, n int64, labels ...Label)
	// Age records how old the oldest thing of its kind is.
	Age(name string, age time.Duration, labels ...Label)
}

// Label is one dimension of a metric.
type Label struct{ Name, Value string }

// Discard takes metrics and does nothing.
var Discard Metrics = discard{}

type discard struct{}

func (discard) Count(string, int64, ...Label)       {}
func (discard) Age(string, time.Duration, ...Label) {}

// EMF writes metrics as CloudWatch embedded metric format, one JSON line each,
// which a Lambda function only has to print.
type EMF struct {
	mu        sync.Mutex
	w         io.Writer
	namespace string
	now       func() time.Time
}

// NewEMF writes to w under namespace.
func NewEMF(w io.Writer, namespace string, now func() time.Time) *EMF {
	return &EMF{w: w, namespace: namespace, now: now}
}

// Count adds n to the counter name.
func (m *EMF) Count(name string, n int64, labels ...Label) {
	m.line(name, "Count", n, labels)
}

// Age records age in whole seconds.
func (m *EMF) Age(name string, age time.Duration, labels ...Label) {
	m.line(name, "Seconds", int64(age/time.Second), labels)
}

func (m *EMF) line(name, unit string, value int64, labels []Label) {
	type metric struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
	type directive struct {
		Namespace  string     `json:"Namespace"`
		Dimensions [][]string `json:"Dimensions"`
		Metrics    []metric   `json:"Metrics"`
	}
	names := make([]string, len(labels))
	line := map[string]any{name: value}
	for i, l := range labels {
		names[i] = l.Name
		line[l.Name] = l.Value
	}
	line["_aws"] = map[string]any{
		"Timestamp":         m.now().UnixMilli(),
		"CloudWatchMetrics": []directive{{m.namespace, [][]string{names}, []metric{{name, unit}}}},
	}
	out, err := json.Marshal(line)
	if err != nil {
		return // strings and integers always marshal
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = m.w.Write(append(out, '\n')) // a metric that cannot be written must not stop the work
}
