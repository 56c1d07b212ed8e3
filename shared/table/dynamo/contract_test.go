package dynamo_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
	"github.com/doudi-aid/doudi/shared/table/dynamo/feed"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/table/tabletest"
	"github.com/doudi-aid/doudi/shared/table/tabletest/engine"
)

func anybody() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
}

func client(url string) dynamo.Client {
	return dynamo.Lean("us-east-1", url, anybody(), &http.Client{}, time.Now)
}

func sdk(url string) *dynamodb.Client {
	return setup.Client("us-east-1", url, anybody(), &http.Client{})
}

func noStream(in *dynamodb.CreateTableInput) { in.StreamSpecification = nil }

// fresh is a new table on an engine.
func fresh(t testing.TB, url string, change ...func(*dynamodb.CreateTableInput)) (name string) {
	t.Helper()
	name = "doudi-" + ident.Random().New()
	if err := setup.CreateTable(t.Context(), sdk(url), name, change...); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEngines(t *testing.T) {
	subjects := []tabletest.Subject{{Name: "memory", Store: embedded.Memory()}, {Name: "disk", Store: disk(t)}}
	engines := engine.All(t)
	for _, e := range engines {
		subjects = append(subjects, tabletest.Subject{Name: e.Name, Store: dynamo.New(client(e.URL), fresh(t, e.URL, noStream), ident.Random())})
		t.Run(e.Name, func(t *testing.T) {
			t.Run("contract", func(t *testing.T) {
				tabletest.Run(t, func(t *testing.T) table.Store {
					return dynamo.New(client(e.URL), fresh(t, e.URL, noStream), ident.Random())
				}, tabletest.Options{Racers: 8})
			})
			t.Run("feed", func(t *testing.T) { feeds(t, e) })
			t.Run("lost_answers", func(t *testing.T) { lostAnswers(t, e) })
		})
	}
	t.Run("same_answers_everywhere", func(t *testing.T) { tabletest.Differ(t, subjects...) })
}

func disk(t *testing.T) table.Store {
	t.Helper()
	s, err := embedded.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func feeds(t *testing.T, e engine.Engine) {
	name := fresh(t, e.URL)
	begin := func(t *testing.T) (table.Store, table.Feed) {
		store := dynamo.New(client(e.URL), name, ident.Random())
		f, err := feed.New(t.Context(), sdk(e.URL), feed.Lean("us-east-1", e.URL, anybody(), &http.Client{}), store)
		if err != nil {
			t.Fatal(err)
		}
		return store, f
	}
	tabletest.RunFeed(t, begin)
	t.Run("a_new_process_goes_on_after_the_last_ack", func(t *testing.T) {
		store, again := begin(t)
		it := table.Item{Key: table.Key{PK: "new", SK: "process"}, Version: 1}
		if err := store.Transact(t.Context(), table.Put{Item: it}); err != nil {
			t.Fatal(err)
		}
		changes, err := again.Next(t.Context(), "relay", 10)
		if err != nil || len(changes) != 1 || !tabletest.Same(changes[0].Item, it) {
			t.Errorf("%+v %v", changes, err)
		}
	})
}
