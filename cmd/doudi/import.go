package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/doudi-aid/doudi/cmd/doudi/roster"
	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/config"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/seal/kmskeys"
	"github.com/doudi-aid/doudi/shared/table/dynamo"
)

// importRoster is "doudi import": staff and appropriations into a deployed region.
// Where that is it takes from the environment, as a function does.
func importRoster(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi import", flag.ContinueOnError)
	f.SetOutput(errs)
	check := f.Bool("check", false, "read the file and write nothing")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 {
		fmt.Fprintln(errs, "doudi import: one file is needed; docs/deploy.md shows one")
		return errUsage
	}
	raw, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return errors.New("the file cannot be read") // its name may be somebody's
	}
	file, err := roster.Read(raw, division.Shipped(), calendar.Today(time.Now()))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "region %s: %d people, %d appropriations\n", file.Region, len(file.Staff), len(file.Money))
	if *check {
		return nil
	}
	desk, err := openDesk(ctx)
	if err != nil {
		return err
	}
	done, err := roster.Import(ctx, desk, file)
	fmt.Fprintf(out, "%d appointed, %d were there, %d appropriations stand\n", done.Appointed, done.Left, done.Provided)
	return err
}

// openDesk opens the table and the keys that the environment names.
func openDesk(ctx context.Context) (roster.Desk, error) {
	t, keys, err := openKeys()
	if err != nil {
		return roster.Desk{}, err
	}
	blind, err := keys.Blind(ctx)
	return roster.Desk{Table: t, Box: seal.NewBox(keys, rand.Reader), Blind: blind, Tree: division.Shipped(), Now: time.Now}, err
}

func openKeys() (*dynamo.Store, *kmskeys.Keys, error) {
	settings := config.From(os.LookupEnv)
	region, name, key := settings.Text("AWS_REGION"), settings.Text("DOUDI_TABLE"), settings.Text("DOUDI_SEAL_KEY")
	if err := settings.Err(); err != nil {
		return nil, nil, err
	}
	credentials := awscall.Environment(os.Getenv)
	calls := awscall.New(awscall.Config{Region: region, Credentials: credentials, HTTP: awshttp.NewBuildableClient(), Now: time.Now,
		Endpoint: func(service string) string {
			return os.Getenv(map[string]string{"dynamodb": "AWS_ENDPOINT_URL_DYNAMODB", "kms": "AWS_ENDPOINT_URL_KMS"}[service])
		}})
	t := dynamo.New(calls, name, ident.Random())
	return t, kmskeys.New(calls, t, key, seal.AES256GCM, time.Now), nil
}

// rotate is "doudi rotate": a new version of the key that people and accounts are
// known by. The old versions stay, because what is filed under them must be found.
func rotate(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) > 0 {
		fmt.Fprintln(errs, "doudi rotate: takes no arguments; AWS_REGION, DOUDI_TABLE and DOUDI_SEAL_KEY say where")
		return errUsage
	}
	_, keys, err := openKeys()
	if err != nil {
		return err
	}
	if err := keys.RotateBlind(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "a new version stands; deploy again now, so that every function starts with it")
	return nil
}
