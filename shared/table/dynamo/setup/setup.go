// Package setup makes the table on a DynamoDB engine, for tests and for one
// machine: a deployed table is the template's. It is apart from package dynamo
// because the SDK's client for DynamoDB weighs 1.6 MB and a deployed function has
// no use for it.
package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
)

// Client is a client made without the SDK's config package, for what an engine is
// asked beside the store. An empty endpoint is the region's own; a nil http is the
// SDK's default.
func Client(region, endpoint string, credentials aws.CredentialsProvider, http aws.HTTPClient) *dynamodb.Client {
	o := dynamodb.Options{Region: region, Credentials: credentials, HTTPClient: http}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	return dynamodb.New(o)
}

// Schema is the table as CreateTable makes it and as the deployed template has
// to: keys, indexes with keys only, and a stream of new images.
func Schema(name string) *dynamodb.CreateTableInput {
	attribute := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	keys := func(i table.Index) []types.KeySchemaElement {
		pk, sk := dynamo.KeyNames(i)
		return []types.KeySchemaElement{
			{AttributeName: &pk, KeyType: types.KeyTypeHash},
			{AttributeName: &sk, KeyType: types.KeyTypeRange},
		}
	}
	in := &dynamodb.CreateTableInput{
		TableName:           &name,
		BillingMode:         types.BillingModePayPerRequest,
		KeySchema:           keys(""),
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	}
	for _, i := range append([]table.Index{""}, table.Indexes()...) {
		pk, sk := dynamo.KeyNames(i)
		in.AttributeDefinitions = append(in.AttributeDefinitions, attribute(pk), attribute(sk))
		if i == "" {
			continue
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(string(i)), KeySchema: keys(i),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	return in
}

// ready is how long a new table may take to become usable.
const ready = time.Minute

// CreateTable makes the table for tests and for one machine, and waits until it
// is usable; one that is there already is left as it is. change may alter the
// schema first, such as to do without a stream where none is read.
func CreateTable(ctx context.Context, client *dynamodb.Client, name string, change ...func(*dynamodb.CreateTableInput)) error {
	in := Schema(name)
	for _, c := range change {
		c(in)
	}
	_, err := client.CreateTable(ctx, in)
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return fmt.Errorf("setup: create table %s: %w", name, err)
	}
	if err := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, ready); err != nil {
		return fmt.Errorf("setup: table %s does not become usable: %w", name, err)
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &name, TimeToLiveSpecification: &types.TimeToLiveSpecification{
		AttributeName: aws.String(dynamo.ExpiresName), Enabled: aws.Bool(true),
	}})
	if err != nil && !alreadyOn(ctx, client, name) {
		return fmt.Errorf("setup: expiry of table %s: %w", name, err)
	}
	return nil
}

func alreadyOn(ctx context.Context, client *dynamodb.Client, name string) bool {
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	return err == nil && out.TimeToLiveDescription != nil && aws.ToString(out.TimeToLiveDescription.AttributeName) == dynamo.ExpiresName
}
