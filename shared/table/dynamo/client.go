package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
)

// Client sends one operation to DynamoDB; *awscall.Client is one. JSON may repeat
// what had no answer, JSONOnce never does.
type Client interface {
	JSON(ctx context.Context, s awscall.Service, operation string, in, out any) error
	JSONOnce(ctx context.Context, s awscall.Service, operation string, in, out any) error
}

// Lean is a client for the engine at endpoint.
func Lean(region, endpoint string, credentials aws.CredentialsProvider, http aws.HTTPClient, now func() time.Time) Client {
	return awscall.New(awscall.Config{Region: region, Credentials: credentials, HTTP: http, Now: now,
		Endpoint: func(string) string { return endpoint }})
}

// service is DynamoDB. Its largest answer is that of a BatchGetItem: 16 MB, and
// bodies in base64.
var service = awscall.Service{Name: "dynamodb", Target: "DynamoDB_20120810", Version: "1.0", Limit: 24 << 20}

// What is asked and answered, as the API reference of DynamoDB has it: the five
// operations of the store, with the members that it uses.
type (
	getItemInput struct {
		TableName              string
		Key                    attributes
		ConsistentRead         bool
		ReturnConsumedCapacity string `json:",omitempty"`
	}
	getItemOutput struct {
		Item             attributes
		ConsumedCapacity *capacity
	}
	queryInput struct {
		TableName                 string
		IndexName                 string `json:",omitempty"`
		Limit                     int
		ScanIndexForward          bool
		ConsistentRead            bool
		KeyConditionExpression    string
		ExpressionAttributeNames  map[string]string
		ExpressionAttributeValues attributes
		ExclusiveStartKey         attributes `json:",omitempty"`
		ReturnConsumedCapacity    string     `json:",omitempty"`
	}
	queryOutput struct {
		Items            []attributes
		LastEvaluatedKey attributes
		ConsumedCapacity *capacity
	}
	batchGetItemInput struct {
		RequestItems           map[string]keysToRead
		ReturnConsumedCapacity string `json:",omitempty"`
	}
	batchGetItemOutput struct {
		Responses        map[string][]attributes
		UnprocessedKeys  map[string]keysToRead
		ConsumedCapacity []capacity
	}
	keysToRead struct {
		Keys           []attributes
		ConsistentRead bool
	}
	// write is a member of a transaction, and by itself a PutItem.
	write struct {
		TableName                           string
		Item                                attributes `json:",omitempty"`
		Key                                 attributes `json:",omitempty"`
		UpdateExpression                    string     `json:",omitempty"`
		ConditionExpression                 string
		ExpressionAttributeNames            map[string]string
		ExpressionAttributeValues           attributes `json:",omitempty"`
		ReturnValuesOnConditionCheckFailure string
		ReturnConsumedCapacity              string `json:",omitempty"` // of a PutItem
	}
	putItemOutput struct {
		ConsumedCapacity *capacity
	}
	transactWriteItemsInput struct {
		ClientRequestToken     string
		TransactItems          []transactItem
		ReturnConsumedCapacity string `json:",omitempty"`
	}
	transactItem struct {
		ConditionCheck, Put, Update *write `json:",omitempty"`
	}
	transactWriteItemsOutput struct {
		ConsumedCapacity []capacity
	}
	capacity struct{ CapacityUnits float64 }
	// reason is why a transaction did not happen, for one of its members.
	reason struct {
		Code string
		Item attributes // that was in the way
	}
)

// allOld asks for the item that stands in a write's way.
const allOld = "ALL_OLD"

// conditionError is a PutItem refused by its condition.
type conditionError struct {
	refused *awscall.Error
	item    attributes
}

func (e *conditionError) Error() string { return e.refused.Error() }
func (e *conditionError) Unwrap() error { return e.refused }

// canceledError is a transaction that did not happen.
type canceledError struct {
	refused *awscall.Error
	reasons []reason
}

// Error says of each member of the transaction why, and nothing of what it wrote.
func (e *canceledError) Error() string {
	codes := make([]string, len(e.reasons))
	for i, r := range e.reasons {
		codes[i] = r.Code
	}
	return e.refused.Error() + " [" + strings.Join(codes, ", ") + "]"
}

func (e *canceledError) Unwrap() error { return e.refused }

// once sends a write, one time: a repetition of one whose answer was lost fails
// against the write's own effect, so that it must be known what was sent before.
func (s *Store) once(ctx context.Context, operation string, in, out any) error {
	err := s.client.JSONOnce(ctx, service, operation, in, out)
	if !awscall.IsCode(err, codeConditionException, codeCanceled) {
		return err
	}
	refused, _ := errors.AsType[*awscall.Error](err)
	var why struct {
		Item                attributes
		CancellationReasons []reason
	}
	if json.Unmarshal(refused.Detail, &why) != nil {
		return fmt.Errorf("%w: why a %s was refused", awscall.ErrNoAnswer, operation)
	}
	if refused.Code == codeCanceled {
		return &canceledError{refused, why.CancellationReasons}
	}
	return &conditionError{refused, why.Item}
}
