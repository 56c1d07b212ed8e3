// Package doudi holds template.yaml, the one place where routes, queues, the
// stream and the schedule are written down, and reads from it what a server
// needs to know. It refuses to know what the functions do.
package doudi

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed template.yaml
var templateYAML []byte

// Template is the wiring of the whole system.
type Template struct {
	Functions map[string]Function // by the name of the folder: "apply"
	Queues    map[string]Queue    // by what they carry: "pay"
}

// Function is one deployable operation and what calls it.
type Function struct {
	Routes   []Route       // of an HTTP function, as in the file
	Queue    string        // the queue it works through, or ""
	Batch    int           // messages of one invocation
	Parallel int           // invocations at once, 0 when not limited
	Stream   bool          // gets the changes of the table
	Changes  Changes       // how it gets them, when Stream
	Schedule time.Duration // between two runs, or 0
	Timeout  time.Duration
	// Settings are its environment: what the file says literally, and "" for
	// what only a deployment knows.
	Settings map[string]string
}

// Changes is the mapping of the table's stream to a function.
type Changes struct {
	Batch    int           // records of one invocation
	Parallel int           // invocations at once for one shard
	Bisect   bool          // a failed batch is halved
	Retries  int           // of one batch before it is given up
	MaxAge   time.Duration // of a record before it is given up
	Dead     string        // logical id of the queue that gets pointers to what was given up
	Filters  []string      // patterns, any of which a record must match
}

// Route is one method on one path; the path is written as net/http has it.
type Route struct{ Method, Path string }

// String is the pattern for net/http: "POST /v1/sessions".
func (r Route) String() string { return r.Method + " " + r.Path }

// Queue is one queue of messages.
type Queue struct {
	Visibility time.Duration // how long a delivered message is hidden
	MaxReceive int           // deliveries before it becomes a dead letter
	Dead       string        // logical id of the queue of its dead letters
}

// Load reads the template this program was built with.
func Load() (*Template, error) { return Parse(templateYAML) }

