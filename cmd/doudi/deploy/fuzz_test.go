package deploy_test

import (
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/BurntSushi/toml"

	"github.com/doudi-aid/doudi/cmd/doudi/deploy"
)

// FuzzRead reads anything as the file of a region: what is refused is refused by the
// name of the file, and what is taken says the same when it is written again.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob(top + "/infra/regions/*.toml")
	if err != nil || len(names) < 3 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	for _, text := range []string{good, good[:200], "acount = 1\n", "account = 1\n", "[parameters]\nA = 1979-05-27T07:32:00Z\nB = [1, 2.5]\nC = {d = \"x\"}\n", "[rail]\ncalls_per_second = 99999999999999999999\n", "title = \"\\ud800\"", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := func(raw []byte) (deploy.Region, error) {
			return deploy.Read(fstest.MapFS{"infra/regions/try.toml": {Data: raw}}, "try")
		}
		r, err := read(raw)
		if err != nil {
			if !strings.Contains(err.Error(), "try.toml") {
				t.Errorf("no file is named: %v", err)
			}
			return
		}
		text, err := toml.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := read(text)
		if text2, err2 := toml.Marshal(again); err != nil || err2 != nil || string(text2) != string(text) || r.Name != "try" {
			t.Errorf("%s\nbecame\n%s: %v", text, text2, err)
		}
	})
}

// FuzzCheck checks a region of which anything is said: every problem is said in full,
// and of what nothing is said the figures are right: nobody sends more to the bank than
// it takes, and nothing of prod leaves mainland China.
func FuzzCheck(f *testing.F) {
	files, rules := repository(f), rulebook(f, "2026-11-20")
	f.Add("123456789012", "doudi-try", "aws-cn", "cn-north-1", int64(5), 100, 100, "dev", "320400")
	f.Add("0000", "", "aws", "us-east-1", int64(-1), 0, -5, "prod", "000000")
	f.Add("123456789012", "doudi-try", "aws-cn", "cn-north-1", int64(1)<<62, 1<<62, 1, "prod", "320402")
	f.Add("待填", "X", "aws", "cn-north-9", int64(9), 1, 9, "dev\n", "\xff")
	good, err := deploy.Read(files, "try")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, account, stack, partition, region string, parallel int64, calls, fastest int, stage, division string) {
		r := good
		r.Account, r.Stack, r.Partition, r.AWSRegion, r.Rail = account, stack, partition, region, deploy.Rail{CallsPerSecond: calls, FastestCallMS: fastest}
		r.Parameters = map[string]any{}
		for name, v := range good.Parameters {
			r.Parameters[name] = v
		}
		r.Parameters["RailConcurrency"], r.Parameters["Stage"], r.Parameters["Division"] = parallel, stage, division
		said := map[string]bool{}
		for _, p := range deploy.Check(files, r, rules) {
			if p.Where == "" || p.What == "" || p.Fix == "" {
				t.Errorf("says too little: %+v", p)
			}
			said[p.Where] = true
		}
		rate := new(big.Int).Div(new(big.Int).Mul(big.NewInt(parallel), big.NewInt(1000)), big.NewInt(int64(max(1, fastest))))
		if !said["rail"] && !said["parameters.RailConcurrency"] && (parallel < 1 || rate.Cmp(big.NewInt(int64(calls))) > 0) {
			t.Errorf("%d at once of %d ms pass for %d calls a second", parallel, fastest, calls)
		}
		if stage == "prod" && !strings.HasPrefix(region, "cn-") && !said["partition"] && !said["aws_region"] {
			t.Errorf("prod passes for %s in %s", region, partition)
		}
		if reflect.DeepEqual(r, good) && len(said) > 0 {
			t.Errorf("what was right is not: %v", said)
		}
	})
}
