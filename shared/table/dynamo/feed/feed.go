// Package feed reads the change feed of a table on a DynamoDB engine from its
// stream, for one machine. It is apart from package dynamo because deployed
// functions are called by the stream and need no client for it.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	stream "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
)

// Feed is a table.Feed over the table's own stream, for one machine that runs
// on a DynamoDB engine; deployed, the stream itself calls the relay. Each
// consumer's position is an item of the table. One process consumes at a time:
// a second one is told by the condition on that item.
//
// DynamoDB keeps a stream for 24 hours. What a consumer did not read by then
// is gone from the feed, and the sweeper finds it in the due index.
type Feed struct {
	client *dynamodbstreams.Client
	store  *dynamo.Store
	arn    string
	pause  time.Duration // between two looks at an empty stream

	mu        sync.Mutex
	consumers map[string]*consumer
}

var _ table.Feed = (*Feed)(nil)

// positions is the first part of the partition keys of consumers' positions.
const positions = "FEED#"

// lookAgain is the pause between two looks at an empty stream.
const lookAgain = 100 * time.Millisecond

// patience is how long one look may take.
const patience = 3 * time.Second

// recordsAtMost is what DynamoDB gives in one answer.
const recordsAtMost = 1000

// New reads the stream of store's table, which describe finds.
func New(ctx context.Context, describe *dynamodb.Client, client *dynamodbstreams.Client, store *dynamo.Store) (*Feed, error) {
	name := store.Name()
	out, err := describe.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return nil, fmt.Errorf("feed: stream of table %s: %w", name, err)
	}
	if out.Table == nil || aws.ToString(out.Table.LatestStreamArn) == "" {
		return nil, fmt.Errorf("feed: table %s has no stream", name)
	}
	return &Feed{client: client, store: store, arn: *out.Table.LatestStreamArn, pause: lookAgain, consumers: map[string]*consumer{}}, nil
}

// Lean is the streams client that goes with setup.Client.
func Lean(region, endpoint string, credentials aws.CredentialsProvider, http aws.HTTPClient) *dynamodbstreams.Client {
	o := dynamodbstreams.Options{Region: region, Credentials: credentials, HTTPClient: http}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	return dynamodbstreams.New(o)
}

// consumer is how far one consumer has come.
type consumer struct {
	mu      sync.Mutex
	item    table.Item        // the stored position
	done    map[string]string // acked sequence number by shard; finished when the shard is over
	read    map[string]string // the same of what was read
	next    map[string]string // iterator by shard
	pending []record          // read and not acked
}

// record is one change and where the stream has it.
type record struct {
	change       table.Change
	shard, place string
}

// finished stands for the position of a shard that was read to its end.
const finished = "finished"

