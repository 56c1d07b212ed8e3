// Package changes reads the records of the table's stream as Lambda delivers
// them. It knows how Lambda writes attributes and leaves their meaning to
// package dynamo.
package changes

import (
	"fmt"

	"github.com/aws/aws-lambda-go/events"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
)

// Decode is a lambdaqueue.Decode. The removal of an expired item is no change.
func Decode(r events.DynamoDBEventRecord) (table.Change, bool, error) {
	if events.DynamoDBOperationType(r.EventName) == events.DynamoDBOperationTypeRemove {
		return table.Change{}, false, nil
	}
	image := make(map[string]dynamo.Value, len(r.Change.NewImage))
	for name, v := range r.Change.NewImage {
		switch v.DataType() {
		case events.DataTypeString:
			s := v.String()
			image[name] = dynamo.Value{S: &s}
		case events.DataTypeNumber:
			n := v.Number()
			image[name] = dynamo.Value{N: &n}
		case events.DataTypeBinary:
			image[name] = dynamo.Value{B: v.Binary()}
		default:
			return table.Change{}, false, fmt.Errorf("changes: attribute %s is of a type the store never writes", name)
		}
	}
	c, err := dynamo.Change(r.Change.SequenceNumber, image)
	return c, err == nil, err
}
