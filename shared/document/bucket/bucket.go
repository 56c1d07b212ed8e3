// Package bucket keeps the content of documents in S3, sealed before it leaves
// the process. It decides nothing about a document and deletes none.
package bucket

import (
	"context"
	"fmt"
	"time"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
)

const (
	deadline = 10 * time.Second // of one call, retries included
	limit    = 16 << 20         // bytes read of one object
)

// Bucket is a document.Store in one S3 bucket, each document sealed for its own
// place: an object copied over another does not open.
type Bucket struct {
	client *awscall.Client
	name   string
	box    *seal.Box
}

// New keeps documents in the bucket called name.
func New(client *awscall.Client, name string, box *seal.Box) *Bucket {
	return &Bucket{client, name, box}
}

func place(partition, id string) seal.Place {
	k := document.Key(partition, id)
	return seal.Place{Table: "doudi", PK: k.PK, SK: k.SK, Field: "content"}
}

// object is the name of one document; derived, so that nothing of a case is in
// a bucket's listing.
func object(partition, id string) string {
	return "document/" + ident.Derive("document file", partition, id)
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
	if err := b.client.PutObject(ctx, b.name, object(partition, id), sealed); err != nil {
		return awscall.Trouble(fmt.Errorf("bucket: put: %w", err), document.ErrUnavailable)
	}
	return nil
}

// Get opens a document's content.
func (b *Bucket) Get(ctx context.Context, partition, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	sealed, err := b.client.GetObject(ctx, b.name, object(partition, id), limit)
	if awscall.IsCode(err, "NoSuchKey") {
		return nil, document.ErrNotFound
	}
	if err != nil {
		return nil, awscall.Trouble(fmt.Errorf("bucket: get: %w", err), document.ErrUnavailable)
	}
	return b.box.Open(ctx, place(partition, id), sealed)
}
