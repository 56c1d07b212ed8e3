package dynamo

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/doudi-aid/doudi/shared/table"
)

// Get reads one item strongly.
func (s *Store) Get(ctx context.Context, key table.Key) (table.Item, bool, error) {
	if err := key.Validate(); err != nil {
		return table.Item{}, false, err
	}
	var out getItemOutput
	if err := s.client.JSON(ctx, service, "GetItem", getItemInput{
		TableName: s.name, Key: keyOf(key), ConsistentRead: true, ReturnConsumedCapacity: s.capacity(),
	}, &out); err != nil {
		return table.Item{}, false, fmt.Errorf("dynamo: get: %w", err)
	}
	s.used("GetItem", one(out.ConsumedCapacity)...)
	if len(out.Item) == 0 {
		return table.Item{}, false, nil
	}
	it, err := decode(out.Item)
	return it, err == nil, err
}

// Query reads one page; of the table itself strongly.
func (s *Store) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Validate(); err != nil {
		return table.Page{}, err
	}
	in, err := s.question(q)
	if err != nil {
		return table.Page{}, err
	}
	var out queryOutput
	if err := s.client.JSON(ctx, service, "Query", in, &out); err != nil {
		return table.Page{}, fmt.Errorf("dynamo: query: %w", err)
	}
	s.used("Query", one(out.ConsumedCapacity)...)
	if q.Index != "" {
		return s.resolve(ctx, q, out)
	}
	page := table.Page{Next: cursor(out.LastEvaluatedKey)}
	for _, a := range out.Items {
		it, err := decode(a)
		if err != nil {
			return table.Page{}, err
		}
		page.Items = append(page.Items, it)
	}
	return page, nil
}

func (s *Store) question(q table.Query) (*queryInput, error) {
	in := &queryInput{
		TableName: s.name, Limit: cmp.Or(q.Limit, table.MaxPage), ScanIndexForward: !q.Reverse, ReturnConsumedCapacity: s.capacity(),
		ExpressionAttributeNames:  map[string]string{"#p": attrPK},
		ExpressionAttributeValues: attributes{":p": text(q.PK)},
	}
	sort := attrSK
	if q.Index == "" {
		in.ConsistentRead = true
	} else {
		in.IndexName = string(q.Index)
		in.ExpressionAttributeNames["#p"], sort = placePK(q.Index), placeSK(q.Index)
	}
	condition := "#p = :p"
	if q.From != "" {
		in.ExpressionAttributeValues[":f"] = text(q.From)
	}
	if q.To != "" {
		in.ExpressionAttributeValues[":t"] = text(q.To)
	}
	switch {
	case q.From != "" && q.To != "":
		condition += " AND #s BETWEEN :f AND :t"
	case q.From != "":
		condition += " AND #s >= :f"
	case q.To != "":
		condition += " AND #s <= :t"
	}
	if q.From != "" || q.To != "" {
		in.ExpressionAttributeNames["#s"] = sort
	}
	in.KeyConditionExpression = condition
	if q.After == "" {
		return in, nil
	}
	start, err := startAt(q)
	in.ExclusiveStartKey = start
	return in, err
}

// cursor holds the key that DynamoDB wants back to go on.
func cursor(key attributes) table.Cursor {
	if len(key) == 0 {
		return ""
	}
	parts := make(map[string]string, len(key))
	for name, v := range key {
		if v.S != nil {
			parts[name] = *v.S
		}
	}
	raw, _ := json.Marshal(parts) // strings always marshal
	return table.Cursor(base64.RawURLEncoding.EncodeToString(raw))
}

