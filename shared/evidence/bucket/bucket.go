// Package bucket keeps what the log publishes in S3, in a bucket whose objects
// nobody can change or remove before their time (Object Lock). It decides nothing
// and deletes nothing; an object written again is another version of it.
package bucket

import (
	"context"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/evidence"
)

const (
	deadline = 10 * time.Second // of one call, retries included
	limit    = evidence.Block * (evidence.MaxLeaf + 2)
	prefix   = "log/" // the only names that the function's role may write
)

// Bucket is an evidence.Blobs in one S3 bucket.
type Bucket struct {
	client *awscall.Client
	name   string
}

// New keeps what is published in the bucket called name.
func New(client *awscall.Client, name string) *Bucket { return &Bucket{client, name} }

// Put stores an object. It needs no condition: a name has one content, and older
// versions stay.
func (b *Bucket) Put(ctx context.Context, name string, content []byte) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if err := b.client.PutObject(ctx, b.name, prefix+name, content); err != nil {
		return awscall.Trouble(fmt.Errorf("bucket: put: %w", err), evidence.ErrUnavailable)
	}
	return nil
}

// Get reads an object; evidence.ErrNoBlob when there is none.
func (b *Bucket) Get(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	raw, err := b.client.GetObject(ctx, b.name, prefix+name, limit)
	// S3 says AccessDenied of what is not there to whoever may not list.
	if awscall.IsCode(err, "NoSuchKey", "AccessDenied") {
		return nil, evidence.ErrNoBlob
	}
	if err != nil {
		return nil, awscall.Trouble(fmt.Errorf("bucket: get: %w", err), evidence.ErrUnavailable)
	}
	return raw, nil
}
