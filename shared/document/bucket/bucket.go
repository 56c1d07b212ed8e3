// Package bucket keeps the content of documents in S3, sealed before it leaves
// the process. It decides nothing about a document and deletes none.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

const (
	deadline = 10 * time.Second // of one call, the SDK's own retries included
	limit    = 16 << 20         // bytes read of one object
)

// Client is what is needed of *s3.Client.
type Client interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Bucket is a document.Store in one S3 bucket, each document sealed for its own
// place: an object copied over another does not open.
type Bucket struct {
	client Client
	name   string
	box    *seal.Box
}

// New keeps documents in the bucket called name.
func New(client Client, name string, box *seal.Box) *Bucket { return &Bucket{client, name, box} }

func place(partition, id string) seal.Place {
	k := document.Key(partition, id)
	return seal.Place{Table: "doudi", PK: k.PK, SK: k.SK, Field: "content"}
}

// object is the name of one document; derived, so that nothing of a case is in
// a bucket's listing.
func object(partition, id string) *string {
	name := "document/" + ident.Derive("document file", partition, id)
	return &name
}

// Put seals content into its object. It needs no condition: a document is named
// by what is in it, so writing it again writes the same. When the answer is lost
// the sender sends again.
func (b *Bucket) Put(ctx context.Context, partition, id string, content []byte) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	sealed, err := b.box.Seal(ctx, place(partition, id), content)
	if err != nil {
		return err
	}
	if _, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: object(partition, id), Body: bytes.NewReader(sealed)}); err != nil {
		return fmt.Errorf("bucket: put: %w", err)
	}
	return nil
}

// Get opens a document's content.
func (b *Bucket) Get(ctx context.Context, partition, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: object(partition, id)})
	if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
		return nil, document.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("bucket: get: %w", err)
	}
	sealed, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return nil, fmt.Errorf("bucket: get: %w", err)
	}
	if len(sealed) > limit {
		return nil, fmt.Errorf("bucket: object of more than %d bytes", limit)
	}
	return b.box.Open(ctx, place(partition, id), sealed)
}
