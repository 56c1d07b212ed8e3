package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"golang.org/x/mod/sumdb/note"

	"github.com/doudi-aid/doudi/cmd/doudi/audit"
	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/config"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/shared/evidence/bucket"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

// errFound is what a check ends with that found something.
var errFound = errors.New("发现问题，请立即核实 something is wrong; see above")

// pins are the flags of whoever verifies.
type pins struct{ audit.Pins }

func (p *pins) flags(f *flag.FlagSet) {
	f.Func("key", "the log's public key, from a paper that somebody handed over", func(key string) error {
		v, err := note.NewVerifier(key)
		p.Key = v
		return err
	})
	f.Func("witness", "public key of a witness whose cosignature counts; may be given again", func(key string) error {
		v, err := evidence.NewWitness(key)
		p.Witnesses = append(p.Witnesses, v)
		return err
	})
}

// verifyLog is the command that checks an export offline.
func verifyLog(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi verify-log", flag.ContinueOnError)
	f.SetOutput(errs)
	var p pins
	p.flags(f)
	f.StringVar(&p.Copy, "copy", "", "a witness's own directory (doudi witness -dir): its copy of what it saw")
	asJSON := f.Bool("json", false, "for programs")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 {
		fmt.Fprintln(errs, "doudi verify-log: needs the directory of an export (doudi export)")
		return errUsage
	}
	start, shown := time.Now(), time.Time{}
	report, err := audit.Verify(ctx, f.Arg(0), p.Pins, func(done, of uint64) {
		if time.Since(shown) > time.Second/5 || done == of {
			shown = time.Now()
			fmt.Fprintf(errs, "\r  核对 checking %d / %d", done, of)
		}
	})
	fmt.Fprintln(errs)
	if err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		showReport(out, report, time.Since(start))
	}
	if err == nil && !report.Good() {
		err = errFound
	}
	return err
}

func showReport(out io.Writer, r audit.Report, took time.Duration) {
	p := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	p("监督日志 evidence log   %s", r.Origin)
	p("  条数 leaves           %d   根 root %s", r.Leaves, r.Root)
	p("  联署 witnessed        %d", r.Witnessed)
	p("  事项 things           %d   救助 awards %d   资金 slices %d", r.Things, r.Awards, r.Slices)
	p("  数据 items            %d   其中没有记录对应的 unbound %d", r.Items+r.Unbound, r.Unbound)
	p("  迟到 late             %d   已销毁盐值 erased %d", r.Late, r.Erased)
	if !r.Pinned {
		p("  注意：没有用 -key 指定公钥，只能证明导出前后一致，不能证明没有换过密钥。")
		p("  No -key was given: this shows that the export agrees with itself, not that the key is the one you know.")
	}
	for _, f := range r.Findings {
		p("  %s", f)
	}
	if r.More > 0 {
		p("  …… 另有 and %d more", r.More)
	}
	if r.Good() {
		p("一致，没有发现改动。All of it agrees. (%.1f s)", took.Seconds())
	}
}

