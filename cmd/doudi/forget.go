package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/staff"
	"github.com/doudi-aid/doudi/shared/table"
)

// forget is the command that erases the salt of one case, so that nobody can ever
// tie its leaves in the evidence log to a person. The tree is what it was.
func forget(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	f := flag.NewFlagSet("doudi forget", flag.ContinueOnError)
	f.SetOutput(errs)
	data := f.String("data", "", "data directory of a local system that is not running; without it AWS_REGION, DOUDI_TABLE and DOUDI_SEAL_KEY say where")
	id := f.String("case", "", "the application")
	first := f.String("first", "", "staff id of one who orders it")
	second := f.String("second", "", "staff id of the other; one of the two supervises")
	reason := f.String("reason", "", "a code, such as person_asked or term_ended")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || *id == "" || *first == "" || *second == "" || *reason == "" {
		fmt.Fprintln(errs, "doudi forget: needs -case, -first, -second and -reason; it cannot be undone")
		return errUsage
	}
	var t table.Store
	var log *evidence.Log
	if *data != "" {
		x, closed, err := exporterOf(*data)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closed()) }()
		t, log = x.Table, x.Publisher.Log
	} else {
		here, keys, err := openKeys()
		if err != nil {
			return err
		}
		t, log = here, evidence.New(here, seal.NewBox(keys, rand.Reader), rand.Reader, time.Now)
	}
	if err := forgetCase(ctx, t, log, *id, *reason, *first, *second, time.Now()); err != nil {
		return err
	}
	fmt.Fprintln(out, "盐值已销毁，日志仍可核对。The salt is erased; the log verifies as before.")
	return nil
}

// forgetCase erases the salt of a case on the word of two members of staff, of whom
// one supervises or audits.
func forgetCase(ctx context.Context, t table.Store, log *evidence.Log, id, reason, first, second string, now time.Time) error {
	if _, err := application.Get(ctx, t, id); err != nil {
		return err
	}
	var actors []event.Actor
	watches := false
	for _, who := range []string{first, second} {
		s, err := staff.Get(ctx, t, who)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		if !s.Active || len(s.Holds(now)) == 0 {
			return fmt.Errorf("%s holds no office now", who)
		}
		watches = watches || len(s.Holds(now, staff.Supervisor, staff.Auditor)) > 0
		actors = append(actors, s.Actor())
	}
	if !watches {
		return errors.New("one of the two must supervise or audit")
	}
	return log.Erase(ctx, application.Partition(id), reason, actors[0], actors[1])
}
