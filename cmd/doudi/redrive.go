package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/redrive"
)

// sendAgain is the command that sends dead letters again: those of a running
// `doudi up`, or those of an SQS queue.
func sendAgain(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi redrive", flag.ContinueOnError)
	f.SetOutput(errs)
	o := redrive.Options{Progress: out}
	url := f.String("url", "http://127.0.0.1:8080", "a running `doudi up`; not used with -from")
	f.StringVar(&o.From, "from", "", "URL of the SQS dead-letter queue")
	f.StringVar(&o.To, "to", "", "URL of the SQS queue that the letters died in")
	region := f.String("region", cmp.Or(os.Getenv("AWS_REGION"), "cn-north-1"), "of the queues")
	endpoint := f.String("endpoint", "", "of SQS, when it is a stand-in")
	f.IntVar(&o.Max, "max", 1000, "letters at most")
	f.BoolVar(&o.DryRun, "dry-run", false, "only count")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || (o.From == "") != (o.To == "") || o.Max < 1 {
		fmt.Fprintln(errs, "doudi redrive: -from and -to belong together, -max is at least 1, and there are no arguments")
		return errUsage
	}
	if o.From == "" {
		return sendAgainHere(ctx, *url, o.DryRun, out)
	}
	client := sqs.Options{Region: *region, Credentials: aws.CredentialsProviderFunc(fromEnvironment)}
	if *endpoint != "" {
		client.BaseEndpoint = endpoint
	}
	r, err := redrive.Run(ctx, sqs.New(client), o)
	fmt.Fprintf(out, "死信 waiting %d  已重投 moved %d  两处都有 in both queues %d\n", r.Waiting, r.Moved, r.Twice)
	return err
}

func sendAgainHere(ctx context.Context, url string, dry bool, out io.Writer) error {
	s, err := ask[local.Status](ctx, http.MethodGet, url+local.StatusPath)
	if err != nil {
		return err
	}
	waiting := len(s.Queues.Dead)
	var moved struct {
		Moved int `json:"moved"`
	}
	if !dry {
		if moved, err = ask[struct {
			Moved int `json:"moved"`
		}](ctx, http.MethodPost, url+local.RedrivePath); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "死信 waiting %d  已重投 moved %d\n", waiting, moved.Moved)
	return nil
}

// fromEnvironment is the operator's credentials, as `aws configure
// export-credentials --format env` prints them. They are never on the command line.
func fromEnvironment(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN"), Source: "environment"}
	if !c.HasKeys() {
		return c, fmt.Errorf("no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: eval \"$(aws configure export-credentials --format env)\"")
	}
	return c, nil
}