// verifyCard is the command that checks the proof on a citizen's card, offline.
func verifyCard(_ context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi verify-card", flag.ContinueOnError)
	f.SetOutput(errs)
	var p pins
	p.flags(f)
	draw := f.String("draw", "", "also draw the QR code into this PNG file")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 || p.Key == nil {
		fmt.Fprintln(errs, "doudi verify-card: needs -key, and the text of the QR code, a file with it, or - for standard input")
		return errUsage
	}
	text, err := cardText(f.Arg(0))
	if err != nil {
		return err
	}
	proof, err := evidence.ParseProof(text)
	if err != nil {
		return err
	}
	leaf, signed, err := proof.Check(p.Key, p.Witnesses...)
	if err != nil {
		return fmt.Errorf("证明不成立 %w", err)
	}
	if *draw != "" {
		code, err := proof.Text()
		if err == nil {
			err = drawCode(*draw, code)
		}
		if err != nil {
			return err
		}
	}
	say := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	say("证明成立：这条记录在监督日志里。The proof holds: this is in the evidence log.")
	say("  日志 log        %s  第 %d 条，共 %d 条 leaf %d of %d", signed.Origin, proof.Index, signed.Size, proof.Index, signed.Size)
	say("  事项 about      %s  %s", leaf.Name(), leaf.Kind)
	say("  时间 when       %s  入册 logged %s", leaf.At.Format(time.RFC3339), leaf.Logged.Format(time.RFC3339))
	if fen := leaf.Facts.Fen("amount_fen"); fen != 0 {
		say("  决定 awarded    %s", fen)
	}
	if fen := leaf.Facts.Fen("paid_fen"); fen != 0 {
		say("  实付 paid       %s  %s", fen, leaf.Facts.Text("paid_at"))
	}
	for _, w := range signed.Witnesses {
		say("  联署 witness    %s  %s", w.Name, w.At.Format(time.RFC3339))
	}
	if len(signed.Witnesses) == 0 {
		say("  尚无监督机构联署 no witness that you named has cosigned it")
	}
	return nil
}

// cardText is the text of a code: as it is, in a file, or on standard input.
func cardText(from string) (string, error) {
	if strings.HasPrefix(strings.ToUpper(from), "DOUDI1:") {
		return from, nil
	}
	if from == "-" {
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		return string(raw), err
	}
	raw, err := os.ReadFile(from)
	return string(raw), err
}

// witness is the command of the supervision body.
func witness(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi witness", flag.ContinueOnError)
	f.SetOutput(errs)
	dir := f.String("dir", "doudi-witness", "directory of the witness's key and copy; nobody else's")
	name := f.String("init", "", "make a witness of this name, best a domain of yours, and print its public key")
	url := f.String("url", "http://127.0.0.1:8080", "address of the API")
	every := f.Duration("every", 0, "look again and again, this far apart; 0 looks once")
	var p pins
	p.flags(f)
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || *name == "" && p.Key == nil {
		fmt.Fprintln(errs, "doudi witness: needs -init, or -key; takes no argument")
		return errUsage
	}
	if *name != "" {
		key, err := audit.InitWitness(rand.Reader, *dir, *name, time.Now)
		if err == nil {
			fmt.Fprintln(out, key.Public())
		}
		return err
	}
	key, err := audit.OpenWitness(*dir, time.Now)
	if err != nil {
		return fmt.Errorf("make the witness first (-init): %w", err)
	}
	w := audit.Witness{URL: *url, HTTP: &http.Client{Timeout: time.Minute}, Dir: *dir, Key: key, Log: p.Key, Now: time.Now}
	return watch(ctx, &w, *every, out)
}

// unseenTooLong is how long a log may not be seen before that is a finding itself.
const unseenTooLong = 24 * time.Hour

