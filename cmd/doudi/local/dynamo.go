package local

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/dynamo/feed"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
)

// tableName is the table of a local system on a DynamoDB engine.
const tableName = "doudi"

// openDynamo opens the store on the DynamoDB engine at endpoint, making the
// table when it is not there. The credentials are words: an engine on this
// machine checks none, and this program is not for any other.
func (s *System) openDynamo(ctx context.Context, o Options) error {
	if o.Endpoint == "" {
		return errors.New("-store dynamodb needs -endpoint, the address of the engine")
	}
	words := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local", Source: "local"}, nil
	})
	hc := &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 64}}
	s.closers = append(s.closers, func() error { hc.CloseIdleConnections(); return nil })
	const region = "cn-north-1"
	client := setup.Client(region, o.Endpoint, words, hc)
	if err := setup.CreateTable(ctx, client, tableName); err != nil {
		return err
	}
	var opts []dynamo.Option
	if o.Observe != nil {
		opts = append(opts, dynamo.Observe(o.Observe))
	}
	store := dynamo.New(dynamo.Lean(region, o.Endpoint, words, hc, time.Now), tableName, s.ids, opts...)
	changes, err := feed.New(ctx, client, feed.Lean(region, o.Endpoint, words, hc), store)
	if err != nil {
		return err
	}
	s.Table, s.feed = store, changes
	return nil
}
