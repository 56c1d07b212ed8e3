package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/evidence"
)

// up is the command that runs the whole system on this machine.
func up(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi up", flag.ContinueOnError)
	f.SetOutput(errs)
	o := local.Options{Log: errs, Level: slog.LevelWarn}
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of the API")
	f.StringVar(&o.WorldListen, "world", "", "address of the stand-in world (registers, bank, WeChat, SMS); empty finds one")
	f.StringVar(&o.Data, "data", ".doudi", "directory that keeps everything; empty keeps nothing")
	f.StringVar(&o.Store, "store", local.Embedded, "embedded or dynamodb")
	f.StringVar(&o.Endpoint, "endpoint", "", "address of a DynamoDB engine, with -store dynamodb")
	f.StringVar(&o.Scenario, "scenario", "", "scenario file for the stand-in world (docs/scenarios.md)")
	f.DurationVar(&o.SweepEvery, "sweep", 5*time.Second, "how often owed work is looked for")
	f.Func("wxpay", "regions where people may be paid into WeChat wallets, such as 320400,511700; none by default", func(list string) error {
		o.WxPay = strings.Split(list, ",")
		return nil
	})
	f.Func("batch", "regions where payments may leave in files that pay many (代发), such as 320400,511700; none by default", func(list string) error {
		o.Batch = strings.Split(list, ",")
		return nil
	})
	f.Func("witness", "public key of a witness whose cosignatures the evidence log takes (doudi witness -init prints it); may be given again", func(key string) error {
		if _, err := evidence.NewWitness(key); err != nil {
			return err
		}
		o.Witnesses = append(o.Witnesses, key)
		return nil
	})
	lambda := f.Bool("lambda", false, "run the shipped zips, as Lambda would, on a DynamoDB engine")
	zips := f.String("zips", "dist", "directory of the zips for this machine, with -lambda; scripts/build makes them")
	verbose := f.Bool("v", false, "log every step, not only trouble")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() > 0 {
		fmt.Fprintf(errs, "doudi up: takes no argument %q\n", f.Arg(0))
		return errUsage
	}
	if *verbose {
		o.Level = slog.LevelInfo
	}
	if *lambda {
		return upLambda(ctx, f, o, *zips, out, errs)
	}
	start := time.Now()
	s, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	kept := "保存在 " + o.Data + "  kept in " + o.Data
	if o.Data == "" {
		kept = "不保存，退出即失  not kept"
	}
	welcome(out, time.Since(start), s.URL, s.WorldURL, kept)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "正在停止 stopping …")
		return s.Close()
	case err := <-s.Failed():
		_ = s.Close() // what failed first is what the operator must hear
		return err
	}
}

// welcome tells a newcomer where everything is and what to do next.
func welcome(out io.Writer, took time.Duration, api, world, kept string) {
	fmt.Fprintf(out, `兜底 Doudi 已就绪（%.2f 秒）  ready

  接口 API        %s
  替身世界 world  %s   （户籍、银行、微信、短信都是替身，没有真人真钱）
  数据 data       %s
  地区 regions    320400 常州  511700 达州  120112 天津津南

  下一步 next（另开一个终端 in another terminal）:

    go run ./cmd/doudi demo -url %s

  停止 stop: Ctrl-C
`, took.Seconds(), api, world, kept, api)
}