// watch looks once, or until something is wrong.
func watch(ctx context.Context, w *audit.Witness, every time.Duration, out io.Writer) error {
	seen := w.Now()
	for {
		s, err := w.Look(ctx)
		at := w.Now().Format(time.DateTime)
		switch {
		case len(s.Findings) > 0:
			fmt.Fprintf(out, "%s  ！！监督日志有问题，没有联署，请保存本目录并立即核实。THE LOG IS WRONG. Nothing was cosigned; keep this directory.\n", at)
			for _, f := range s.Findings {
				fmt.Fprintf(out, "  %s\n", f)
			}
			return errFound
		case err != nil && (every == 0 || !errors.Is(err, audit.ErrUnseen) || w.Now().Sub(seen) > unseenTooLong):
			return fmt.Errorf("没有看到日志，也没有联署 nothing was cosigned: %w", err)
		case err != nil:
			fmt.Fprintf(out, "%s  暂时看不到日志 %v\n", at, err)
		default:
			seen = w.Now()
			fmt.Fprintf(out, "%s  已联署 cosigned  %d 条 leaves，新增 new %d，迟到 late %d\n", at, s.Size, s.New, s.Late)
		}
		if every == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// exportLog is the command that writes an export: of a local system that is not
// running, or of a deployed region, which the environment names.
func exportLog(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	f := flag.NewFlagSet("doudi export", flag.ContinueOnError)
	f.SetOutput(errs)
	data := f.String("data", "", "data directory of a local system that is not running; without it AWS_REGION, DOUDI_TABLE, DOUDI_SEAL_KEY and DOUDI_LOG_BUCKET say where")
	key := f.String("key", "", "the log's public key; a local system has it in its data directory")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 || (*data == "") == (*key == "") {
		fmt.Fprintln(errs, "doudi export: needs an empty directory to write into, and -data or -key")
		return errUsage
	}
	open := func() (audit.Exporter, func() error, error) { return exporterOf(*data) }
	if *data == "" {
		open = func() (audit.Exporter, func() error, error) { return exporterHere(*key) }
	}
	x, closed, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed()) }()
	x.Progress = func(done, of uint64) { fmt.Fprintf(errs, "\r  导出 exporting %d / %d", done, of) }
	m, err := x.Export(ctx, f.Arg(0))
	fmt.Fprintln(errs)
	if err == nil {
		fmt.Fprintf(out, "已导出 exported  %s  %d 条 leaves  →  %s\n", m.Origin, m.Leaves, f.Arg(0))
	}
	return err
}

// exporterOf reads a data directory that no system has open.
func exporterOf(data string) (audit.Exporter, func() error, error) {
	none := audit.Exporter{}
	dir := filepath.Join(data, "store")
	if _, err := os.Stat(dir); err != nil {
		return none, nil, fmt.Errorf("no store in %s: %w", data, err)
	}
	sealed, err := seal.OpenKeyFile(filepath.Join(data, "keys.json"), ident.Random())
	if err != nil {
		return none, nil, err
	}
	store, err := embedded.Open(dir)
	if err != nil {
		return none, nil, fmt.Errorf("%s cannot be opened; stop the system that runs on it first: %w", data, err)
	}
	keys, blobs, err := local.LogFiles(data)
	if err != nil {
		return none, nil, errors.Join(err, store.Close())
	}
	closed := func() error { return errors.Join(blobs.Close(), store.Close()) }
	p, err := keys.Publisher(evidence.New(store, seal.NewBox(sealed, rand.Reader), rand.Reader, time.Now), blobs)
	if err != nil {
		return none, nil, errors.Join(err, closed())
	}
	return audit.Exporter{Table: store, Publisher: p, Key: keys.Public, Now: time.Now}, closed, nil
}

// exporterHere reads the region that the environment names.
func exporterHere(key string) (audit.Exporter, func() error, error) {
	none := audit.Exporter{}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return none, nil, fmt.Errorf("-key: %w", err)
	}
	t, keys, err := openKeys()
	if err != nil {
		return none, nil, err
	}
	settings := config.From(os.LookupEnv)
	region, name := settings.Text("AWS_REGION"), settings.Text("DOUDI_LOG_BUCKET")
	if err := settings.Err(); err != nil {
		return none, nil, err
	}
	at := os.Getenv("AWS_ENDPOINT_URL_S3")
	calls := awscall.New(awscall.Config{Region: region, Credentials: awscall.Environment(os.Getenv), HTTP: awshttp.NewBuildableClient(), Now: time.Now,
		Endpoint: func(string) string { return at }})
	p := &evidence.Publisher{Log: evidence.New(t, seal.NewBox(keys, rand.Reader), rand.Reader, time.Now), Blobs: bucket.New(calls, name), Verifier: verifier}
	return audit.Exporter{Table: t, Publisher: p, Key: key, Now: time.Now}, func() error { return nil }, nil
}
