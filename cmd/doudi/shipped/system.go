// Package shipped runs the whole system on one machine from the shipped zips:
// the host of Lambda functions, the stand-ins for AWS and for the world outside,
// and a DynamoDB engine. It decides nothing, and it is the nearest to a deployed
// stack that one machine can come.
package shipped

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/cmd/doudi/lambdahost"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/seal/kmskeys"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/dynamo/feed"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

// Region is the one that the stack serves.
const Region = "320400"

// Options are what the system can be told.
type Options struct {
	Listen      string // address of the API; port 0 picks one
	WorldListen string // address of the stand-in world; port 0 picks one, "" finds one
	Data        string // directory that keeps keys, evidence and the world; "" keeps nothing
	Endpoint    string // of the DynamoDB engine
	Zips        string // directory of the zips, built for this machine
	Scenario    string // file for the world; "" for a world where all goes well
	PayDelay    time.Duration
	Layout      string // of files that pay many; "" for none
	Wallets     bool   // the region that the stack serves pays into WeChat wallets
	Log         io.Writer
	Level       slog.Level
	Trouble     Trouble
}

// Trouble is what tests can have go wrong, or faster. The zero value is none.
type Trouble struct {
	// Haste divides the time for which queues hide messages, the schedule and the
	// pauses of the stream's mapping.
	Haste time.Duration
	Idle  bool                                            // nothing is delivered: no queue, no stream, no schedule
	Hook  func(cloud.Call)                                // sees each call of the functions to AWS, but for DynamoDB and S3
	Again func(queue string, m cloud.Message) bool        // delivers a message that is done once more
	Lose  func(image map[string]string) bool              // loses a record of the stream
	Only  func(at Addresses) map[string]map[string]string // settings of one function
}

// Addresses are where things are, for Trouble.Only.
type Addresses struct{ Table string }

// System is a running system.
type System struct {
	URL, WorldURL string
	LogKey        string // the evidence log's public key
	Table         table.Store
	Host          *lambdahost.Host
	Queues        *cloud.Queues

	log     *slog.Logger
	cancel  context.CancelFunc
	running sync.WaitGroup
	closers []func() error
	failed  chan error
}

// tableName is not that of package local: its items are sealed with other keys.
const tableName = "doudi-lambda"

const (
	bucket    = "evidence"
	logBucket = "log"
)

var words = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: cloud.AccessKey, SecretAccessKey: cloud.AccessKey, Source: "local"}, nil
})

