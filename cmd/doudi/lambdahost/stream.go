package lambdahost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
)

const (
	look    = 100 * time.Millisecond // between two looks at an empty stream
	readMax = 1000                   // records of one look, which is DynamoDB's limit
	ask     = 10 * time.Second       // for one answer of the stream
)

// mapping is the stream's event source mapping of one function. It begins at
// the oldest record each time the host starts, as TRIM_HORIZON does for a new
// mapping: what was relayed before is relayed again, which every handler
// survives.
type mapping struct {
	host     *Host
	function string
	limits   doudi.Changes
	filters  []pattern
	read     map[string]*position // by shard
}

// position is how far a shard was read.
type position struct {
	iterator string
	after    string // the last record that is done
	over     bool
}

func (h *Host) mapping(name string, limits doudi.Changes) (*mapping, error) {
	m := &mapping{host: h, function: name, limits: limits, read: map[string]*position{}}
	for _, text := range limits.Filters {
		p, err := parsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("lambdahost: %s: %w", name, err)
		}
		m.filters = append(m.filters, p)
	}
	return m, nil
}

func (m *mapping) run() {
	for m.host.ctx.Err() == nil {
		records, err := m.look()
		if err != nil && m.host.ctx.Err() == nil {
			m.host.options.Log.Warn("stream", "function", m.function, "err", err)
		}
		if records == 0 || err != nil {
			m.pause(look)
		}
	}
}

func (m *mapping) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-m.host.ctx.Done():
	case <-t.C:
	}
}

// look reads every shard once; a shard waits until its parent is over, because
// an item's older changes are there.
func (m *mapping) look() (records int, err error) {
	shards, err := m.shards()
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, s := range shards {
		known[aws.ToString(s.ShardId)] = true
	}
	var failed []error
	for _, s := range shards {
		id, parent := aws.ToString(s.ShardId), aws.ToString(s.ParentShardId)
		if m.read[id] == nil {
			m.read[id] = &position{}
		}
		if p := m.read[parent]; m.read[id].over || known[parent] && (p == nil || !p.over) {
			continue
		}
		n, err := m.readShard(id, m.read[id])
		records += n
		failed = append(failed, err)
	}
	for id := range m.read {
		if !known[id] {
			delete(m.read, id)
		}
	}
	return records, errors.Join(failed...)
}

func (m *mapping) shards() ([]types.Shard, error) {
	ctx, cancel := context.WithTimeout(m.host.ctx, ask)
	defer cancel()
	var all []types.Shard
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &m.host.options.Stream.ARN}
	for {
		out, err := m.host.options.Stream.Client.DescribeStream(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("describe: %w", err)
		}
		all = append(all, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

func (m *mapping) readShard(shard string, p *position) (int, error) {
	ctx, cancel := context.WithTimeout(m.host.ctx, ask)
	defer cancel()
	stream := m.host.options.Stream
	if p.iterator == "" {
		in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &stream.ARN, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		if p.after != "" {
			in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &p.after
		}
		out, err := stream.Client.GetShardIterator(ctx, in)
		if err != nil {
			return 0, fmt.Errorf("iterator: %w", err)
		}
		p.iterator = aws.ToString(out.ShardIterator)
	}
	out, err := stream.Client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: &p.iterator, Limit: aws.Int32(readMax)})
	if err != nil {
		p.iterator = "" // it may have expired; the next look takes a new one
		return 0, fmt.Errorf("records: %w", err)
	}
	m.deliver(shard, out.Records)
	if m.host.ctx.Err() != nil {
		return 0, nil
	}
	if n := len(out.Records); n > 0 && out.Records[n-1].Dynamodb != nil {
		p.after = aws.ToString(out.Records[n-1].Dynamodb.SequenceNumber)
	}
	p.iterator = aws.ToString(out.NextShardIterator)
	p.over = out.NextShardIterator == nil
	return len(out.Records), nil
}