// startAt reads a cursor and refuses one of another partition or index, which would
// otherwise be answered with somebody else's page, and one that DynamoDB would refuse:
// with a key that is none, or outside the range that is asked for.
func startAt(q table.Query) (attributes, error) {
	var parts map[string]string
	raw, err := base64.RawURLEncoding.DecodeString(string(q.After))
	if err == nil {
		err = json.Unmarshal(raw, &parts)
	}
	want := []string{attrPK, attrSK}
	partition, sort := KeyNames(q.Index)
	if q.Index != "" {
		want = append(want, partition, sort)
	}
	if at := parts[sort]; err != nil || len(parts) != len(want) || parts[partition] != q.PK || at < q.From || q.To != "" && at > q.To {
		return nil, fmt.Errorf("%w: cursor of another query", table.ErrInvalid)
	}
	key := attributes{}
	for _, name := range want {
		if part := parts[name]; part == "" || len(part) > table.MaxKey {
			return nil, fmt.Errorf("%w: cursor of another query", table.ErrInvalid)
		}
		key[name] = text(parts[name])
	}
	return key, nil
}

const (
	batchKeys = 100     // keys DynamoDB takes in one BatchGetItem
	pageBytes = 1 << 20 // of bodies end a page early, as DynamoDB ends its own
)

// resolve reads the items that an index page names.
func (s *Store) resolve(ctx context.Context, q table.Query, out queryOutput) (table.Page, error) {
	page := table.Page{Next: cursor(out.LastEvaluatedKey)}
	bytes := 0
	for rest := out.Items; len(rest) > 0; {
		chunk := rest[:min(batchKeys, len(rest))]
		rest = rest[len(chunk):]
		found, err := s.getAll(ctx, chunk)
		if err != nil {
			return table.Page{}, err
		}
		for _, a := range chunk {
			f := fields{a: a}
			key := table.Key{PK: f.text(attrPK), SK: f.text(attrSK)}
			place := table.Place{Index: q.Index, PK: f.text(placePK(q.Index)), SK: f.text(placeSK(q.Index))}
			if f.fault != nil {
				return table.Page{}, f.fault
			}
			if it, ok := found[key]; ok && stands(it, place) {
				page.Items = append(page.Items, it)
				bytes += len(it.Body)
			}
		}
		if bytes >= pageBytes && len(rest) > 0 {
			page.Next = cursor(chunk[len(chunk)-1])
			break
		}
	}
	return page, nil
}

// stands reports whether the item is still where the index had it. One that
// moved comes at its new place when the index has caught up.
func stands(it table.Item, place table.Place) bool {
	for _, p := range it.Places {
		if p == place {
			return true
		}
	}
	return false
}

// getAll reads up to batchKeys items strongly.
func (s *Store) getAll(ctx context.Context, keys []attributes) (map[table.Key]table.Item, error) {
	ask := make([]attributes, len(keys))
	for i, a := range keys {
		ask[i] = attributes{attrPK: a[attrPK], attrSK: a[attrSK]}
	}
	found := make(map[table.Key]table.Item, len(keys))
	for attempt := 0; len(ask) > 0; attempt++ {
		if attempt >= s.attempts {
			return nil, fmt.Errorf("%w: %d items of an index page were not read", table.ErrBusy, len(ask))
		}
		if attempt > 0 {
			if err := s.sleep(ctx, s.backoff(attempt)); err != nil {
				return nil, err
			}
		}
		var out batchGetItemOutput
		if err := s.client.JSON(ctx, service, "BatchGetItem", batchGetItemInput{
			RequestItems:           map[string]keysToRead{s.name: {Keys: ask, ConsistentRead: true}},
			ReturnConsumedCapacity: s.capacity(),
		}, &out); err != nil {
			return nil, fmt.Errorf("dynamo: batch get: %w", err)
		}
		s.used("BatchGetItem", out.ConsumedCapacity...)
		for _, a := range out.Responses[s.name] {
			it, err := decode(a)
			if err != nil {
				return nil, err
			}
			found[it.Key] = it
		}
		left := out.UnprocessedKeys[s.name].Keys
		if len(left) < len(ask) {
			attempt = -1 // it goes on
		}
		ask = left
	}
	return found, nil
}
