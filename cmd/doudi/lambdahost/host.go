// Package lambdahost runs the shipped zips on one machine the way Lambda runs
// them: the real bootstrap binaries, over the real Runtime API, with the
// settings, limits and event sources that template.yaml gives them. It knows no
// noun and changes nothing in what it runs; what is deployed is what is tested.
package lambdahost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/shared/ident"
)

// Options say what is run and on what.
type Options struct {
	Template *doudi.Template
	Zips     string // directory of <function>.zip, built for this machine
	// Settings are the values of what the template leaves to a deployment, by
	// the setting's name.
	Settings map[string]string
	// Only are settings of one function instead, or besides.
	Only   map[string]map[string]string
	Queues *cloud.Queues // named as QueueName names them
	Stream Stream
	IDs    *ident.Source
	Log    *slog.Logger
	Output io.Writer // what the functions print
	// Most is how many environments of one function there may be; 0 for 16.
	Most int
	// Haste divides the schedule and the pauses between tries of a batch; 0 for 1.
	Haste time.Duration
}

// Stream is the table's stream.
type Stream struct {
	Client *dynamodbstreams.Client
	ARN    string
	// Lose, when it is not nil, is asked of every record; true loses it.
	Lose func(image map[string]string) bool
}

// QueueName is the name of the queue that the template calls by what it
// carries: "pay" is "PayQueue".
func QueueName(carries string) string {
	return string(carries[0]-'a'+'A') + carries[1:] + "Queue"
}

// Host runs functions. Safe for concurrent use.
type Host struct {
	options   Options
	functions map[string]*function
	dir       string // of what was unpacked
	ctx       context.Context
	stop      context.CancelFunc
	running   sync.WaitGroup
}

// defaultMost is how many environments of one function there may be when
// nothing is said.
const defaultMost = 16

// New unpacks the zips. Nothing runs until something is invoked.
func New(o Options) (*Host, error) {
	if o.Most == 0 {
		o.Most = defaultMost
	}
	if o.Haste == 0 {
		o.Haste = 1
	}
	dir, err := os.MkdirTemp("", "doudi-lambda-")
	if err != nil {
		return nil, err
	}
	h := &Host{options: o, functions: map[string]*function{}, dir: dir}
	h.ctx, h.stop = context.WithCancel(context.Background())
	var problems []error
	for name, f := range o.Template.Functions {
		home := filepath.Join(dir, name)
		if err := unpack(filepath.Join(o.Zips, name+".zip"), home); err != nil {
			problems = append(problems, err)
			continue
		}
		settings, err := h.settings(name, f)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		h.functions[name] = &function{name: name, home: home, settings: settings, timeout: f.Timeout,
			ctx: h.ctx, ids: o.IDs, log: o.Log, output: o.Output, room: make(chan struct{}, o.Most)}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// settings are a function's whole environment, as Lambda makes it.
func (h *Host) settings(name string, f doudi.Function) ([]string, error) {
	all := map[string]string{
		"AWS_REGION": cloud.Region, "AWS_DEFAULT_REGION": cloud.Region, "AWS_LAMBDA_FUNCTION_NAME": name,
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "_HANDLER": "bootstrap",
		"LAMBDA_TASK_ROOT": filepath.Join(h.dir, name), "TZ": ":UTC", "LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin",
		// Words: nobody here checks them. The token says whose call it is; the key
		// cannot, because DynamoDB Local keeps one set of tables for each.
		"AWS_ACCESS_KEY_ID": cloud.AccessKey, "AWS_SECRET_ACCESS_KEY": cloud.AccessKey, "AWS_SESSION_TOKEN": name,
	}
	for setting, value := range f.Settings {
		said := value != ""
		if !said {
			value, said = h.options.Settings[setting]
		}
		if _, told := h.options.Only[name][setting]; !said && !told {
			return nil, fmt.Errorf("lambdahost: %s: nobody says what %s is here", name, setting)
		}
		all[setting] = value
	}
	// Where the stand-ins are is not for the template to say.
	for setting, value := range h.options.Settings {
		if strings.HasPrefix(setting, "AWS_ENDPOINT_URL_") {
			all[setting] = value
		}
	}
	maps.Copy(all, h.options.Only[name])
	var out []string
	for setting, value := range all {
		out = append(out, setting+"="+value)
	}
	return out, nil
}

// Invoke runs a function once and answers what it answered. The error is a
// *Failure when the function failed.
func (h *Host) Invoke(ctx context.Context, name string, event []byte) ([]byte, error) {
	f := h.functions[name]
	if f == nil {
		return nil, fmt.Errorf("lambdahost: no function %q", name)
	}
	return f.invoke(ctx, event)
}

// Kill ends every environment of a function, wherever it is in its work, and
// says how many there were. The next invocation is a cold start.
func (h *Host) Kill(name string) int { return h.functions[name].kill() }

// Start makes one environment of a function ready, as provisioned concurrency
// does, and leaves it idle.
func (h *Host) Start(name string) error { return h.functions[name].warm() }

// Report is what a function did so far.
type Report struct {
	Starts, Invocations, Failures int

	Ready int           // environments that asked for an event
	Init  time.Duration // from their start to that, of all of them together
	CPU   time.Duration // of environments that have ended, together
	Busy  time.Duration // from event to answer, of all invocations together: what is billed, beside Init
}

// Report is what a function did so far.
func (h *Host) Report(name string) Report { return h.functions[name].soFar() }

// Run starts the event sources: queues, stream and schedules. They end with
// Close.
func (h *Host) Run() error {
	for name, f := range h.options.Template.Functions {
		if f.Queue != "" {
			for range max(1, f.Parallel) {
				h.running.Go(func() { h.poll(name, f) })
			}
		}
		if f.Schedule > 0 {
			h.running.Go(func() { h.tick(name, f.Schedule/h.options.Haste) })
		}
		if f.Stream {
			m, err := h.mapping(name, f.Changes)
			if err != nil {
				return err
			}
			h.running.Go(m.run)
		}
	}
	return nil
}

// Close ends the event sources and every environment, at once: whatever was
// under way is done again elsewhere, as after any crash.
func (h *Host) Close() error {
	h.stop()
	h.running.Wait()
	for _, f := range h.functions {
		f.close()
	}
	return os.RemoveAll(h.dir)
}