// deliver gives the records that pass the filter to the function, in as many
// lanes as the mapping has; those of one partition key stay in one lane and in
// order.
func (m *mapping) deliver(shard string, records []types.Record) {
	lanes := make([][]events.DynamoDBEventRecord, m.limits.Parallel)
	for _, r := range records {
		record, err := m.event(r)
		if err != nil {
			m.host.options.Log.Warn("a record cannot be delivered", "err", err)
			continue
		}
		if !m.passes(record) || m.lost(record) {
			continue
		}
		hash := fnv.New32a()
		raw, _ := json.Marshal(record.Change.Keys["pk"]) // an attribute read from JSON goes back into it
		_, _ = hash.Write(raw)                           // never fails
		lane := int(hash.Sum32()) % len(lanes)
		lanes[lane] = append(lanes[lane], record)
	}
	var all sync.WaitGroup
	for _, lane := range lanes {
		all.Go(func() {
			for len(lane) > 0 && m.host.ctx.Err() == nil {
				n := min(len(lane), max(1, m.limits.Batch))
				m.batch(shard, lane[:n])
				lane = lane[n:]
			}
		})
	}
	all.Wait()
}

// batch invokes until every record is done or given up. A failed batch is
// halved when the mapping says so, which does not count as a try; of one that
// failed in part, what is before the first failure is done.
func (m *mapping) batch(shard string, records []events.DynamoDBEventRecord) {
	for tries := 0; len(records) > 0 && m.host.ctx.Err() == nil; {
		if m.tooOld(records[0]) {
			m.giveUp(shard, "RecordAgeExceeded", tries, records[:1])
			records = records[1:]
			continue
		}
		done, failure := m.invoke(records)
		if records = records[done:]; len(records) == 0 {
			return
		}
		if done > 0 {
			tries = 0 // what is left is another batch
		}
		if m.host.ctx.Err() != nil {
			return
		}
		m.host.options.Log.Warn("a batch of changes failed", "function", m.function, "left", len(records), "tries", tries, "why", kind(failure))
		if m.limits.Bisect && len(records) > 1 {
			half := len(records) / 2
			m.batch(shard, records[:half])
			records = records[half:]
			continue
		}
		if tries++; tries > m.limits.Retries {
			m.giveUp(shard, "RetryAttemptsExhausted", tries, records)
			return
		}
		m.pause(min(time.Minute, time.Second<<min(tries-1, 6)) / m.host.options.Haste)
	}
}

// invoke says how many records are done, from the first on.
func (m *mapping) invoke(records []events.DynamoDBEventRecord) (done int, failure error) {
	event, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		return 0, err
	}
	raw, err := m.host.Invoke(m.host.ctx, m.function, event)
	if err != nil {
		return 0, err
	}
	var out events.DynamoDBEventResponse
	if err := json.Unmarshal(raw, &out); err != nil && len(raw) > 0 {
		return 0, fmt.Errorf("the answer is none: %w", err)
	}
	done = len(records)
	for _, f := range out.BatchItemFailures {
		at := -1
		for i, r := range records {
			if r.Change.SequenceNumber == f.ItemIdentifier {
				at = i
			}
		}
		if at < 0 { // as Lambda has it: one wrong id fails the whole batch
			return 0, errors.New("the answer gives back a record that was not in the batch")
		}
		done = min(done, at)
	}
	return done, nil
}

func (m *mapping) tooOld(r events.DynamoDBEventRecord) bool {
	return m.limits.MaxAge > 0 && time.Since(r.Change.ApproximateCreationDateTime.Time) > m.limits.MaxAge
}