// Start starts everything and answers when the API does. Close ends it; what
// was under way is taken up again by the next Start on the same data and table.
func Start(ctx context.Context, o Options) (*System, error) {
	s := &System{failed: make(chan error, 4), log: telemetry.NewLogger(o.Log, o.Level)}
	if o.Trouble.Haste == 0 {
		o.Trouble.Haste = 1
	}
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) start(ctx context.Context, o Options) error {
	template, err := doudi.Load()
	if err != nil {
		return err
	}
	if o.Data == "" {
		if o.Data, err = os.MkdirTemp("", "doudi-shipped-"); err != nil {
			return err
		}
		dir := o.Data
		s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	}
	if err := os.MkdirAll(filepath.Join(o.Data, "cloud"), 0o700); err != nil {
		return err
	}
	api, outside, err := local.Listen(local.Options{Listen: o.Listen, WorldListen: o.WorldListen, Data: o.Data})
	if err != nil {
		return err
	}
	amazon, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, api.Close(), outside.Close())
	}
	for _, l := range []net.Listener{api, outside, amazon} {
		s.closers = append(s.closers, func() error { _ = l.Close(); return nil }) // its server may have closed it
	}
	s.URL, s.WorldURL = "http://"+api.Addr().String(), "http://"+outside.Addr().String()
	at := "http://" + amazon.Addr().String()

	ids := ident.Random()
	stream, err := s.openTable(ctx, o.Endpoint, ids)
	if err != nil {
		return err
	}
	stream.Lose = o.Trouble.Lose
	s.Queues = cloud.NewQueues(queues(template, o.Trouble.Haste), time.Now, ids, o.Trouble.Again)
	services, err := cloud.New(cloud.Options{Dir: filepath.Join(o.Data, "cloud"), Queues: s.Queues, Buckets: []string{bucket, logBucket}, IDs: ids, Hook: o.Trouble.Hook})
	if err != nil {
		return err
	}
	s.serve(amazon, services)
	box, blind, err := keys(ctx, at, s.Table)
	if err != nil {
		return err
	}
	lines := local.Keys(blind.Ref("world", "seed"))
	templates := map[string]world.Template{}
	for kind, t := range local.Templates() {
		templates[string(kind)] = world.Template(t)
	}
	own, err := lines.Secrets("pages/case/case?id=", templates, o.Wallets)
	if err != nil {
		return err
	}
	for name, text := range own {
		services.Keep(name+"Secret", text)
	}
	signing, err := evidence.OpenKeys(filepath.Join(o.Data, "log-keys.json"), local.LogOrigin, rand.Reader)
	if err != nil {
		return err
	}
	secret, err := json.Marshal(signing)
	if err != nil {
		return err
	}
	services.Keep("LogSecret", string(secret))
	s.LogKey = signing.Public
	if err := s.openWorld(ctx, o, lines, outside); err != nil {
		return err
	}
	if err := local.Seed(ctx, s.Table, box, blind, division.Shipped(), time.Now, 0); err != nil {
		return err
	}
	host := lambdahost.Options{Template: template, Zips: o.Zips, Settings: settings(template, o, at, s.URL, s.WorldURL, lines.WeChatAppID, lines.Agreement),
		Queues: s.Queues, Stream: stream, IDs: ids, Log: s.log, Output: &output{to: o.Log, all: o.Level <= slog.LevelInfo}, Haste: o.Trouble.Haste}
	if o.Trouble.Only != nil {
		host.Only = o.Trouble.Only(Addresses{o.Endpoint})
	}
	if s.Host, err = lambdahost.New(host); err != nil {
		return err
	}
	s.closers = append(s.closers, s.Host.Close)
	if !o.Trouble.Idle {
		if err := s.Host.Run(); err != nil {
			return err
		}
	}
	s.serve(api, s.front(s.Host.API()))
	return nil
}

// openTable opens the store on the engine, making the table when it is not there.
func (s *System) openTable(ctx context.Context, endpoint string, ids *ident.Source) (lambdahost.Stream, error) {
	if endpoint == "" {
		return lambdahost.Stream{}, errors.New("shipped: an address of a DynamoDB engine is needed")
	}
	hc := &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 64}}
	s.closers = append(s.closers, func() error { hc.CloseIdleConnections(); return nil })
	client := setup.Client(cloud.Region, endpoint, words, hc)
	if err := setup.CreateTable(ctx, client, tableName); err != nil {
		return lambdahost.Stream{}, err
	}
	name := tableName
	out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return lambdahost.Stream{}, err
	}
	s.Table = dynamo.New(dynamo.Lean(cloud.Region, endpoint, words, hc, time.Now), tableName, ids)
	return lambdahost.Stream{Client: feed.Lean(cloud.Region, endpoint, words, hc), ARN: aws.ToString(out.Table.LatestStreamArn)}, nil
}

// keys are the keys of sealed fields, for seeding; the functions open their own.
func keys(ctx context.Context, at string, t table.Store) (*seal.Box, *seal.Blind, error) {
	calls := awscall.New(awscall.Config{Region: cloud.Region, Credentials: words, HTTP: awshttp.NewBuildableClient(), Now: time.Now,
		Endpoint: func(string) string { return at }})
	k := kmskeys.New(calls, t, cloud.SealKey, seal.AES256GCM, time.Now)
	blind, err := k.Blind(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("shipped: the table's keys are not those of this data directory: %w", err)
	}
	return seal.NewBox(k, rand.Reader), blind, nil
}

func (s *System) openWorld(ctx context.Context, o Options, lines world.Keys, l net.Listener) error {
	var scenario world.Scenario
	if o.Scenario != "" {
		raw, err := os.ReadFile(o.Scenario)
		if err == nil {
			scenario, err = world.ParseScenario(raw)
		}
		if err != nil {
			return fmt.Errorf("scenario: %w", err)
		}
	}
	w, err := world.New(world.Options{Dir: filepath.Join(o.Data, "world"), Keys: lines, Seed: lines.WeChatSecret, Scenario: scenario,
		CallbackURL: s.URL + "/v1/callbacks/bank", AdoptStrangers: true, Log: s.log, PayDelay: o.PayDelay})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, w.Close)
	s.serve(l, w.Handler())
	s.running.Go(func() {
		if err := w.Run(ctx); err != nil && ctx.Err() == nil {
			s.failed <- err
		}
	})
	return nil
}

