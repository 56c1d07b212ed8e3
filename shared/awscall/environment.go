package awscall

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

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
			return aws.Credentials{}, errors.New("awscall: no credentials in the environment")
		}
		return c, nil
	})
}