// giveUp leaves pointers to records in the destination of failures, without
// their content, as Lambda does.
func (m *mapping) giveUp(shard, why string, tries int, records []events.DynamoDBEventRecord) {
	first, last := records[0].Change, records[len(records)-1].Change
	body, err := json.Marshal(map[string]any{
		"version": "1.0", "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"requestContext":  map[string]any{"requestId": m.host.options.IDs.New(), "functionArn": cloud.ARN("lambda", "function:"+m.function+":live"), "condition": why, "approximateInvokeCount": tries},
		"responseContext": map[string]any{"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
		"DDBStreamBatchInfo": map[string]any{"shardId": shard, "startSequenceNumber": first.SequenceNumber, "endSequenceNumber": last.SequenceNumber,
			"approximateArrivalOfFirstRecord": first.ApproximateCreationDateTime.UTC().Format(time.RFC3339), "approximateArrivalOfLastRecord": last.ApproximateCreationDateTime.UTC().Format(time.RFC3339),
			"batchSize": len(records), "streamArn": m.host.options.Stream.ARN},
	})
	if err != nil {
		m.host.options.Log.Error("pointers to changes that were given up", "err", err)
		return
	}
	m.host.options.Queues.Send(m.limits.Dead, string(body), nil, 0)
	m.host.options.Log.Error("changes were given up", "function", m.function, "why", why, "records", len(records))
}

// lost asks whether a test wants this record to be lost.
func (m *mapping) lost(r events.DynamoDBEventRecord) bool {
	if m.host.options.Stream.Lose == nil {
		return false
	}
	texts := map[string]string{}
	for name, v := range r.Change.NewImage {
		if v.DataType() == events.DataTypeString {
			texts[name] = v.String()
		}
	}
	return m.host.options.Stream.Lose(texts)
}

func (m *mapping) passes(r events.DynamoDBEventRecord) bool {
	if len(m.filters) == 0 {
		return true
	}
	raw, err := json.Marshal(r)
	var value any
	if err = errors.Join(err, json.Unmarshal(raw, &value)); err != nil {
		return false
	}
	for _, p := range m.filters {
		if p.matches(value) {
			return true
		}
	}
	return false
}

// event is a record as Lambda delivers it.
func (m *mapping) event(r types.Record) (events.DynamoDBEventRecord, error) {
	if r.Dynamodb == nil {
		return events.DynamoDBEventRecord{}, errors.New("a record without content")
	}
	keys, err1 := image(r.Dynamodb.Keys)
	after, err2 := image(r.Dynamodb.NewImage)
	e := events.DynamoDBEventRecord{AWSRegion: cloud.Region, EventID: aws.ToString(r.EventID), EventName: string(r.EventName), EventSource: "aws:dynamodb",
		EventVersion: "1.1", EventSourceArn: m.host.options.Stream.ARN, Change: events.DynamoDBStreamRecord{
			Keys: keys, NewImage: after, SequenceNumber: aws.ToString(r.Dynamodb.SequenceNumber), SizeBytes: aws.ToInt64(r.Dynamodb.SizeBytes),
			StreamViewType: string(r.Dynamodb.StreamViewType)}}
	if at := r.Dynamodb.ApproximateCreationDateTime; at != nil {
		e.Change.ApproximateCreationDateTime = events.SecondsEpochTime{Time: *at}
	}
	return e, errors.Join(err1, err2)
}

func image(from map[string]types.AttributeValue) (map[string]events.DynamoDBAttributeValue, error) {
	out := map[string]events.DynamoDBAttributeValue{}
	for name, v := range from {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = events.NewStringAttribute(v.Value)
		case *types.AttributeValueMemberN:
			out[name] = events.NewNumberAttribute(v.Value)
		case *types.AttributeValueMemberB:
			out[name] = events.NewBinaryAttribute(v.Value)
		case *types.AttributeValueMemberBOOL:
			out[name] = events.NewBooleanAttribute(v.Value)
		case *types.AttributeValueMemberNULL:
			out[name] = events.NewNullAttribute()
		default:
			return nil, fmt.Errorf("attribute %s of a type that is not carried here", name)
		}
	}
	return out, nil
}
