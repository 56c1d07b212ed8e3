package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

var _ document.Store = (*Bucket)(nil)

// objects is a bucket in memory, behind S3's protocol.
type objects struct {
	held map[string][]byte
	down bool
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/evidence/")
	body, err := io.ReadAll(r.Body)
	held, found := o.held[name]
	switch {
	case err != nil || o.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method == http.MethodPut:
		o.held[name] = body
	case found:
		_, _ = w.Write(held)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
	}
}

func TestBucket(t *testing.T) {
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	s := &objects{held: map[string][]byte{}}
	server := httptest.NewServer(s)
	defer server.Close()
	client := awscall.New(awscall.Config{Region: "cn-north-1", HTTP: server.Client(), Now: time.Now, Endpoint: func(string) string { return server.URL },
		Pause: func(context.Context, time.Duration) error { return nil },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		})})
	b := New(client, "evidence", seal.NewBox(keys, rand.Reader))
	content := []byte("a picture of a burnt kitchen")
	for range 2 { // a sender whose answer was lost sends again
		if err := b.Put(ctx, "APP#1", "d1", content); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Get(ctx, "APP#1", "d1"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("what was put came back as %q, %v", got, err)
	}
	if len(s.held) != 1 {
		t.Errorf("%d objects of one document", len(s.held))
	}
	for name, body := range s.held {
		if bytes.Contains(body, content) || strings.Contains(name, "APP") || !strings.HasPrefix(name, "document/") {
			t.Errorf("object %s shows what is in it, or is not where the role may write", name)
		}
	}
	if _, err := b.Get(ctx, "APP#1", "d2"); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	s.held[object("APP#2", "d1")] = s.held[object("APP#1", "d1")]
	if _, err := b.Get(ctx, "APP#2", "d1"); err == nil {
		t.Error("an object copied to another case opened there")
	}
	s.held[object("APP#1", "d1")] = make([]byte, limit+1)
	if _, err := b.Get(ctx, "APP#1", "d1"); err == nil || errors.Is(err, document.ErrUnavailable) {
		t.Errorf("an object without end: %v", err)
	}
	s.down = true
	if err := b.Put(ctx, "APP#1", "d3", content); !errors.Is(err, document.ErrUnavailable) {
		t.Errorf("a write without an answer: %v", err)
	}
	if _, err := b.Get(ctx, "APP#1", "d1"); !errors.Is(err, document.ErrUnavailable) {
		t.Errorf("a read without an answer: %v", err)
	}
}
