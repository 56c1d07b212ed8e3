// Package deployed is what every function on Lambda is wired with: settings,
// the table, keys under KMS, the log and the ways in. It reads the environment
// so that nobody else does, and only lambda/main.go imports it. It knows no
// noun.
package deployed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

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
	Settings    *config.Reader
	Region      string
	Credentials aws.CredentialsProvider
	Table       table.Store
	IDs         *ident.Source
	Now         func() time.Time
	Log         *slog.Logger
	Metrics     telemetry.Metrics
	HTTP        *http.Client // to the outside
}

// Main runs a function: run builds its Deps and starts it, and does not return
// but with an error. A function that cannot be wired stops before it has
// answered anybody.
func Main(run func(context.Context, *World) error) {
	log := telemetry.NewLogger(os.Stdout, slog.LevelInfo)
	ctx := context.Background()
	w, err := open(os.LookupEnv, log)
	if err == nil {
		err = run(ctx, w)
	}
	if err != nil {
		log.ErrorContext(ctx, "cannot start", "error", err)
		os.Exit(1)
	}
}

func open(lookup func(string) (string, bool), log *slog.Logger) (*World, error) {
	settings := config.From(lookup)
	region, name := settings.Text("AWS_REGION"), settings.Text("DOUDI_TABLE")
	if err := settings.Err(); err != nil {
		return nil, err
	}
	w := &World{Settings: settings, Region: region, Now: time.Now, IDs: ident.Random(), Log: log,
		Metrics: telemetry.NewEMF(os.Stdout, "Doudi", time.Now),
		HTTP:    &http.Client{Timeout: outsideTimeout, Transport: telemetry.Carry(&http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true})},
		Credentials: dynamo.Environment(func(name string) string {
			v, _ := lookup(name)
			return v
		})}
	at := w.Endpoint("DYNAMODB")
	if err := settings.Err(); err != nil {
		return nil, err
	}
	w.Table = dynamo.New(dynamo.Lean(region, aws.ToString(at), w.Credentials, nil), name, w.IDs)
	return w, nil
}

// Endpoint is where a service of AWS is, by the last word of AWS's own variable
// for it: "KMS" is at AWS_ENDPOINT_URL_KMS. It is nil, the region's own, when
// that is not set, as it is in a deployed stack; a private endpoint and a
// machine that stands in for AWS set it.
func (w *World) Endpoint(service string) *string {
	name := "AWS_ENDPOINT_URL_" + service
	if !w.Settings.Has(name) {
		return nil
	}
	u := w.Settings.URL(name)
	if u == nil {
		return nil // the problem is noted, and stops the function
	}
	return aws.String(u.String())
}

// Keys are the keys of sealed fields and of references, kept under KMS.
func (w *World) Keys(ctx context.Context) (*seal.Box, *seal.Blind, error) {
	arn, at := w.Settings.Text("DOUDI_SEAL_KEY"), w.Endpoint("KMS")
	if err := w.Settings.Err(); err != nil {
		return nil, nil, err
	}
	keys := kmskeys.New(kms.New(kms.Options{Region: w.Region, Credentials: w.Credentials, BaseEndpoint: at}), w.Table, arn, w.Now)
	blind, err := keys.Blind(ctx)
	return seal.NewBox(keys, rand.Reader), blind, err
}

// Fen is an amount among the settings, at least 0.
func (w *World) Fen(name string) money.Fen { return money.Fen(w.Settings.Int(name, 0, 1<<40)) }

// Sessions are the sessions in the table.
func (w *World) Sessions() *session.Store { return session.NewStore(w.Table, rand.Reader, w.Now) }

// API is what serves routes.
func (w *World) API(routes []httpapi.Route) http.Handler {
	return httpapi.New(httpapi.Config{Sessions: w.Sessions(), Now: w.Now, IDs: w.IDs, Logger: w.Log, Metrics: w.Metrics,
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

// ServeAndWork does both, for a function that is called and has a queue. It does
// not return.
func (w *World) ServeAndWork(routes []httpapi.Route, h queue.Handler) {
	lambda.Start(both(lambdahttp.Adapt(w.API(routes)), lambdaqueue.Batch(w.Queue(), h)))
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
