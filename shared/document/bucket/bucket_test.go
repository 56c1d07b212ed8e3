package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

var _ document.Store = (*Bucket)(nil)

// objects is a bucket in memory.
type objects struct {
	t    *testing.T
	held map[string][]byte
	down error
}

func (o *objects) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		o.t.Error("a call without a deadline")
	}
	body, err := io.ReadAll(in.Body)
	if err != nil || o.down != nil {
		return nil, errors.Join(err, o.down)
	}
	o.held[*in.Key] = body
	return &s3.PutObjectOutput{}, nil
}

func (o *objects) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	body, ok := o.held[*in.Key]
	if o.down != nil {
		return nil, o.down
	}
	if !ok {
		return nil, &types.NoSuchKey{}
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(body))}, nil
}

func TestBucket(t *testing.T) {
	keys, err := seal.OpenKeyFile(filepath.Join(t.TempDir(), "keys"), ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	s := &objects{t: t, held: map[string][]byte{}}
	b := New(s, "evidence", seal.NewBox(keys, rand.Reader))
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
	s.held[*object("APP#2", "d1")] = s.held[*object("APP#1", "d1")]
	if _, err := b.Get(ctx, "APP#2", "d1"); err == nil {
		t.Error("an object copied to another case opened there")
	}
	s.held[*object("APP#1", "d1")] = make([]byte, limit+1)
	if _, err := b.Get(ctx, "APP#1", "d1"); err == nil {
		t.Error("an object without end was read")
	}
	s.down = errors.New("no answer")
	if err := b.Put(ctx, "APP#1", "d3", content); err == nil {
		t.Error("a write without an answer counts as written")
	}
	if _, err := b.Get(ctx, "APP#1", "d1"); err == nil || errors.Is(err, document.ErrNotFound) {
		t.Errorf("no answer is read as not there: %v", err)
	}
}
