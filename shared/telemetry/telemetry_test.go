package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/telemetry"
)

func TestTraceIsOnEveryLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, slog.LevelInfo).With("function", "pay").WithGroup("g")
	log.InfoContext(telemetry.WithTrace(t.Context(), "t-1"), "step", "n", 1)
	log.InfoContext(t.Context(), "step")
	log.DebugContext(t.Context(), "hidden")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"trace":"t-1"`) || !strings.Contains(lines[0], `"function":"pay"`) || strings.Contains(lines[1], "trace") {
		t.Errorf("%s", out.String())
	}
	if telemetry.Trace(t.Context()) != "" {
		t.Error("a trace out of nowhere")
	}
}

func TestP01PersonalDataIsNotWritten(t *testing.T) {
	t.Parallel()
	const id, phone, card = "11010119900307451X", "13800138000", "6222021234567890123"
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, nil)
	conflict := fault.New(fault.Conflict, "moved", "变了", "Moved")
	for _, secret := range []string{id, strings.ToLower(id), phone, card, "王小明 " + id, "(" + phone + ")", "tel:" + phone, "+86" + phone} {
		log.Info(secret)
		log.Info("m", "v", secret, "err", errors.New(secret), "wrapped", fmt.Errorf("x: %w", conflict.Because(errors.New(secret))),
			"bytes", []byte(secret), slog.Group("g", "in", secret), "text", redact.New(secret),
			"list", []string{"a", secret}, "struct", struct{ A map[string]string }{map[string]string{secret: "x"}}, "func", func() {})
		log.With("with", secret).Info("m")
	}
	for _, secret := range []string{id[:17], phone, card, "MTEwMTAx"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is in\n%s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), `"wrapped":{"code":"moved","kind":"conflict","cause":"*errors.errorString"}`) {
		t.Errorf("a fault is not told by code, kind and cause:\n%s", out.String())
	}
}

func TestOurOwnIdsAreWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, nil)
	for _, ours := range []string{ident.Derive("x"), "a12345678901234b", "2026-11-22T10:00:00+08:00", "320400000", "1234567890"} {
		out.Reset()
		log.Info("m", "id", ours)
		if !strings.Contains(out.String(), ours) {
			t.Errorf("%s was taken for personal: %s", ours, out.String())
		}
	}
}

func TestEMFLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var m telemetry.Metrics = telemetry.NewEMF(&out, "Doudi", func() time.Time { return time.UnixMilli(1_700_000_000_123) })
	m.Count("Parked", 2, telemetry.Label{Name: "queue", Value: "pay"})
	m.Age("OldestUnknown", 90*time.Second)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`{"Parked":2,"_aws":{"CloudWatchMetrics":[{"Namespace":"Doudi","Dimensions":[["queue"]],"Metrics":[{"Name":"Parked","Unit":"Count"}]}],"Timestamp":1700000000123},"queue":"pay"}`,
		`{"OldestUnknown":90,"_aws":{"CloudWatchMetrics":[{"Namespace":"Doudi","Dimensions":[[]],"Metrics":[{"Name":"OldestUnknown","Unit":"Seconds"}]}],"Timestamp":1700000000123}}`,
	}
	for i, w := range want {
		if lines[i] != w || !json.Valid([]byte(lines[i])) {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
	telemetry.Discard.Count("x", 1)
	telemetry.Discard.Age("x", 1)
}
