package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/doudi-aid/doudi/shared/evidence"
)

// logKeys is the command that makes what an evidence log signs with. It keeps
// nothing: the operator puts what it prints into Secrets Manager.
func logKeys(_ context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi log-keys", flag.ContinueOnError)
	f.SetOutput(errs)
	origin := f.String("origin", "", "name of the log, such as doudi/320400; it never changes")
	var witnesses []string
	f.Func("witness", "public key of a witness, from the supervision body's own hand; may be given again", func(key string) error {
		_, err := evidence.NewWitness(key)
		witnesses = append(witnesses, key)
		return err
	})
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || *origin == "" {
		fmt.Fprintln(errs, "doudi log-keys: needs -origin, and takes no argument")
		return errUsage
	}
	keys, err := evidence.NewKeys(rand.Reader, *origin)
	if err != nil {
		return err
	}
	keys.Witnesses = append(keys.Witnesses, witnesses...)
	return json.NewEncoder(out).Encode(keys)
}
