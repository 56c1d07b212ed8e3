package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/lambdahost"
	"github.com/doudi-aid/doudi/cmd/doudi/shipped"
	"github.com/doudi-aid/doudi/shared/ident"
)

// coldStarts of each function are measured, turn and turn about with the bare one.
const coldStarts = 15

// starts starts every shipped function and a bare handler over DynamoDB, again
// and again, in one run: size, time until it asks for its first event, and CPU.
func starts(ctx context.Context, o options) error {
	zips, bare := filepath.Join(o.dir, "zips"), filepath.Join(o.dir, "bare")
	if out, err := exec.CommandContext(ctx, "scripts/build", runtime.GOARCH, zips).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	if err := buildBare(ctx, bare); err != nil {
		return err
	}
	engine, err := shipped.StartEngine(ctx, ".tools/dynoxide/dynoxide", "")
	if err != nil {
		return err
	}
	defer engine.Close()
	s, err := shipped.Start(ctx, shipped.Options{Listen: "127.0.0.1:0", WorldListen: "127.0.0.1:0", Endpoint: engine.URL, Zips: zips, Log: io.Discard, Level: slog.LevelError,
		Trouble: shipped.Trouble{Idle: true}})
	if err != nil {
		return err
	}
	defer s.Close()
	least, err := lambdahost.New(lambdahost.Options{Zips: filepath.Dir(bare), IDs: ident.Random(), Log: slog.New(slog.DiscardHandler), Output: io.Discard,
		Settings: map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": engine.URL, "DOUDI_TABLE": "doudi-lambda"},
		Template: &doudi.Template{Functions: map[string]doudi.Function{"bare": {Timeout: time.Minute, Settings: map[string]string{"DOUDI_TABLE": "", "GOMEMLIMIT": "200MiB"}}}}})
	if err != nil {
		return err
	}
	defer least.Close()
	template, err := doudi.Load()
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(template.Functions))
	for range coldStarts {
		for _, name := range append([]string{"bare"}, names...) {
			host := s.Host
			if name == "bare" {
				host = least
			}
			if err := host.Start(name); err != nil {
				return err
			}
			host.Kill(name)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	of := least.Report("bare")
	size, err := sizes(filepath.Dir(bare), "bare")
	if err != nil {
		return err
	}
	fmt.Printf("| %-8s | unzipped MB | zip MB | start ms | CPU ms | CPU : bare |\n|---|---|---|---|---|---|\n| %-8s | %s | %5.1f | %5.1f | 1.00 |\n",
		"function", "bare", size, average(of.Init, of.Ready), average(of.CPU, of.Starts))
	for _, name := range names {
		r := s.Host.Report(name)
		if size, err = sizes(zips, name); err != nil {
			return err
		}
		fmt.Printf("| %-8s | %s | %5.1f | %5.1f | %.2f |\n", name, size, average(r.Init, r.Ready), average(r.CPU, r.Starts), average(r.CPU, r.Starts)/average(of.CPU, of.Starts))
	}
	return nil
}

// average is in milliseconds.
func average(d time.Duration, n int) float64 { return d.Seconds() * 1000 / float64(n) }

func sizes(dir, name string) (string, error) {
	binary, err1 := os.Stat(filepath.Join(dir, name, "bootstrap"))
	zip, err2 := os.Stat(filepath.Join(dir, name+".zip"))
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	return fmt.Sprintf("%5.2f | %5.2f", float64(binary.Size())/1e6, float64(zip.Size())/1e6), nil
}

// buildBare builds the handler to compare with as scripts/build does the others.
func buildBare(ctx context.Context, dir string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-tags", "lambda.norpc,nethttpomithttp2",
		"-o", filepath.Join(dir, "bootstrap"), "./test/bench/bare")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	for _, cmd := range []*exec.Cmd{build, exec.CommandContext(ctx, "go", "run", "./scripts/zip", dir)} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	return nil
}
