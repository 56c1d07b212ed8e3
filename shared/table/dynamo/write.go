package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/doudi-aid/doudi/shared/table"
)

// Transact applies all writes or none. A single Put or Replace is sent as one
// PutItem, which costs half of a transaction.
func (s *Store) Transact(ctx context.Context, writes ...table.Write) error {
	if err := table.Validate(writes); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	token := s.ids.New()
	if len(writes) == 1 {
		switch w := writes[0].(type) {
		case table.Put:
			return s.put(ctx, w, w.Item, token)
		case table.Replace:
			return s.put(ctx, w, w.Item, token)
		}
	}
	return s.transact(ctx, writes, token)
}

// once keeps the SDK from repeating a write by itself. It would repeat one whose
// answer was lost without saying so, and the repetition fails against the
// write's own effect.
func once(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

// put sends one conditional PutItem until its outcome is known.
func (s *Store) put(ctx context.Context, w table.Write, it table.Item, token string) error {
	c := conditionOf(w)
	in := &dynamodb.PutItemInput{
		TableName: &s.name, Item: encode(it, token),
		ConditionExpression: &c.text, ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.valuesOrNil(),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ReturnConsumedCapacity:              s.capacity(),
	}
	return s.repeat(ctx, func(ctx context.Context) error {
		out, err := s.client.PutItem(ctx, in, once)
		if err == nil {
			s.used("PutItem", one(out.ConsumedCapacity)...)
		}
		return err
	}, func(err error, lost bool) error {
		refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
		if !ok {
			return err
		}
		if tokenOf(refused.Item) == token {
			return nil // refused by our own write, whose answer was lost
		}
		f, err := failure(0, w, refused.Item)
		if err != nil {
			return err
		}
		// After a lost answer only one thing proves that the write was never
		// applied and never will be: somebody else's write of the same version.
		if lost && f.Current.Version != it.Version {
			return fmt.Errorf("%w: %v", table.ErrUnknown, refused)
		}
		return &table.ConditionError{Failures: []table.Failure{f}}
	})
}

// transact sends one TransactWriteItems until its outcome is known. Within ten
// minutes the token alone makes a repetition answer what the first one did.
func (s *Store) transact(ctx context.Context, writes []table.Write, token string) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token, ReturnConsumedCapacity: s.capacity()}
	for _, w := range writes {
		in.TransactItems = append(in.TransactItems, s.part(w, token))
	}
	return s.repeat(ctx, func(ctx context.Context) error {
		out, err := s.client.TransactWriteItems(ctx, in, once)
		if err == nil {
			s.used("TransactWriteItems", out.ConsumedCapacity...)
		}
		return err
	}, func(err error, lost bool) error {
		canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			return err
		}
		e := &table.ConditionError{}
		settled := false
		for i, reason := range canceled.CancellationReasons {
			if i >= len(writes) || aws.ToString(reason.Code) != codeCondition {
				continue
			}
			if tokenOf(reason.Item) == token {
				return nil // all or nothing: one item of ours means all of them
			}
			f, err := failure(i, writes[i], reason.Item)
			if err != nil {
				return err
			}
			e.Failures = append(e.Failures, f)
			settled = settled || forGood(writes[i], f)
		}
		if len(e.Failures) == 0 {
			return fmt.Errorf("%w: %v", table.ErrInvalid, canceled)
		}
		if lost && !settled {
			// A copy may still be on its way and find the condition met.
			return fmt.Errorf("%w: %v", table.ErrUnknown, canceled)
		}
		return e
	})
}

// forGood reports whether a refused write can never be accepted later: nothing
// is deleted and versions only grow.
func forGood(w table.Write, f table.Failure) bool {
	switch w := w.(type) {
	case table.Put:
		return true
	case table.Replace:
		return f.Reason == table.Version && f.Current.Version >= w.Item.Version
	case table.Check:
		return f.Reason == table.Exists || f.Reason == table.Version && f.Current.Version > w.Version
	}
	return false
}

