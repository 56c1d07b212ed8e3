package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
	"github.com/doudi-aid/doudi/cmd/doudi/world"
)

// engineProgram is where scripts/tools puts the engine that everybody can run.
const engineProgram = ".tools/dynoxide/dynoxide"

// upLambda is up on the shipped zips: the same world and the same API, answered
// by what is deployed.
func upLambda(ctx context.Context, f *flag.FlagSet, o local.Options, zips string, out, errs io.Writer) error {
	var wrong error
	f.Visit(func(set *flag.Flag) {
		if set.Name == "sweep" || set.Name == "store" && o.Store != local.DynamoDB {
			fmt.Fprintf(errs, "doudi up: -%s %s has no meaning with -lambda: template.yaml says how often is swept, and the store is DynamoDB\n", set.Name, set.Value)
			wrong = errUsage
		}
	})
	if len(o.WxPay) > 0 && !slices.Equal(o.WxPay, []string{shipped.Region}) {
		fmt.Fprintf(errs, "doudi up: with -lambda one stack serves one region, so -wxpay takes %s\n", shipped.Region)
		wrong = errUsage
	}
	layout := ""
	if len(o.Batch) > 0 {
		layout = world.DefaultLayout
		if !slices.Equal(o.Batch, []string{shipped.Region}) {
			fmt.Fprintf(errs, "doudi up: with -lambda one stack serves one region, so -batch takes %s\n", shipped.Region)
			wrong = errUsage
		}
	}
	if wrong != nil {
		return wrong
	}
	start := time.Now()
	kept := "保存在 " + o.Data + "/lambda  kept in " + o.Data + "/lambda"
	data := ""
	if o.Data == "" {
		kept = "不保存，退出即失  not kept"
	} else {
		data = filepath.Join(o.Data, "lambda") // sealed with other keys than those of up without -lambda
	}
	died := make(<-chan error)
	if o.Endpoint == "" {
		if _, err := os.Stat(engineProgram); err != nil {
			return errors.New("-lambda needs -store dynamodb -endpoint URL, or " + engineProgram + ", which make tools fetches")
		}
		engine, err := shipped.StartEngine(ctx, engineProgram, data)
		if err != nil {
			return err
		}
		defer engine.Close()
		o.Endpoint, died = engine.URL, engine.Died()
		fmt.Fprintf(out, "  已启动 DynamoDB 引擎  started %s at %s\n\n", engineProgram, engine.URL)
	}
	s, err := shipped.Start(ctx, shipped.Options{Listen: o.Listen, WorldListen: o.WorldListen, Data: data, Endpoint: o.Endpoint, Zips: zips,
		Scenario: o.Scenario, Wallets: len(o.WxPay) > 0, Layout: layout, Log: errs, Level: o.Level})
	if err != nil {
		return err
	}
	welcome(out, time.Since(start), s.URL, s.WorldURL, kept)
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "正在停止 stopping …")
		return s.Close()
	case err = <-s.Failed():
	case err = <-died:
	}
	_ = s.Close() // what failed first is what the operator must hear
	return err
}
