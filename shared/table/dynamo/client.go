package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Lean is a client made without the SDK's config package, which would bring
// single sign-on and the instance metadata service into every function and a
// certificate bundle of the environment into every connection. An empty endpoint
// is the region's own; a nil http is the SDK's default.
func Lean(region, endpoint string, credentials aws.CredentialsProvider, http aws.HTTPClient) *dynamodb.Client {
	o := dynamodb.Options{Region: region, Credentials: credentials, HTTPClient: http}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	return dynamodb.New(o)
}

// Environment takes credentials from the variables that the Lambda runtime sets.
// They are read at each use.
func Environment(getenv func(string) string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		c := aws.Credentials{
			AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
			SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken:    getenv("AWS_SESSION_TOKEN"),
			Source:          "environment",
		}
		if !c.HasKeys() {
			return aws.Credentials{}, errors.New("dynamo: no credentials in the environment")
		}
		return c, nil
	})
}