// queues are the queues of the template, dead letters included.
func queues(t *doudi.Template, haste time.Duration) map[string]cloud.Queue {
	out := map[string]cloud.Queue{}
	for carries, q := range t.Queues {
		out[lambdahost.QueueName(carries)] = cloud.Queue{Visibility: q.Visibility / haste, MaxReceive: q.MaxReceive, Dead: q.Dead}
		out[q.Dead] = cloud.Queue{Visibility: q.Visibility / haste}
	}
	for _, f := range t.Functions {
		if f.Changes.Dead != "" {
			out[f.Changes.Dead] = cloud.Queue{Visibility: time.Minute / haste}
		}
	}
	return out
}

// settings are what a deployment decides, by the setting's name.
func settings(t *doudi.Template, o Options, amazon, own, outside, appID, agreement string) map[string]string {
	out := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": o.Endpoint, "AWS_ENDPOINT_URL_KMS": amazon, "AWS_ENDPOINT_URL_SQS": amazon,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": amazon, "AWS_ENDPOINT_URL_S3": amazon,
		"DOUDI_TABLE": tableName, "DOUDI_SEAL_KEY": cloud.SealKey, "DOUDI_SEAL_ALGORITHM": seal.AES256GCM.String(), "DOUDI_STAGE": "dev", "DOUDI_DIVISION": Region, "DOUDI_DOCUMENTS": bucket, "DOUDI_LOG_BUCKET": logBucket, "DOUDI_LOG_SECRET": "LogSecret",
		"DOUDI_WECHAT_APP_ID": appID, "DOUDI_WECHAT_URL": outside + "/wechat", "DOUDI_WECHAT_SECRET": "WechatSecret",
		"DOUDI_STAFF_URL": outside + "/wecom", "DOUDI_STAFF_SECRET": "StaffSecret",
		"DOUDI_EXCHANGE_URL": outside + "/exchange", "DOUDI_EXCHANGE_SECRET": "ExchangeSecret",
		"DOUDI_BANK_URL": outside + "/bank", "DOUDI_BANK_SECRET": "BankSecret",
		"DOUDI_BATCH_LAYOUT": cmp.Or(o.Layout, "no"),
		"DOUDI_WXPAY":        map[bool]string{true: "yes", false: "no"}[o.Wallets], "DOUDI_WXPAY_URL": outside, "DOUDI_WXPAY_CALLBACK": own + wxpayrail.CallbackPath, "DOUDI_WXPAY_SECRET": "WxpaySecret",
		"DOUDI_BANK_ACCOUNT": agreement, "DOUDI_TREASURY_ACCOUNT": world.TreasuryHolder, "DOUDI_TREASURY_BY_HAND": "no", "DOUDI_STATEMENT_UNIT": "yuan", "DOUDI_WXPAY_MERCHANT": "",
		"DOUDI_SMS_URL": outside + "/sms", "DOUDI_SMS_SECRET": "SmsSecret",
		"DOUDI_BLIND_DAYS": "2", "DOUDI_STRANGERS": "3", "DOUDI_CASH_CASE_FEN": strconv.FormatInt(int64(local.CashCaseFen), 10), "DOUDI_CASH_DAY_FEN": strconv.FormatInt(int64(local.CashDayFen), 10),
	}
	for carries := range t.Queues {
		out["DOUDI_QUEUE_"+strings.ToUpper(carries)] = amazon + "/" + cloud.Account + "/" + lambdahost.QueueName(carries)
	}
	return out
}

// serve answers on l until Close.
func (s *System) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 90 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	s.closers = append(s.closers, server.Close)
	s.running.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	})
}

// front adds the one page that no stack has: where its world is.
func (s *System) front(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/local" && r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_ = json.NewEncoder(w).Encode(map[string]string{"stage": "lambda", "world": s.WorldURL}) // the caller is gone when this fails
			return
		}
		api.ServeHTTP(w, r)
	})
}

// Failed gets an error when a listener or the world dies by itself.
func (s *System) Failed() <-chan error { return s.failed }

// Close ends everything: first the way in, then the functions, then what they
// stood on.
func (s *System) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	s.cancel()
	s.running.Wait()
	return errors.Join(errs...)
}
