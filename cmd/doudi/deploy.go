package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/deploy"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/policy"
)

// deployRegion is "doudi deploy": everything is checked first, then the region's stack is brought up.
func deployRegion(ctx context.Context, args []string, out, errs io.Writer) error {
	return regionCommand(ctx, "doudi deploy", args, out, errs, func(f *flag.FlagSet, o *deploy.Options) {
		f.StringVar(&o.With, "with", "", "sam or aws; by default the SAM CLI where there is one")
		f.BoolVar(&o.DryRun, "dry-run", false, "print the commands, make nothing")
	})
}

// preflight is "doudi preflight": the checks of deploy, and nothing else.
func preflight(ctx context.Context, args []string, out, errs io.Writer) error {
	return regionCommand(ctx, "doudi preflight", args, out, errs, func(_ *flag.FlagSet, o *deploy.Options) { o.Check = true })
}

func regionCommand(ctx context.Context, name string, args []string, out, errs io.Writer, more func(*flag.FlagSet, *deploy.Options)) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(errs)
	var o deploy.Options
	f.StringVar(&o.Region, "region", "", "name of a file in "+deploy.Folder+", such as 320400")
	f.StringVar(&o.Root, "root", ".", "the repository")
	f.BoolVar(&o.Offline, "offline", false, "do not ask the account; to look only, or with -dry-run")
	more(f, &o)
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if o.Region == "" || f.NArg() > 0 {
		fmt.Fprintf(errs, "%s: -region is needed, and nothing else beside flags\n", name)
		return errUsage
	}
	book, err := policy.Shipped()
	if err != nil {
		return err
	}
	return deploy.Deploy(ctx, o, deploy.Rulebook{Book: book, Tree: division.Shipped(), Day: calendar.Today(time.Now())}, out, errs)
}
