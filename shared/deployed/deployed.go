// Package deployed is what every function on Lambda is wired with: settings,
// the table, keys under KMS, the log and the ways in. It reads the environment
// so that nobody else does, and only lambda/main.go imports it. It knows no
// noun.
package deployed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/config"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/lambdahttp"
	"github.com/doudi-aid/doudi/shared/lambdaqueue"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/seal/kmskeys"
	"github.com/doudi-aid/doudi/shared/session"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// outsideTimeout is the last limit on a call to the outside; clients have
// shorter ones of their own.
const outsideTimeout = 30 * time.Second

// reserve is how long before the end of an invocation no message is begun.
const reserve = 8 * time.Second

// World is what a function gets from where it runs.
type World struct {
	Settings *config.Reader
	Region   string
	Table    table.Store
	IDs      *ident.Source
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  telemetry.Metrics
	HTTP     *http.Client // to the outside
	AWS      *awscall.Client
	// Watch writes down who looks; watch.Over. Where staff ask, it must be set.
	Watch httpapi.Watch
}

// Main runs a function: run builds its Deps and starts it, and does not return
// but with an error. A function that cannot be wired stops before it has
// answered anybody.
func Main(run func(context.Context, *World) error) {
	log := telemetry.NewLogger(os.Stdout, slog.LevelInfo)
	ctx := context.Background()
	if err := run(ctx, open(os.LookupEnv, log)); err != nil {
		log.ErrorContext(ctx, "cannot start", "error", err)
		os.Exit(1)
	}
}

// open notes what is wrong with the settings and does not stop at it: run reads
// more of them, and whoever deploys is told of all at once.
func open(lookup func(string) (string, bool), log *slog.Logger) *World {
	settings := config.From(lookup)
	w := &World{Settings: settings, Region: settings.Text("AWS_REGION"), Now: time.Now, IDs: ident.Random(), Log: log,
		Metrics: telemetry.NewEMF(os.Stdout, "Doudi", time.Now),
		HTTP:    &http.Client{Timeout: outsideTimeout, Transport: telemetry.Carry(&http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true})}}
	credentials := awscall.Environment(func(name string) string {
		v, _ := lookup(name)
		return v
	})
	endpoints := map[string]string{}
	for service, variable := range map[string]string{"dynamodb": "DYNAMODB", "kms": "KMS", "secretsmanager": "SECRETS_MANAGER", "sqs": "SQS", "s3": "S3"} {
		endpoints[service] = w.endpoint(variable)
	}
	to := awshttp.NewBuildableClient() // one set of connections for all of AWS
	w.AWS = awscall.New(awscall.Config{Region: w.Region, Credentials: credentials, HTTP: to, Now: w.Now, Endpoint: func(service string) string { return endpoints[service] }})
	w.Table = dynamo.New(w.AWS, settings.Text("DOUDI_TABLE"), w.IDs)
	return w
}

// endpoint is where a service of AWS is, by the last word of AWS's own variable
// for it: "KMS" is at AWS_ENDPOINT_URL_KMS. It is empty, the region's own, when
// that is not set, as it is in a deployed stack; a private endpoint and a
// machine that stands in for AWS set it.
func (w *World) endpoint(variable string) string {
	name := "AWS_ENDPOINT_URL_" + variable
	if !w.Settings.Has(name) {
		return ""
	}
	u := w.Settings.URL(name)
	if u == nil {
		return "" // the problem is noted, and stops the function
	}
	return u.String()
}

// Box seals and opens fields. It asks for keys when it is first used. Like Keys,
// it answers everything that is wrong with the settings read so far, so it is
// called when all are.
func (w *World) Box() (*seal.Box, error) {
	keys, err := w.keys()
	if err != nil {
		return nil, err
	}
	return seal.NewBox(keys, rand.Reader), nil
}

// Keys are the keys of sealed fields and of references, kept under KMS. Those of
// references are there when it returns.
func (w *World) Keys(ctx context.Context) (*seal.Box, *seal.Blind, error) {
	keys, err := w.keys()
	if err != nil {
		return nil, nil, err
	}
	blind, err := keys.Blind(ctx)
	return seal.NewBox(keys, rand.Reader), blind, err
}

func (w *World) keys() (*kmskeys.Keys, error) {
	arn, alg := w.Settings.Text("DOUDI_SEAL_KEY"), seal.AES256GCM
	if w.Settings.Has("DOUDI_SEAL_ALGORITHM") {
		var err error
		if alg, err = seal.ParseAlgorithm(w.Settings.Text("DOUDI_SEAL_ALGORITHM")); err != nil {
			w.Settings.Problem("DOUDI_SEAL_ALGORITHM", "must be AES-256-GCM or SM4-GCM")
		}
	}
	if err := w.Settings.Err(); err != nil {
		return nil, err
	}
	return kmskeys.New(w.AWS, w.Table, arn, alg, w.Now), nil
}

// Fen is an amount among the settings, at least 0.
func (w *World) Fen(name string) money.Fen { return money.Fen(w.Settings.Int(name, 0, 1<<40)) }