// document is the part of a SAM template that is read here. Whatever may be an
// intrinsic function stays a node.
type document struct {
	Globals struct {
		Function struct {
			Environment environmentForm `yaml:"Environment"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	} `yaml:"Resources"`
}

type functionForm struct {
	CodeURI     string               `yaml:"CodeUri"`
	Timeout     int                  `yaml:"Timeout"`
	Environment environmentForm      `yaml:"Environment"`
	Events      map[string]eventForm `yaml:"Events"`
}

type environmentForm struct {
	Variables map[string]yaml.Node `yaml:"Variables"`
}

// settings are the variables; one that is an intrinsic function is "".
func (e environmentForm) settings(to map[string]string) {
	for name, v := range e.Variables {
		if to[name] = ""; v.Kind == yaml.ScalarNode && strings.HasPrefix(v.Tag, "!!") {
			to[name] = v.Value
		}
	}
}

type eventForm struct {
	Type       string `yaml:"Type"`
	Properties struct {
		Method    string    `yaml:"Method"`
		Path      string    `yaml:"Path"`
		Schedule  string    `yaml:"Schedule"`
		Queue     yaml.Node `yaml:"Queue"`
		BatchSize int       `yaml:"BatchSize"`
		Scaling   struct {
			Maximum int `yaml:"MaximumConcurrency"`
		} `yaml:"ScalingConfig"`
		Parallel int  `yaml:"ParallelizationFactor"`
		Bisect   bool `yaml:"BisectBatchOnFunctionError"`
		Retries  int  `yaml:"MaximumRetryAttempts"`
		MaxAge   int  `yaml:"MaximumRecordAgeInSeconds"`
		Filter   struct {
			Filters []struct {
				Pattern string `yaml:"Pattern"`
			} `yaml:"Filters"`
		} `yaml:"FilterCriteria"`
		Destination struct {
			OnFailure struct {
				To yaml.Node `yaml:"Destination"`
			} `yaml:"OnFailure"`
		} `yaml:"DestinationConfig"`
	} `yaml:"Properties"`
}

type queueForm struct {
	VisibilityTimeout int `yaml:"VisibilityTimeout"`
	RedrivePolicy     *struct {
		Dead       yaml.Node `yaml:"deadLetterTargetArn"`
		MaxReceive int       `yaml:"maxReceiveCount"`
	} `yaml:"RedrivePolicy"`
}

// Parse reads a template, and reports everything in it that a server could not
// run: a queue nobody reads, a route written twice, an unknown kind of event.
func Parse(raw []byte) (*Template, error) {
	var doc document
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	t := &Template{Functions: map[string]Function{}, Queues: map[string]Queue{}}
	var problems []error
	for id, r := range doc.Resources {
		var err error
		switch r.Type {
		case "AWS::Serverless::Function":
			err = t.addFunction(r.Properties, doc.Globals.Function.Environment)
		case "AWS::SQS::Queue":
			err = t.addQueue(id, r.Properties)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("template: %s: %w", id, err))
		}
	}
	problems = append(problems, t.check()...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) addFunction(properties yaml.Node, globals environmentForm) error {
	var form functionForm
	if err := properties.Decode(&form); err != nil {
		return err
	}
	name, ok := strings.CutSuffix(path.Base(form.CodeURI), ".zip")
	if !ok {
		return fmt.Errorf("CodeUri %q is not a zip", form.CodeURI)
	}
	f := Function{Timeout: time.Duration(form.Timeout) * time.Second, Settings: map[string]string{}}
	globals.settings(f.Settings)
	form.Environment.settings(f.Settings)
	for event, e := range form.Events {
		p := e.Properties
		switch e.Type {
		case "HttpApi":
			f.Routes = append(f.Routes, Route{p.Method, p.Path})
		case "SQS":
			f.Queue, f.Batch, f.Parallel = queueName(target(p.Queue)), p.BatchSize, p.Scaling.Maximum
		case "DynamoDB":
			f.Stream = true
			f.Changes = Changes{Batch: p.BatchSize, Parallel: max(1, p.Parallel), Bisect: p.Bisect, Retries: p.Retries,
				MaxAge: time.Duration(p.MaxAge) * time.Second, Dead: target(p.Destination.OnFailure.To)}
			for _, one := range p.Filter.Filters {
				f.Changes.Filters = append(f.Changes.Filters, one.Pattern)
			}
		case "Schedule":
			every, err := rate(p.Schedule)
			if err != nil {
				return fmt.Errorf("%s: %w", event, err)
			}
			f.Schedule = every
		default:
			return fmt.Errorf("%s: event of unknown type %q", event, e.Type)
		}
	}
	slices.SortFunc(f.Routes, func(a, b Route) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	t.Functions[name] = f
	return nil
}

// addQueue keeps queues of work; a queue of dead letters has none of its own.
func (t *Template) addQueue(id string, properties yaml.Node) error {
	var form queueForm
	if err := properties.Decode(&form); err != nil {
		return err
	}
	if form.RedrivePolicy == nil {
		return nil
	}
	t.Queues[queueName(id)] = Queue{
		Visibility: time.Duration(form.VisibilityTimeout) * time.Second,
		MaxReceive: form.RedrivePolicy.MaxReceive,
		Dead:       target(form.RedrivePolicy.Dead),
	}
	return nil
}

// queueName is what the queue with a logical id carries: "PayQueue" is "pay".
func queueName(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Queue")) }

// target is the logical id that !GetAtt X.Arn speaks of, or "".
func target(n yaml.Node) string {
	if n.Tag != "!GetAtt" {
		return ""
	}
	id, _, _ := strings.Cut(n.Value, ".")
	return id
}

// rate reads "rate(1 minute)".
func rate(s string) (time.Duration, error) {
	var n int
	var unit string
	if _, err := fmt.Sscanf(s, "rate(%d %s", &n, &unit); err != nil || n < 1 {
		return 0, fmt.Errorf("schedule %q is not rate(n minutes)", s)
	}
	switch strings.TrimSuffix(unit, ")") {
	case "minute", "minutes":
		return time.Duration(n) * time.Minute, nil
	case "hour", "hours":
		return time.Duration(n) * time.Hour, nil
	}
	return 0, fmt.Errorf("schedule %q is not in minutes or hours", s)
}

func (t *Template) check() []error {
	var problems []error
	readers, routes := map[string]string{}, map[Route]string{}
	for name, f := range t.Functions {
		if f.Timeout <= 0 {
			problems = append(problems, fmt.Errorf("template: %s has no Timeout", name))
		}
		for _, r := range f.Routes {
			if other, twice := routes[r]; twice {
				problems = append(problems, fmt.Errorf("template: %s leads to %s and to %s", r, other, name))
			}
			routes[r] = name
		}
		if f.Queue == "" {
			continue
		}
		q, known := t.Queues[f.Queue]
		if !known {
			problems = append(problems, fmt.Errorf("template: %s reads %s, which is not a queue of work", name, f.Queue))
			continue
		}
		readers[f.Queue] = name
		if q.Visibility < 6*f.Timeout {
			problems = append(problems, fmt.Errorf("template: queue %s hides a message for %s, less than six times the %s of %s", f.Queue, q.Visibility, f.Timeout, name))
		}
	}
	for name, q := range t.Queues {
		if readers[name] == "" {
			problems = append(problems, fmt.Errorf("template: nobody reads queue %s", name))
		}
		if q.MaxReceive < 5 || q.Dead == "" {
			problems = append(problems, fmt.Errorf("template: queue %s needs a dead-letter queue and at least five deliveries", name))
		}
	}
	return problems
}
