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

// warmCalls of the bare handlers are measured, after warmUp that are not.
const warmUp, warmCalls = 200, 1000

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
	hosts := map[string]*lambdahost.Host{}
	alone := func(name, zips string, settings map[string]string) error {
		settings = maps.Clone(settings)
		settings["AWS_ENDPOINT_URL_DYNAMODB"], settings["DOUDI_TABLE"] = engine.URL, "doudi-lambda"
		asked := map[string]string{"DOUDI_TABLE": ""}
		for setting := range settings {
			asked[setting] = ""
		}
		h, err := lambdahost.New(lambdahost.Options{Zips: zips, IDs: ident.Random(), Log: slog.New(slog.DiscardHandler), Output: io.Discard, Settings: settings,
			Template: &doudi.Template{Functions: map[string]doudi.Function{name: {Timeout: time.Minute, Settings: asked}}}})
		hosts[name] = h
		return err
	}
	defer func() {
		for _, h := range hosts {
			_ = h.Close() // what it ran was killed by then
		}
	}()
	if err := alone("bare", filepath.Dir(bare), map[string]string{"GOMEMLIMIT": "200MiB"}); err != nil {
		return err
	}
	beside := []string{"bare"}
	switch script, err := buildNode(ctx, filepath.Join(o.dir, "node")); {
	case errors.Is(err, exec.ErrNotFound):
		fmt.Println("left out: node: this machine has no Node.js")
	case err != nil:
		return err
	default:
		if err := alone("node", o.dir, map[string]string{"NODE_OPTIONS": "--import=file://" + script}); err != nil {
			return err
		}
		beside = append(beside, "node")
	}
	template, err := doudi.Load()
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(template.Functions))
	for _, name := range names {
		hosts[name] = s.Host
	}
	for n := range coldStarts {
		for _, name := range append(beside, names...) {
			if err := hosts[name].Start(name); err != nil {
				return err
			}
			hosts[name].Kill(name)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		progress("cold starts", n+1, coldStarts)
	}
	of := hosts["bare"].Report("bare")
	size, err := sizes(filepath.Dir(bare), "bare")
	if err != nil {
		return err
	}
	fmt.Printf("| %-8s | unzipped MB | zip MB | start ms | CPU ms | CPU : bare |\n|---|---|---|---|---|---|\n| %-8s | %s | %5.1f | %5.1f | 1.00 |\n",
		"function", "bare", size, average(of.Init, of.Ready), average(of.CPU, of.Starts))
	for _, name := range append(beside[1:], names...) {
		r, dir := hosts[name].Report(name), zips
		if name == "node" {
			dir = o.dir // its size is that of Node.js itself
		}
		if size, err = sizes(dir, name); err != nil {
			return err
		}
		fmt.Printf("| %-8s | %s | %5.1f | %5.1f | %.2f |\n", name, size, average(r.Init, r.Ready), average(r.CPU, r.Starts), average(r.CPU, r.Starts)/average(of.CPU, of.Starts))
	}
	if len(beside) == 1 {
		return nil
	}
	return warm(ctx, hosts, beside)
}

// warm calls the bare handler and its twin, turn and turn about, and prints what
// a call takes from event to answer when nothing has to start.
func warm(ctx context.Context, hosts map[string]*lambdahost.Host, names []string) error {
	before := map[string]lambdahost.Report{}
	for n := range warmUp + warmCalls {
		for _, name := range names {
			if n == warmUp {
				before[name] = hosts[name].Report(name)
			}
			if _, err := hosts[name].Invoke(ctx, name, []byte(`{}`)); err != nil {
				return err
			}
		}
		if n%100 == 99 {
			progress("warm calls", n+1, warmUp+warmCalls)
		}
	}
	fmt.Printf("\n| warm: one read for each event | ms a call | : bare |\n|---|---|---|\n")
	took := func(name string) float64 {
		r := hosts[name].Report(name)
		return average(r.Busy-before[name].Busy, r.Invocations-before[name].Invocations)
	}
	for _, name := range names {
		fmt.Printf("| %s | %.2f | %.2f |\n", name, took(name), took(name)/took(names[0]))
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

// buildNode packs Node.js itself as what Lambda runs, told to begin with our
// script, so that nothing stands between the host and it. It answers where the
// script is; exec.ErrNotFound where there is no Node.js.
func buildNode(ctx context.Context, dir string) (script string, err error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", err
	}
	home := dir + "-script"
	for _, name := range []string{"package.json", "package-lock.json", "bare.mjs"} {
		if err := copyFile(filepath.Join("test/bench/node", name), filepath.Join(home, name), 0o600); err != nil {
			return "", err
		}
	}
	if err := copyFile(node, filepath.Join(dir, "bootstrap"), 0o700); err != nil {
		return "", err
	}
	for _, cmd := range []*exec.Cmd{exec.CommandContext(ctx, npm, "ci", "--prefix", home, "--silent", "--no-audit", "--no-fund", "--ignore-scripts"),
		exec.CommandContext(ctx, "go", "run", "./scripts/zip", dir)} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	return filepath.Abs(filepath.Join(home, "bare.mjs"))
}

func copyFile(from, to string, mode os.FileMode) error {
	body, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, body, mode)
}
