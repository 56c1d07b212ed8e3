package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/config"
	"github.com/doudi-aid/doudi/shared/deployed"
)

const hush = "correct-horse"

// vault answers one secret over real HTTP, and can be shut.
type vault struct {
	text  atomic.Pointer[string]
	shut  atomic.Bool
	asked atomic.Int32
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.asked.Add(1)
	if v.shut.Load() || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","Message":"` + hush + `"}`))
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]*string{"SecretString": v.text.Load()})
}

func (v *vault) hold(text string) { v.text.Store(&text) }

// open is a world whose one secret is in v.
func open(t *testing.T, v *vault, now func() time.Time) (*deployed.World, Secret) {
	t.Helper()
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	w := &deployed.World{Now: now, Settings: config.From(func(name string) (string, bool) { return "id-of-" + name, true }),
		AWS: awscall.New(awscall.Config{Region: "cn-north-1", HTTP: server.Client(), Now: time.Now, Endpoint: func(string) string { return server.URL },
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
			})})}
	return w, Named(w, "DOUDI_X_SECRET")
}

type key struct {
	Key string `json:"key"`
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"good":             {`{"key":"` + hush + `"}`, true},
		"never_filled_in":  {"", false},
		"of_another_thing": {`{"key":"` + hush + `","password":"x"}`, false},
		"not_json":         {hush, false},
		"wrong_type":       {`{"key":{"` + hush + `":1}}`, false},
		"trailing":         {`{"key":"a"}{"` + hush + `":1}`, false},
	} {
		v := &vault{}
		v.hold(c.text)
		w, at := open(t, v, time.Now)
		got, err := Make(w, func(ctx context.Context, r *Reading) (key, error) { return Read[key](ctx, r, at) }).Get(t.Context())
		if c.good && (err != nil || got.Key != hush) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.good && (err == nil || got.Key != "" || strings.Contains(err.Error(), hush) || !strings.Contains(err.Error(), "DOUDI_X_SECRET")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASecretIsReadWhenNeededAndKeptWithinBounds(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	v := &vault{}
	v.hold(`{"key":"one"}`)
	w, at := open(t, v, func() time.Time { return now })
	made := 0
	m := Make(w, func(ctx context.Context, r *Reading) (string, error) {
		k, err := Read[key](ctx, r, at)
		if k.Key == "refused" {
			return "", errors.New("of no use")
		}
		if err == nil {
			made++
		}
		return k.Key, err
	})
	if v.asked.Load() != 0 {
		t.Fatal("asked before anybody needed it")
	}
	get := func(want string, wantMade int, wantAsked int32) {
		t.Helper()
		got, err := m.Get(t.Context())
		if (err != nil) != (want == "") || got != want || made != wantMade || v.asked.Load() != wantAsked {
			t.Errorf("%q %v, made %d times, asked %d times", got, err, made, v.asked.Load())
		}
	}
	get("one", 1, 1)
	now = now.Add(Fresh - time.Second)
	get("one", 1, 1)
	now = now.Add(time.Second)
	get("one", 1, 2) // asked, and nothing is made anew
	v.hold(`{"key":"two"}`)
	get("one", 1, 2)
	now = now.Add(Fresh)
	get("two", 2, 4)
	v.shut.Store(true)
	now = now.Add(Fresh)
	get("two", 2, 6)
	get("two", 2, 6) // and not again at once
	now = now.Add(again)
	get("two", 2, 8)
	v.shut.Store(false)
	v.hold(`{"key":"refused"}`)
	now = now.Add(again)
	get("two", 2, 10)
	now = now.Add(Stale)
	get("", 2, 12)
	v.hold(`{"key":"three"}`)
	get("three", 3, 13)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	now = now.Add(Fresh)
	if got, err := m.Get(gone); err != nil || got != "three" {
		t.Errorf("a caller who went away: %q %v", got, err)
	}
}
