// Bare is the least that a function over DynamoDB can be: one client, one read
// at start, one at each event. What our functions take to start is compared
// with it, in the same run.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/table/dynamo/setup"
)

func main() {
	client := setup.Client(os.Getenv("AWS_REGION"), os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"), awscall.Environment(os.Getenv), nil)
	name := os.Getenv("DOUDI_TABLE")
	read := func(ctx context.Context) (int, error) {
		out, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &name, Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "NOBODY"}, "sk": &types.AttributeValueMemberS{Value: "NOBODY"}}})
		if err != nil {
			return 0, err
		}
		return len(out.Item), nil
	}
	if _, err := read(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
	lambda.Start(read)
}
