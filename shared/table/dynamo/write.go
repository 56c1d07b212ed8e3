package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

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

// put sends one conditional PutItem until its outcome is known.
func (s *Store) put(ctx context.Context, w table.Write, it table.Item, token string) error {
	c := conditionOf(w)
	in := s.partPut(it, c, token)
	in.ReturnConsumedCapacity = s.capacity()
	return s.repeat(ctx, func(ctx context.Context) error {
		var out putItemOutput
		err := s.once(ctx, "PutItem", in, &out)
		if err == nil {
			s.used("PutItem", one(out.ConsumedCapacity)...)
		}
		return err
	}, func(err error, lost bool) error {
		refused, ok := errors.AsType[*conditionError](err)
		if !ok {
			return err
		}
		if tokenOf(refused.item) == token {
			return nil // refused by our own write, whose answer was lost
		}
		f, err := failure(0, w, refused.item)
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
	in := transactWriteItemsInput{ClientRequestToken: token, ReturnConsumedCapacity: s.capacity()}
	for _, w := range writes {
		in.TransactItems = append(in.TransactItems, s.part(w, token))
	}
	return s.repeat(ctx, func(ctx context.Context) error {
		var out transactWriteItemsOutput
		err := s.once(ctx, "TransactWriteItems", in, &out)
		if err == nil {
			s.used("TransactWriteItems", out.ConsumedCapacity...)
		}
		return err
	}, func(err error, lost bool) error {
		canceled, ok := errors.AsType[*canceledError](err)
		if !ok {
			return err
		}
		e := &table.ConditionError{}
		settled := false
		for i, reason := range canceled.reasons {
			if i >= len(writes) || reason.Code != codeCondition {
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

func (s *Store) part(w table.Write, token string) transactItem {
	c := conditionOf(w)
	switch w := w.(type) {
	case table.Check:
		return transactItem{ConditionCheck: s.conditional(c, write{Key: keyOf(w.Key)})}
	case table.Move:
		update, c := movement(w, token)
		return transactItem{Update: s.conditional(c, write{Key: keyOf(w.Key), UpdateExpression: update})}
	case table.Put:
		return transactItem{Put: s.partPut(w.Item, c, token)}
	case table.Replace:
		return transactItem{Put: s.partPut(w.Item, c, token)}
	}
	return transactItem{} // table.Validate let nothing else through
}

func (s *Store) partPut(it table.Item, c condition, token string) *write {
	return s.conditional(c, write{Item: encode(it, token)})
}

// conditional is w under c; when it is refused, the answer shall have what was in
// the way.
func (s *Store) conditional(c condition, w write) *write {
	w.TableName, w.ReturnValuesOnConditionCheckFailure = s.name, allOld
	w.ConditionExpression, w.ExpressionAttributeNames, w.ExpressionAttributeValues = c.text, c.names, c.values
	return &w
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
