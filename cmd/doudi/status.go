package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/gauge"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/reconciliation"
	"github.com/doudi-aid/doudi/shared/table/embedded"
	"github.com/doudi-aid/doudi/shared/work"
)

// status is the command that shows how a system on this machine stands.
func status(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi status", flag.ContinueOnError)
	f.SetOutput(errs)
	url := f.String("url", "http://127.0.0.1:8080", "a running `doudi up`")
	data := f.String("data", "", "data directory of a system that is not running, instead of -url")
	asJSON := f.Bool("json", false, "for programs")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 {
		fmt.Fprintf(errs, "doudi status: takes no argument %q\n", f.Arg(0))
		return errUsage
	}
	read := func() (local.Status, error) { return ask[local.Status](ctx, http.MethodGet, *url+local.StatusPath) }
	if *data != "" {
		read = func() (local.Status, error) { return statusOf(ctx, *data) }
	}
	s, err := read()
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	show(out, s)
	return nil
}

// statusOf reads a data directory that no system has open. It makes none.
func statusOf(ctx context.Context, data string) (s local.Status, err error) {
	dir := filepath.Join(data, "store")
	if _, err := os.Stat(dir); err != nil {
		return s, fmt.Errorf("no store in %s: %w", data, err)
	}
	store, err := embedded.Open(dir)
	if err != nil {
		return s, fmt.Errorf("%s cannot be opened; if a system is running on it, use -url: %w", data, err)
	}
	defer func() {
		if closed := store.Close(); err == nil {
			err = closed
		}
	}()
	return local.ReadStatus(ctx, store, division.Shipped(), time.Now())
}

// ask asks the operator's pages of a running system.
func ask[T any](ctx context.Context, method, url string) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return answer, err
	}
	hc := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := hc.Do(r)
	if err != nil {
		return answer, fmt.Errorf("is `doudi up` running? %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("%s answers %d; it is not a local system, or its store is busy", url, resp.StatusCode)
	}
	return answer, json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&answer)
}

// show prints s for people, Chinese first.
func show(out io.Writer, s local.Status) {
	p := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	p("兜底 Doudi  %s", s.At.Format(time.DateTime))
	p("\n待办 owed now")
	for _, q := range work.Queues() {
		p("  %-10s %s", q, pile(s.Owed[q]))
	}
	p("\n申请 applications still open")
	for _, state := range application.States() {
		if one := s.Applications[state]; one.Count > 0 {
			p("  %s  %s  %s", state.Label(), state, pile(one))
		}
	}
	p("\n发放 payments not final")
	for _, state := range payout.States() {
		if one := s.Payouts[state]; one.Count > 0 {
			p("  %s  %s  %s  %s 元", state.Label(), state, pile(one), one.Fen)
		}
	}
	p("\n  在途 in flight        %s  %s 元", pile(s.InFlight), s.InFlight.Fen)
	p("  结果不明 unknown      %s  %s 元", pile(s.Unknown), s.Unknown.Fen)
	p("  已超法定期限 late     %s", pile(s.Late))
	p("  暂缓 held             %s", pile(s.Held))
	p("  通知未送 unsent       %s", pile(s.Unsent))
	p("\n资金 funds")
	for _, f := range s.Funds {
		p("  %-14s 可用 available %s  预留 reserved %s  已付 paid %s  （%d 处，%d 处不足 low）", f.Name, f.Available, f.Reserved, f.Paid, f.Slices, f.Low)
	}
	p("\n制动 brakes            %d", len(s.Brakes))
	for _, b := range s.Brakes {
		p("  %s  %s %s %s  %s  自 since %s", b.State.Label(), b.Kind.Label(), b.Division, b.Target, b.Reason, b.Since.Format(time.DateTime))
	}
	p("\n对账 reconciliation")
	for _, one := range s.Statements {
		p("  %-10s 最近已收账单 last statement %s  缺 missing %d 天 days", one.Source, cmp.Or(one.Last.String(), "—"), one.Blind)
	}
	for _, class := range reconciliation.Classes() {
		if one := s.Breaks[class]; one.Count > 0 {
			p("  %s  %s  %s", class.Label(), class, pile(one))
		}
	}
	if s.Queues == nil {
		return
	}
	p("死信 dead letters      %d    排队 queued %d", len(s.Queues.Dead), s.Queues.Pending)
	for _, d := range s.Queues.Dead {
		p("  %s  %s  %s  %s", d.At.Format(time.DateTime), d.Queue, d.Code, d.ID)
	}
}

func pile(p gauge.Pile) string {
	if p.Count == 0 {
		return "0"
	}
	return fmt.Sprintf("%d  最久 oldest %s", p.Count, p.Age())
}
