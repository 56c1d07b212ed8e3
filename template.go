// Package doudi holds template.yaml and the stacks of infra/ nested in it, the one
// place where routes, queues, the stream and the schedules are written down, and
// reads from them what a server needs to know. It refuses to know what the
// functions do.
package doudi

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed template.yaml infra/*.yaml
var stack embed.FS

// Root is the template of the root stack; the paths in it lead to those nested in it.
const Root = "template.yaml"

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

// bothMethods stands for a GET and a POST of one path: one event, and so one
// statement of the function's policy.
const bothMethods = "ANY"

// String is the pattern for net/http: "POST /v1/sessions".
func (r Route) String() string { return r.Method + " " + r.Path }

// Queue is one queue of messages.
type Queue struct {
	Visibility time.Duration // how long a delivered message is hidden
	MaxReceive int           // deliveries before it becomes a dead letter
	Dead       string        // logical id of the queue of its dead letters
}

// Load reads the template this program was built with.
func Load() (*Template, error) { return Parse(stack) }

// Stack is the template this program was built with: Root, and what is nested in
// it under infra/.
func Stack() fs.FS { return stack }

// document is the part of a SAM template that is read here. Whatever may be an
// intrinsic function stays a node.
type document struct {
	Globals struct {
		Function struct {
			Environment environmentForm `yaml:"Environment"`
		} `yaml:"Function"`
	} `yaml:"Globals"`
	Parameters map[string]struct {
		Default string `yaml:"Default"`
	} `yaml:"Parameters"`
	Resources map[string]resourceForm `yaml:"Resources"`
	Outputs   map[string]struct {
		Value yaml.Node `yaml:"Value"`
	} `yaml:"Outputs"`
}

type resourceForm struct {
	Type       string    `yaml:"Type"`
	Properties yaml.Node `yaml:"Properties"`
}

type nestedForm struct {
	TemplateURL string               `yaml:"TemplateURL"`
	Parameters  map[string]yaml.Node `yaml:"Parameters"`
}

// nested is one stack in another.
type nested struct {
	document
	parameters map[string]yaml.Node // what the root gives it
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
			Maximum yaml.Node `yaml:"MaximumConcurrency"`
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

type ruleForm struct {
	Schedule string `yaml:"ScheduleExpression"`
	Targets  []struct {
		To yaml.Node `yaml:"Arn"`
	} `yaml:"Targets"`
}

// reader is a root stack while it is read.
type reader struct {
	*Template
	root   document
	stacks map[string]nested    // by the logical id in the root
	names  map[string]string    // of functions, by their logical id
	rules  map[string]yaml.Node // schedules in nested stacks, by stack and logical id
}

// Parse reads the root stack of files and what is nested in it, and reports
// everything in it that a server could not run: a queue nobody reads, a route
// written twice, an unknown kind of event.
func Parse(files fs.FS) (*Template, error) {
	root, err := read(files, Root)
	if err != nil {
		return nil, err
	}
	r := &reader{Template: &Template{Functions: map[string]Function{}, Queues: map[string]Queue{}}, root: root,
		stacks: map[string]nested{}, names: map[string]string{}, rules: map[string]yaml.Node{}}
	var problems []error
	failed := func(where string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("template: %s: %w", where, err))
		}
	}
	for id, one := range root.Resources {
		if one.Type == "AWS::CloudFormation::Stack" {
			failed(id, r.nest(files, id, one.Properties))
		}
	}
	for id, one := range root.Resources {
		failed(id, r.add(id, id, one))
	}
	for stack, in := range r.stacks {
		for id, one := range in.Resources {
			if one.Type == "AWS::Serverless::Function" {
				failed(stack+"."+id, errors.New("a function stands in the root, where its routes can reach the API"))
				continue
			}
			failed(stack+"."+id, r.add(stack+"."+id, id, one))
		}
	}
	for id, rule := range r.rules {
		failed(id, r.addRule(id, rule))
	}
	problems = append(problems, r.check()...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r.Template, nil
}

func read(files fs.FS, name string) (document, error) {
	var doc document
	raw, err := fs.ReadFile(files, name)
	if err == nil {
		err = yaml.Unmarshal(raw, &doc)
	}
	if err != nil {
		return doc, fmt.Errorf("template: %s: %w", name, err)
	}
	return doc, nil
}

// nest reads a stack that is nested in the root.
func (r *reader) nest(files fs.FS, id string, properties yaml.Node) error {
	var form nestedForm
	if err := properties.Decode(&form); err != nil {
		return err
	}
	doc, err := read(files, form.TemplateURL)
	if err != nil {
		return err
	}
	r.stacks[id] = nested{doc, form.Parameters}
	return nil
}

func (r *reader) add(where, id string, one resourceForm) error {
	switch one.Type {
	case "AWS::Serverless::Function":
		return r.addFunction(id, one.Properties)
	case "AWS::SQS::Queue":
		return r.addQueue(id, one.Properties)
	case "AWS::Events::Rule":
		r.rules[where] = one.Properties
	}
	return nil
}

// addRule is a schedule that stands beside its function, in a nested stack.
func (r *reader) addRule(where string, properties yaml.Node) error {
	var form ruleForm
	if err := properties.Decode(&form); err != nil {
		return err
	}
	every, err := rate(form.Schedule)
	if err != nil {
		return err
	}
	stack, _, _ := strings.Cut(where, ".")
	for _, t := range form.Targets {
		id, _, _ := strings.Cut(r.stacks[stack].parameters[t.To.Value].Value, ".") // !Ref SweepArn, given as !Ref Sweep.Alias
		f, known := r.Functions[r.names[id]]
		if !known {
			return fmt.Errorf("%s is not a function", t.To.Value)
		}
		if f.Schedule != 0 {
			return fmt.Errorf("%s has two schedules", r.names[id])
		}
		f.Schedule = every
		r.Functions[r.names[id]] = f
	}
	return nil
}

func (r *reader) addFunction(id string, properties yaml.Node) error {
	var form functionForm
	err := properties.Decode(&form)
	if err != nil {
		return err
	}
	name, ok := strings.CutSuffix(path.Base(form.CodeURI), ".zip")
	if !ok {
		return fmt.Errorf("CodeUri %q is not a zip", form.CodeURI)
	}
	f := Function{Timeout: time.Duration(form.Timeout) * time.Second, Settings: map[string]string{}}
	r.root.Globals.Function.Environment.settings(f.Settings)
	form.Environment.settings(f.Settings)
	for event, e := range form.Events {
		p := e.Properties
		switch e.Type {
		case "HttpApi":
			if p.Method != bothMethods {
				f.Routes = append(f.Routes, Route{p.Method, p.Path})
				continue
			}
			f.Routes = append(f.Routes, Route{"GET", p.Path}, Route{"POST", p.Path})
		case "SQS":
			f.Queue, f.Batch = queueName(r.target(p.Queue)), p.BatchSize
			if f.Parallel, err = r.number(p.Scaling.Maximum); err != nil {
				return fmt.Errorf("%s: %w", event, err)
			}
		case "DynamoDB":
			f.Stream = true
			f.Changes = Changes{Batch: p.BatchSize, Parallel: max(1, p.Parallel), Bisect: p.Bisect, Retries: p.Retries,
				MaxAge: time.Duration(p.MaxAge) * time.Second, Dead: r.target(p.Destination.OnFailure.To)}
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
	r.Functions[name] = f
	r.names[id] = name
	return nil
}

// addQueue keeps queues of work; a queue of dead letters has none of its own.
func (r *reader) addQueue(id string, properties yaml.Node) error {
	var form queueForm
	if err := properties.Decode(&form); err != nil {
		return err
	}
	if form.RedrivePolicy == nil {
		return nil
	}
	r.Queues[queueName(id)] = Queue{
		Visibility: time.Duration(form.VisibilityTimeout) * time.Second,
		MaxReceive: form.RedrivePolicy.MaxReceive,
		Dead:       r.target(form.RedrivePolicy.Dead),
	}
	return nil
}

// queueName is what the queue with a logical id carries: "PayQueue" is "pay".
func queueName(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Queue")) }

// target is the logical id that !GetAtt X.Arn speaks of, in a nested stack when it
// is !GetAtt Stack.Outputs.Name, or "".
func (r *reader) target(n yaml.Node) string {
	if n.Tag != "!GetAtt" {
		return ""
	}
	id, rest, _ := strings.Cut(n.Value, ".")
	if name, ok := strings.CutPrefix(rest, "Outputs."); ok {
		value := r.stacks[id].Outputs[name].Value
		id, _, _ = strings.Cut(value.Value, ".")
	}
	return id
}

// number is n itself, the default of the parameter that n refers to, or 0.
func (r *reader) number(n yaml.Node) (int, error) {
	value := n.Value
	if n.Tag == "!Ref" {
		value = r.root.Parameters[n.Value].Default
	}
	if n.IsZero() {
		return 0, nil
	}
	return strconv.Atoi(value)
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
