package oversee

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/indicator"
)

// head are the columns of the export.
var head = []string{"行 row", "名称 name", "指标 indicator", "指标名称 label", "数量 count", "分母 of", "占比‰ share_permille", "逾期 overdue", "24小时内 within_24h",
	"中位数秒 p50_seconds", "九成秒 p90_seconds", "九成九秒 p99_seconds", "最久秒 oldest_seconds", "分列 parts", "计算规则 rule", "依据 source"}

// mark of the encoding, without which spreadsheets do not know UTF-8.
const mark = "\ufeff"

// export is the same report as a table for a spreadsheet: one line for each row
// and indicator, the whole first.
func export(ctx context.Context, d Deps, call httpapi.RawCall) (httpapi.RawAnswer, error) {
	r, err := d.report(ctx, call.Request)
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	var out bytes.Buffer
	out.WriteString(mark)
	w := csv.NewWriter(&out)
	err = w.Write(head)
	lines := func(key, name string, list []indicator.Figure) {
		for _, f := range list {
			if err == nil {
				err = w.Write(line(key, name, f))
			}
		}
	}
	lines("", d.name(r.Division, r.To), r.Figures)
	for _, row := range r.Rows {
		lines(row.Key, d.label(r, row.Key), row.Figures)
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return httpapi.RawAnswer{Status: http.StatusOK, ContentType: "text/csv; charset=utf-8", Body: out.Bytes()}, err
}

func line(key, name string, f indicator.Figure) []string {
	i, _ := indicator.Of(f.Indicator)
	var parts []string
	for _, p := range f.Parts {
		parts = append(parts, fmt.Sprintf("%s=%d", p.Code, p.Count))
	}
	var t indicator.Times
	if f.Times != nil {
		t = *f.Times
	}
	cells := []string{key, name, string(f.Indicator), i.Chinese}
	for _, n := range []int64{f.Count, f.Of, f.SharePermille(), f.Overdue, f.Within24h, t.P50, t.P90, t.P99, f.OldestSeconds} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	cells = append(cells, strings.Join(parts, " "), i.Rule.Chinese, i.Rule.Source)
	for n := range cells {
		cells[n] = inert(cells[n])
	}
	return cells
}

// inert is text that no spreadsheet takes for a formula (X109). Numbers of ours
// are never negative.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// curve draws how long people wait.
func curve(ctx context.Context, d Deps, call httpapi.RawCall) (httpapi.RawAnswer, error) {
	r, err := d.report(ctx, call.Request)
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	return httpapi.RawAnswer{Status: http.StatusOK, ContentType: "image/svg+xml", Body: r.Draw(d.name(r.Division, r.To))}, nil
}
