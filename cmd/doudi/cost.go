package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cloud"
	"github.com/doudi-aid/doudi/cmd/doudi/cost"
	"github.com/doudi-aid/doudi/cmd/doudi/demo"
	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
)

// price is "doudi cost": counts times prices, and with -count a run that counts anew.
func price(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi cost", flag.ContinueOnError)
	f.SetOutput(errs)
	root := f.String("root", ".", "the repository")
	region := f.String("prices", "us-east-1", "AWS region, a file of "+cost.Folder)
	count := f.Int("count", 0, "play so many cases on the shipped functions, count anew and keep the counts")
	zips := f.String("zips", "", "with -count: directory of zips built for this machine")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 || *count < 0 || (*count > 0) != (*zips != "") {
		fmt.Fprintln(errs, "doudi cost: -count and -zips go together, and there are no arguments")
		return errUsage
	}
	prices, err := cost.ReadPrices(os.DirFS(*root), *region)
	if err != nil {
		return err
	}
	if *count > 0 {
		counts, err := countUnits(ctx, *zips, *count)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		text.WriteString("# Written by doudi cost -count. Do not edit: count again.\n")
		if err := toml.NewEncoder(&text).Encode(counts); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*root, cost.Folder, "counts.toml"), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	counts, err := cost.ReadCounts(os.DirFS(*root))
	if err != nil {
		return err
	}
	cost.Print(out, counts, prices)
	return nil
}

// memoryGB is what the template gives each function.
const memoryGB = 0.25

// pollers is how many requests at once Lambda keeps waiting on a queue with nothing in it.
const pollers = 5

// countUnits plays cases on the shipped functions and counts what they use. The
// first case warms everything up and is not counted.
func countUnits(ctx context.Context, zips string, cases int) (cost.Counts, error) {
	none := cost.Counts{}
	template, err := doudi.Load()
	if err != nil {
		return none, err
	}
	engine, err := shipped.StartEngine(ctx, engineProgram, "")
	if err != nil {
		return none, err
	}
	defer engine.Close()
	at, err := url.Parse(engine.URL)
	if err != nil {
		return none, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return none, err
	}
	meter := cost.NewMeter()
	counted := func(function string) bool {
		return function != "" && function != "sweep" && template.Functions[function].Timeout > 0
	}
	server := &http.Server{Handler: meter.Engine(at, counted), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close, and with nothing else
	defer server.Close()
	s, err := shipped.Start(ctx, shipped.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Endpoint: "http://" + l.Addr().String(), Zips: zips,
		PayDelay: 50 * time.Millisecond, Log: meter, Level: slog.LevelInfo, Trouble: shipped.Trouble{Hook: func(c cloud.Call) {
			if c.Done || !counted(c.By) {
				return
			}
			switch service, _, _ := strings.Cut(c.Target, "."); service {
			case "AmazonSQS":
				meter.Add(cost.QueueRequest, 3) // sent, and then received and deleted by Lambda's poller
			case "TrentService":
				meter.Add(cost.KMSRequest, 1)
			case "secretsmanager":
				meter.Add(cost.SecretRead, 1)
			}
		}}})
	if err != nil {
		return none, err
	}
	play := func() error {
		client := &http.Client{Transport: counting{meter: meter, host: strings.TrimPrefix(s.URL, "http://"), next: &http.Transport{Proxy: nil}}}
		return demo.Run(ctx, demo.Options{URL: s.URL, Region: "320400", Patient: time.Minute, Out: io.Discard, HTTP: client})
	}
	taken := func() map[cost.Unit]float64 {
		out := meter.Taken()
		for name := range template.Functions {
			if r := s.Host.Report(name); name != "sweep" {
				out[cost.LambdaRequest] += float64(r.Invocations)
				out[cost.LambdaGBSecond] += r.Busy.Seconds() * memoryGB
			}
		}
		return out
	}
	err = play()
	before := taken()
	for i := 0; err == nil && i < cases; i++ {
		err = play()
	}
	per := taken()
	for u := range per {
		per[u] = (per[u] - before[u]) / float64(cases)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return none, err
	}
	month, err := cost.Standing(doudi.Stack(), len(template.Queues)*pollers)
	return cost.Counts{Day: time.Now().Format(time.DateOnly), Application: per, Month: month,
		How: fmt.Sprintf("%d whole cases of doudi demo on the shipped functions, after one that warmed them up", cases)}, err
}

// counting counts the requests to one host.
type counting struct {
	meter *cost.Meter
	host  string
	next  http.RoundTripper
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == c.host && strings.HasPrefix(r.URL.Path, "/v1/") {
		c.meter.Add(cost.HTTPRequest, 1)
	}
	return c.next.RoundTrip(r)
}
