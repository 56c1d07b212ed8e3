package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
)

func TestStatusAndRedriveOfAMachine(t *testing.T) {
	data := t.TempDir()
	s, err := local.Start(t.Context(), local.Options{Listen: "127.0.0.1:0", Data: data, Store: local.Embedded, SweepEvery: time.Minute, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	do := func(code int, want string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != code || !strings.Contains(out.String()+errs.String(), want) {
			t.Errorf("doudi %s: %d %s %s", strings.Join(args, " "), got, out.String(), errs.String())
		}
		return out.String()
	}
	for _, words := range []string{"待办 owed now", "在途 in flight", "结果不明 unknown", "已超法定期限 late", "暂缓 held", "可用 available", "制动 brakes", "死信 dead letters"} {
		do(0, words, "status", "-url", s.URL)
	}
	var read local.Status
	if err := json.Unmarshal([]byte(do(0, "", "status", "-json", "-url", s.URL)), &read); err != nil || read.Queues == nil || len(read.Funds) != 2 || read.Funds[0].Available == 0 {
		t.Errorf("%+v %v", read, err)
	}
	do(0, "已重投 moved 0", "redrive", "-url", s.URL)
	do(0, "已重投 moved 0", "redrive", "-dry-run", "-url", s.URL)
	do(1, "use -url", "status", "-data", data) // it is open
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	do(1, "is `doudi up` running?", "status", "-url", s.URL)
	if out := do(0, "资金 funds", "status", "-data", data); strings.Contains(out, "死信") {
		t.Error("a directory has no queues")
	}
	do(1, "no store", "status", "-data", t.TempDir())
	do(2, "takes no argument", "status", "now")
	do(2, "belong together", "redrive", "-from", "https://x/1/a")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	do(1, "AWS_ACCESS_KEY_ID", "redrive", "-from", "https://127.0.0.1:1/1/a", "-to", "https://127.0.0.1:1/1/b")
}
