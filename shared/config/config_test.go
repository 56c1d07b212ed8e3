package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/config"
)

func from(m map[string]string) *config.Reader {
	return config.From(func(name string) (string, bool) { v, ok := m[name]; return v, ok })
}

func TestReads(t *testing.T) {
	t.Parallel()
	r := from(map[string]string{"TABLE": "doudi", "N": "3", "D": "90s", "U": "https://api.example.cn/v3", "L": "http://127.0.0.1:8080", "STAGE": "prod", "KEY": "geheim", "EMPTY": ""})
	if r.Text("TABLE") != "doudi" || r.Int("N", 1, 3) != 3 || r.Duration("D", time.Second, 90*time.Second) != 90*time.Second ||
		r.URL("U").Host != "api.example.cn" || r.URL("L").Port() != "8080" || r.Enum("STAGE", "test", "prod") != "prod" || r.Secret("KEY").Reveal() != "geheim" {
		t.Error("a value was misread")
	}
	if r.Has("EMPTY") || r.Has("NONE") || !r.Has("N") {
		t.Error("Has is wrong")
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestReportsEverythingAtOnceAndNoValue(t *testing.T) {
	t.Parallel()
	r := from(map[string]string{
		"BLANK": "", "SPACES": " canary ", "LINES": "canary\nx", "N1": "canary", "N2": "11", "N3": "1.0", "D1": "30", "D2": "1h",
		"U1": "http://canary.cn", "U2": "https://user:canary@x.cn", "U3": "https://x.cn?canary=1", "U4": "canary", "U5": "ftp://127.0.0.1", "U6": ":", "E": "canary",
	})
	r.Text("MISSING")
	r.Text("BLANK")
	r.Secret("SPACES")
	r.Text("LINES")
	r.Int("N1", 1, 10)
	r.Int("N2", 1, 10)
	r.Int("N3", 1, 10)
	r.Int("N4", 1, 10)
	r.Duration("D1", 0, time.Minute)
	r.Duration("D2", 0, time.Minute)
	r.Duration("D3", 0, time.Minute)
	for _, u := range []string{"U1", "U2", "U3", "U4", "U5", "U6", "U7"} {
		if r.URL(u) != nil {
			t.Errorf("%s was taken", u)
		}
	}
	r.Enum("E", "test", "prod")
	r.Problem("BOTH", "contradict each other")
	err := r.Err()
	e, ok := errors.AsType[*config.Error](err)
	if !ok || len(e.Problems) != 20 {
		t.Fatalf("%d problems: %v", len(e.Problems), err)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("a value got out: %v", err)
	}
}
