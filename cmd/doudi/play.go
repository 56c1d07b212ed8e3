package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/demo"
)

// play is the demo command.
func play(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi demo", flag.ContinueOnError)
	f.SetOutput(errs)
	url := f.String("url", "http://127.0.0.1:8080", "address of the running system")
	bank := f.String("bank", "", "address of the stand-in world; the system names it by itself")
	region := f.String("region", "320400", "region to play in: 320400, 511700 or 120112")
	wallet := f.Bool("wallet", false, "pay into the person's WeChat wallet; needs doudi up -wxpay REGION")
	wait := f.Duration("wait", 2*time.Minute, "how long the server may be away, or a step may take")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 {
		fmt.Fprintf(errs, "doudi demo: takes no argument %q\n", f.Arg(0))
		return errUsage
	}
	return demo.Run(ctx, demo.Options{URL: strings.TrimRight(*url, "/"), Bank: *bank, Region: *region, Wallet: *wallet, Patient: *wait, Out: out,
		HTTP: &http.Client{Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 8}}})
}