// Next returns changes after the consumer's last Ack.
func (f *Feed) Next(ctx context.Context, name string, most int) ([]table.Change, error) {
	if name == "" || most < 1 {
		return nil, fmt.Errorf("%w: feed needs a consumer and room for a change", table.ErrInvalid)
	}
	for looked := false; ; looked = true {
		changes, err := f.look(ctx, name, most, looked)
		if len(changes) > 0 {
			return changes, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if sleep(ctx, f.pause) != nil {
			return nil, nil
		}
	}
}

// look gives what is pending, and reads the stream once when nothing is.
func (f *Feed) look(ctx context.Context, name string, most int, again bool) ([]table.Change, error) {
	c, err := f.consumer(ctx, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		// What there is is given even to a caller whose ctx has ended.
		if !again {
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := f.read(ctx, c); err != nil {
			return nil, err
		}
	}
	var changes []table.Change
	for _, r := range c.pending[:min(most, len(c.pending))] {
		changes = append(changes, r.change)
	}
	return changes, nil
}

func positionKey(name string) table.Key { return table.Key{PK: positions + name, SK: "position"} }

// consumer loads a consumer's position, or begins at the oldest change.
func (f *Feed) consumer(ctx context.Context, name string) (*consumer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.consumers[name]; c != nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	c := &consumer{done: map[string]string{}, next: map[string]string{}}
	it, found, err := f.store.Get(ctx, positionKey(name))
	if err != nil {
		return nil, err
	}
	if found {
		if err := json.Unmarshal(it.Body, &c.done); err != nil {
			return nil, fmt.Errorf("feed: position of consumer %s: %w", name, err)
		}
		c.item = it
	} else {
		c.item = table.Item{Key: positionKey(name)}
	}
	c.read = maps.Clone(c.done)
	f.consumers[name] = c
	return c, nil
}

// read reads each shard that may be read once. A shard waits for its parent:
// an item's older changes are there.
func (f *Feed) read(ctx context.Context, c *consumer) error {
	shards, err := f.shards(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range shards {
		known[aws.ToString(s.ShardId)] = true
	}
	gone := func(shard, _ string) bool { return !known[shard] }
	maps.DeleteFunc(c.done, gone) // or positions would grow for ever
	maps.DeleteFunc(c.read, gone)
	maps.DeleteFunc(c.next, gone)
	for _, s := range shards {
		id, parent := aws.ToString(s.ShardId), aws.ToString(s.ParentShardId)
		if c.read[id] == finished || known[parent] && c.read[parent] != finished {
			continue
		}
		if err := f.readShard(ctx, c, id); err != nil {
			return err
		}
	}
	return nil
}

func (f *Feed) shards(ctx context.Context) ([]stream.Shard, error) {
	var all []stream.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &f.arn}
	for {
		out, err := f.client.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("feed: describe stream: %w", err)
		}
		all = append(all, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

func (f *Feed) readShard(ctx context.Context, c *consumer, shard string) error {
	if c.next[shard] == "" {
		iterator, err := f.iterator(ctx, shard, c.read[shard])
		if err != nil {
			return err
		}
		c.next[shard] = iterator
	}
	out, err := f.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{
		ShardIterator: aws.String(c.next[shard]), Limit: aws.Int32(recordsAtMost),
	})
	if err != nil {
		delete(c.next, shard) // it may have expired; the next look takes a new one
		if _, expired := errors.AsType[*stream.ExpiredIteratorException](err); expired {
			return nil
		}
		return fmt.Errorf("feed: read stream: %w", err)
	}
	for _, r := range out.Records {
		if r.Dynamodb == nil || r.Dynamodb.SequenceNumber == nil {
			continue
		}
		place := *r.Dynamodb.SequenceNumber
		c.read[shard] = place
		change, ours, err := changeOf(r, shard)
		if err != nil {
			return err
		}
		if ours {
			c.pending = append(c.pending, record{change: change, shard: shard, place: place})
		}
	}
	c.next[shard] = aws.ToString(out.NextShardIterator)
	if out.NextShardIterator == nil {
		c.read[shard] = finished
		if last := len(c.pending) - 1; last >= 0 && c.pending[last].shard == shard {
			c.pending[last].place = finished
		} else if !slices.ContainsFunc(c.pending, func(r record) bool { return r.shard == shard }) {
			c.done[shard] = finished
		}
	}
	return nil
}

// iterator begins after a position, or at the oldest record.
func (f *Feed) iterator(ctx context.Context, shard, after string) (string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &f.arn, ShardId: &shard, ShardIteratorType: stream.ShardIteratorTypeTrimHorizon}
	if after != "" {
		in.ShardIteratorType, in.SequenceNumber = stream.ShardIteratorTypeAfterSequenceNumber, &after
	}
	out, err := f.client.GetShardIterator(ctx, in)
	if _, trimmed := errors.AsType[*stream.TrimmedDataAccessException](err); trimmed {
		in.ShardIteratorType, in.SequenceNumber = stream.ShardIteratorTypeTrimHorizon, nil
		out, err = f.client.GetShardIterator(ctx, in)
	}
	if err != nil {
		return "", fmt.Errorf("feed: stream iterator: %w", err)
	}
	return aws.ToString(out.ShardIterator), nil
}

// seqDigits is the width that sequence numbers are filled up to, so that their
// text order is their order; DynamoDB's have up to 40 digits.
const seqDigits = 40

// changeOf reads a record; ours is false for removals and for positions of consumers.
func changeOf(r stream.Record, shard string) (c table.Change, ours bool, err error) {
	if r.EventName == stream.OperationTypeRemove {
		return c, false, nil
	}
	a, err := converted(r.Dynamodb.NewImage)
	if err != nil {
		return c, false, err
	}
	decoded, err := dynamo.Change("", a)
	it := decoded.Item
	if err != nil || strings.HasPrefix(it.Key.PK, positions) {
		return c, false, err
	}
	place := *r.Dynamodb.SequenceNumber
	fill := strings.Repeat("0", max(0, seqDigits-len(place)))
	return table.Change{Seq: fill + place + "/" + shard, Item: it}, true, nil
}

// converted is a stream's image with the types of the table's client.
func converted(image map[string]stream.AttributeValue) (map[string]dynamo.Value, error) {
	a := make(map[string]dynamo.Value, len(image))
	for name, v := range image {
		switch v := v.(type) {
		case *stream.AttributeValueMemberS:
			a[name] = dynamo.Value{S: &v.Value}
		case *stream.AttributeValueMemberN:
			a[name] = dynamo.Value{N: &v.Value}
		case *stream.AttributeValueMemberB:
			a[name] = dynamo.Value{B: v.Value}
		default:
			return nil, fmt.Errorf("feed: stream has attribute %q of a type the store does not write", name)
		}
	}
	return a, nil
}

// Ack stores how far the consumer is done.
func (f *Feed) Ack(ctx context.Context, name, seq string) error {
	c, err := f.consumer(ctx, name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.pending, func(r record) bool { return r.change.Seq == seq })
	if at < 0 {
		return fmt.Errorf("%w: consumer %q was not given %q, or has acked it", table.ErrInvalid, name, seq)
	}
	done := maps.Clone(c.done)
	for _, r := range c.pending[:at+1] {
		done[r.shard] = r.place
	}
	next := c.item
	if next.Body, err = json.Marshal(done); err != nil {
		return err
	}
	next.Version++
	if err := f.store.Transact(ctx, table.Step(next)); err != nil {
		f.mu.Lock()
		delete(f.consumers, name) // the stored position is read anew
		f.mu.Unlock()
		return fmt.Errorf("feed: position of consumer %s: %w", name, err)
	}
	c.item, c.done, c.pending = next, done, slices.Clone(c.pending[at+1:])
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
