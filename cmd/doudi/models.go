package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/event"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/inspection"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// models is the command for inspection models: what ships, whether a file is
// right, and what a file would have held.
func models(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) == 0 {
		return listModels(out)
	}
	switch args[0] {
	case "check":
		return checkModels(args[1:], out, errs)
	case "backtest":
		return backtest(ctx, args[1:], out, errs)
	}
	fmt.Fprintln(errs, "doudi models: lists what ships; doudi models check FILE…; doudi models backtest -model FILE")
	return errUsage
}

func listModels(out io.Writer) error {
	set, err := model.Shipped()
	if err != nil {
		return err
	}
	for _, m := range set.All() {
		fmt.Fprintf(out, "%-18s %s  %-6s %s  %s\n", m.ID, m.FirstDay, m.Effect, m.Title.Zh, m.Title.En)
	}
	return nil
}

// readModel reads one file as the build does.
func readModel(file string) (model.Model, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return model.Model{}, err
	}
	m, problems := model.Parse(raw, regionfile.Parse)
	if len(problems) > 0 {
		return m, fmt.Errorf("%s: %w", file, problems)
	}
	return m, nil
}

// checkModels says everything that is wrong with each file.
func checkModels(files []string, out, errs io.Writer) error {
	if len(files) == 0 {
		fmt.Fprintln(errs, "doudi models check: at least one file is needed")
		return errUsage
	}
	var wrong []error
	for _, file := range files {
		m, err := readModel(file)
		if err == nil {
			fmt.Fprintf(out, "%s: %s, %s\n", file, m.ID, m.Fingerprint)
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// day reads a flag that is a day; the zero time when it is empty.
func dayFlag(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := civil.ParseDay(text)
	return d.Start(calendar.Zone), err
}

// backtest shows what a model would have made of past decisions. It writes nothing.
func backtest(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi models backtest", flag.ContinueOnError)
	f.SetOutput(errs)
	file := f.String("model", "", "the model's file")
	data := f.String("data", "", "data directory of a system that is not running; empty takes the region that the environment names")
	from := f.String("from", "", "first day, 2026-07-01; empty for the beginning")
	to := f.String("to", "", "last day; empty for today")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || *file == "" {
		fmt.Fprintln(errs, "doudi models backtest: needs -model, and takes no argument")
		return errUsage
	}
	m, err := readModel(*file)
	if err != nil {
		return err
	}
	begin, err1 := dayFlag(*from)
	end, err2 := dayFlag(*to)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if end.IsZero() {
		end = time.Now()
	} else {
		end = end.AddDate(0, 0, 1)
	}
	desk, log, done, err := openHistory(ctx, *data)
	if err != nil {
		return err
	}
	t, err := desk.Try(ctx, m, history(ctx, log), begin, end)
	if err = errors.Join(err, done()); err != nil {
		return err
	}
	report(out, t)
	return nil
}

// openHistory opens what a backtest reads: a directory of this machine, or a region.
func openHistory(ctx context.Context, data string) (d inspection.Desk, log evidence.Reader, done func() error, err error) {
	d.Tree = division.Shipped()
	var random io.Reader = rand.Reader
	with := func(t table.Store, box *seal.Box, blind *seal.Blind) {
		d.Table, d.Box, d.Blind = t, box, blind
		log = evidence.New(t, box, random, time.Now)
	}
	if data == "" {
		desk, err := openDesk(ctx)
		if err != nil {
			return d, nil, nil, err
		}
		with(desk.Table, desk.Box, desk.Blind)
		return d, log, func() error { return nil }, nil
	}
	keys := filepath.Join(data, "keys.json")
	if _, err := os.Stat(keys); err != nil { // opening makes one, which would open nothing here
		return d, nil, nil, fmt.Errorf("no keys in %s: %w", data, err)
	}
	kept, err := seal.OpenKeyFile(keys, ident.Random())
	if err != nil {
		return d, nil, nil, err
	}
	store, err := embedded.Open(filepath.Join(data, "store"))
	if err != nil {
		return d, nil, nil, fmt.Errorf("%s cannot be opened; a backtest reads a system that is not running: %w", data, err)
	}
	with(store, seal.NewBox(kept, random), kept.Blind())
	return d, log, store.Close, nil
}

// pageOfHistory is how many entries of the record are read at once.
const pageOfHistory = 256

// history is every event in the order of the record.
func history(ctx context.Context, log evidence.Reader) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for at := uint64(0); ; {
			entries, err := log.Read(ctx, at, pageOfHistory)
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			if len(entries) == 0 {
				return
			}
			for _, e := range entries {
				if !yield(e.Event, nil) {
					return
				}
			}
			at += uint64(len(entries))
		}
	}
}

// report prints a trial for people, Chinese first.
func report(out io.Writer, t inspection.Trial) {
	m := t.Model
	p := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	p("%s  %s  %s", m.ID, m.Title.Zh, m.Title.En)
	var figures []string
	for name, f := range m.Figures {
		figures = append(figures, fmt.Sprintf("%s=%d", name, f.Value))
	}
	slices.Sort(figures)
	p("口径 figures    %s  %s", strings.Join(figures, " "), m.Fingerprint)
	p("效果 effect     %s %s", m.Effect.Label(), m.Effect)
	p("决定 decisions  %d  %s 元", t.Cases, t.DecidedFen)
	p("命中 hit        %d  %s 元", t.Hit, t.HitFen)
	p("占比 share      %d.%d %%", t.PerMille()/10, t.PerMille()%10)
	for _, e := range t.Examples {
		p("  %s  %s  %s  %s", e.At.In(calendar.Zone).Format(time.DateTime), e.Township, e.Application, e.Words.Zh)
	}
}
