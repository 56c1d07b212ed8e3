package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/evidence"
	"github.com/doudi-aid/doudi/test/stage"
)

const candidate = "../../shared/inspection/model/data/shared-phone/2026-07-01.yaml"

func TestModelsAreListedAndChecked(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	raw, err := os.ReadFile(candidate)
	if err == nil {
		err = os.WriteFile(bad, bytes.ReplaceAll(raw, []byte("effect: hold"), []byte("effect: refuse")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		want string
		args string
	}{
		{0, "invoice-twice", "models"},
		{0, "shared-phone, ", "models check " + candidate},
		{1, "a model can do nothing else", "models check " + candidate + " " + bad},
		{2, "at least one file", "models check"},
		{2, "backtest -model FILE", "models nonsense"},
		{2, "needs -model", "models backtest"},
		{2, "takes no argument", "models backtest -model " + candidate + " more"},
		{1, "no such file", "models backtest -model none.yaml"},
		{1, "civil: ", "models backtest -data . -from yesterday -model " + candidate},
		{1, "no keys in", "models backtest -data " + t.TempDir() + " -model " + candidate},
	} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), strings.Fields(c.args), &out, &errs); got != c.code || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("doudi %s: %d %s %s", c.args, got, out.String(), errs.String())
		}
	}
}

// What a machine decided is read back from its own evidence log.
func TestABacktestReadsWhatAMachineDecided(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s, err := stage.Open(context.Background(), data, func(*local.Options) {})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.One(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Both decisions are in the log before the system ends.
	log := evidence.New(s.Table, s.Box, nil, nil)
	if err := s.Until(t.Context(), func() (bool, error) {
		n := 0
		for e, err := range history(t.Context(), log) {
			if err != nil {
				return false, err
			}
			if e.Kind == "approved" {
				n++
			}
		}
		return n == 2, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                                 "决定 decisions  2  ",
		" -from 2020-01-01 -to 2020-12-31": "决定 decisions  0  ",
	} {
		var out, errs bytes.Buffer
		line := "models backtest -model " + candidate + " -data " + data + args
		if got := run(t.Context(), strings.Fields(line), &out, &errs); got != 0 || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "命中 hit        0  ") {
			t.Errorf("doudi %s: %d %s %s", line, got, out.String(), errs.String())
		}
	}
}