// condition is a condition expression in the making.
type condition struct {
	text   string
	names  map[string]string
	values attributes
}

// valuesOrNil: DynamoDB refuses an empty map.
func (c condition) valuesOrNil() attributes {
	if len(c.values) == 0 {
		return nil
	}
	return c.values
}

func absent() condition {
	return condition{text: "attribute_not_exists(#k)", names: map[string]string{"#k": attrPK}}
}

func atVersion(v int64) condition {
	return condition{text: "#v = :v", names: map[string]string{"#v": attrVersion}, values: attributes{":v": number(v)}}
}

func conditionOf(w table.Write) condition {
	switch w := w.(type) {
	case table.Replace:
		return atVersion(w.Item.Version - 1)
	case table.Check:
		if w.Version > 0 {
			return atVersion(w.Version)
		}
	}
	return absent()
}

func (s *Store) part(w table.Write, token string) types.TransactWriteItem {
	const all = types.ReturnValuesOnConditionCheckFailureAllOld
	c := conditionOf(w)
	switch w := w.(type) {
	case table.Check:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: &s.name, Key: keyOf(w.Key), ReturnValuesOnConditionCheckFailure: all,
			ConditionExpression: &c.text, ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.valuesOrNil(),
		}}
	case table.Move:
		update, c := movement(w, token)
		return types.TransactWriteItem{Update: &types.Update{
			TableName: &s.name, Key: keyOf(w.Key), ReturnValuesOnConditionCheckFailure: all, UpdateExpression: &update,
			ConditionExpression: &c.text, ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values,
		}}
	case table.Put:
		return s.partPut(w.Item, c, token)
	case table.Replace:
		return s.partPut(w.Item, c, token)
	}
	return types.TransactWriteItem{} // table.Validate let nothing else through
}

func (s *Store) partPut(it table.Item, c condition, token string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &s.name, Item: encode(it, token),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		ConditionExpression:                 &c.text, ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.valuesOrNil(),
	}}
}

// movement is the update of a Move and its condition. An attribute that is not
// there fails every comparison, so no counter begins by being moved.
func movement(w table.Move, token string) (update string, c condition) {
	c.names = map[string]string{"#v": attrVersion, "#tx": attrToken}
	c.values = attributes{":one": number(1), ":tx": text(token)}
	sets := []string{"#v = #v + :one", "#tx = :tx"}
	var holds []string
	for i, d := range w.Deltas {
		n := strconv.Itoa(i)
		lo, hi := d.Bounds()
		c.names["#c"+n] = counterMark + d.Counter
		c.values[":d"+n], c.values[":l"+n], c.values[":h"+n] = number(d.By), number(lo), number(hi)
		sets = append(sets, "#c"+n+" = #c"+n+" + :d"+n)
		holds = append(holds, "#c"+n+" >= :l"+n+" AND #c"+n+" <= :h"+n)
	}
	c.text = strings.Join(holds, " AND ")
	return "SET " + strings.Join(sets, ", "), c
}

// failure says why w was refused, from the item that stands in its way.
func failure(i int, w table.Write, old attributes) (table.Failure, error) {
	f := table.Failure{Write: i, Key: w.Target(), Reason: table.Missing}
	if len(old) == 0 {
		return f, nil
	}
	var err error
	if f.Current, err = decode(old); err != nil {
		return f, err
	}
	switch w := w.(type) {
	case table.Put:
		f.Reason = table.Exists
	case table.Replace:
		f.Reason = table.Version
	case table.Check:
		f.Reason = table.Version
		if w.Version == 0 {
			f.Reason = table.Exists
		}
	case table.Move:
		f.Reason = table.Floor
		for _, d := range w.Deltas {
			if _, ok := f.Current.Counters[d.Counter]; !ok {
				f.Reason = table.Missing
			}
		}
	}
	return f, nil
}
