package bucket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/evidence"
)

var _ evidence.Blobs = (*Bucket)(nil)

// locked is a bucket under Object Lock, behind S3's protocol.
func locked(held map[string][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/tiles/")
		body, _ := io.ReadAll(r.Body)
		content, found := held[name]
		switch {
		case r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Sha256") == "":
			w.WriteHeader(http.StatusBadRequest) // as S3 refuses an upload under Object Lock without a checksum
		case r.Method == http.MethodPut:
			held[name] = body
		case found:
			_, _ = w.Write(content)
		default:
			w.WriteHeader(http.StatusForbidden) // nobody may list, so what is not there is said to be forbidden
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
		}
	}
}

func TestBucket(t *testing.T) {
	held := map[string][]byte{}
	server := httptest.NewServer(locked(held))
	defer server.Close()
	b := New(awscall.New(awscall.Config{Region: "cn-north-1", HTTP: server.Client(), Now: time.Now, Endpoint: func(string) string { return server.URL },
		Pause: func(context.Context, time.Duration) error { return nil },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		})}), "tiles")
	name := evidence.TilePath(0, 1234, 7)
	if _, err := b.Get(t.Context(), name); !errors.Is(err, evidence.ErrNoBlob) {
		t.Errorf("what is not there: %v", err)
	}
	for range 2 {
		if err := b.Put(t.Context(), name, []byte("hash")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Get(t.Context(), name); err != nil || string(got) != "hash" || held["log/"+name] == nil {
		t.Errorf("%q %v, held %v", got, err, held)
	}
	server.Close()
	if err := b.Put(t.Context(), name, nil); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("a write without an answer: %v", err)
	}
	if _, err := b.Get(t.Context(), name); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("a read without an answer: %v", err)
	}
}