// Sessions are the sessions in the table.
func (w *World) Sessions() *session.Store { return session.NewStore(w.Table, rand.Reader, w.Now) }

// API is what serves routes.
func (w *World) API(routes []httpapi.Route) http.Handler {
	return httpapi.New(httpapi.Config{Sessions: w.Sessions(), Now: w.Now, IDs: w.IDs, Logger: w.Log, Metrics: w.Metrics, Watch: w.Watch,
		Limiter: httpapi.NewMemoryLimiter(httpapi.Limits{}, w.Now)}, routes...)
}

// Serve answers API Gateway with routes. It does not return.
func (w *World) Serve(routes []httpapi.Route) { lambdahttp.Start(w.API(routes)) }

// Queue is how batches are handled.
func (w *World) Queue() lambdaqueue.Config {
	return lambdaqueue.Config{Logger: w.Log, Metrics: w.Metrics, Now: w.Now, Reserve: reserve}
}

// Work handles the messages of a queue. It does not return.
func (w *World) Work(h queue.Handler) { lambda.Start(lambdaqueue.Batch(w.Queue(), h)) }

// WorkWith handles the messages of a queue by what get answers for each: for a
// handler made of secrets. Where get fails nothing was touched, and the message
// comes again. It does not return.
func (w *World) WorkWith(get func(context.Context) (queue.Handler, error)) {
	w.Work(func(ctx context.Context, m queue.Message) error {
		h, err := get(ctx)
		if err != nil {
			return err
		}
		return h(ctx, m)
	})
}

// Two is a function that is called and has a queue.
type Two struct {
	API  http.Handler
	Work queue.Handler
}

// ServeAndWorkWith does both, by what get answers. It does not return.
func (w *World) ServeAndWorkWith(get func(context.Context) (Two, error)) {
	serve := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		two, err := get(r.Context())
		if err != nil {
			w.Log.ErrorContext(r.Context(), "cannot serve", "error", err)
			http.Error(out, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable) // callers are machines and come again
			return
		}
		two.API.ServeHTTP(out, r)
	})
	work := func(ctx context.Context, m queue.Message) error {
		two, err := get(ctx)
		if err != nil {
			return err
		}
		return two.Work(ctx, m)
	}
	lambda.Start(both(lambdahttp.Adapt(serve), lambdaqueue.Batch(w.Queue(), work)))
}

// both tells an SQS batch from a request by its records, which no request has.
func both(serve func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error),
	work func(context.Context, events.SQSEvent) (events.SQSEventResponse, error),
) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var batch events.SQSEvent
		if err := json.Unmarshal(raw, &batch); err == nil && len(batch.Records) > 0 {
			return work(ctx, batch)
		}
		var request events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(raw, &request); err != nil {
			return nil, err
		}
		return serve(ctx, request)
	}
}

// Three is a function that is called, gets the changes of the table and runs by
// the clock.
type Three struct {
	API     http.Handler
	Changes func(context.Context, []table.Change) error
	Tick    func(context.Context) error
}

// ServeChangesAndTickWith does all three, by what get answers. Where get fails
// nothing was touched: callers come again, and so do records. decode reads a
// record of the stream. It does not return.
func (w *World) ServeChangesAndTickWith(decode lambdaqueue.Decode, get func(context.Context) (Three, error)) {
	serve := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		three, err := get(r.Context())
		if err != nil {
			w.Log.ErrorContext(r.Context(), "cannot serve", "error", err)
			http.Error(out, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable) // callers are machines and come again
			return
		}
		three.API.ServeHTTP(out, r)
	})
	changes := lambdaqueue.Changes(w.Queue(), decode, func(ctx context.Context, all []table.Change) error {
		three, err := get(ctx)
		if err != nil {
			return err
		}
		return three.Changes(ctx, all)
	})
	tick := func(ctx context.Context) error {
		three, err := get(ctx)
		if err != nil {
			return err
		}
		return three.Tick(ctx)
	}
	lambda.Start(three(lambdahttp.Adapt(serve), changes, tick))
}

// ServeAndTick answers API Gateway with routes, and runs tick by the clock. It does
// not return.
func (w *World) ServeAndTick(routes []httpapi.Route, tick func(context.Context) error) {
	unread := func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
		return events.DynamoDBEventResponse{}, errors.New("no stream is read here")
	}
	lambda.Start(three(lambdahttp.Adapt(w.API(routes)), unread, tick))
}

// three tells a batch of changes by its records, the clock by its name, and takes
// all else for a request.
func three(serve func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error),
	changes func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error), tick func(context.Context) error,
) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var which struct {
			Records []json.RawMessage `json:"Records"`
			Source  string            `json:"source"`
		}
		if err := json.Unmarshal(raw, &which); err != nil {
			return nil, err
		}
		switch {
		case len(which.Records) > 0:
			var batch events.DynamoDBEvent
			if err := json.Unmarshal(raw, &batch); err != nil {
				return nil, err
			}
			return changes(ctx, batch)
		case which.Source == "aws.events":
			return nil, tick(ctx)
		}
		var request events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(raw, &request); err != nil {
			return nil, err
		}
		return serve(ctx, request)
	}
}
