package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/doudi-aid/doudi/functions/oversee"
	"github.com/doudi-aid/doudi/shared/indicator"
)

// figures is the command that shows the figures of a division as supervision sees
// them: through the API, with the rights of whoever signs in.
func figures(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi report", flag.ContinueOnError)
	f.SetOutput(errs)
	base := f.String("url", "http://127.0.0.1:8080", "a running `doudi up`")
	as := f.String("as", "staff:supervisor-1", "sign-in code of a member of staff")
	q := url.Values{}
	for name, about := range map[string]string{"from": "first day, 2026-11-01; 29 days before -to", "to": "last day, included; today",
		"by": "rows: division, day, officer or programme", "programme": "one programme only"} {
		f.Func(name, about, func(v string) error { q.Set(name, v); return nil })
	}
	picture := f.String("svg", "", "file to draw how long people wait into")
	rules := f.Bool("rules", false, "say how each figure is worked out")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	division := f.Arg(0)
	if f.NArg() != 1 || len(division) < 6 || len(division) > 12 {
		fmt.Fprintln(errs, "doudi report: takes one division by its code, such as 320400 or 320402005")
		return errUsage
	}
	q.Set("division", division+strings.Repeat("0", 12-len(division)))
	c, err := signedIn(ctx, *base, *as, division[:6])
	if err != nil {
		return err
	}
	raw, err := c.get(ctx, "/v1/staff/indicators", q)
	if err != nil {
		return err
	}
	var r oversee.Indicators
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	tabulate(out, r, *rules)
	if *picture == "" {
		return nil
	}
	drawing, err := c.get(ctx, "/v1/staff/indicators/curve", q)
	if err == nil {
		err = os.WriteFile(*picture, drawing, 0o644)
	}
	if err == nil {
		fmt.Fprintf(out, "\n图 drawing: %s\n", *picture)
	}
	return err
}

// client asks the API as somebody.
type client struct{ base, token string }

func signedIn(ctx context.Context, base, code, region string) (client, error) {
	body, err := json.Marshal(map[string]string{"code": code, "region": region})
	if err != nil {
		return client{}, err
	}
	raw, err := client{base: base}.call(ctx, http.MethodPost, "/v1/staff/sessions", body)
	var session struct {
		Token string `json:"token"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &session)
	}
	return client{base, session.Token}, err
}

func (c client) get(ctx context.Context, path string, q url.Values) ([]byte, error) {
	return c.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil)
}

func (c client) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	hc := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := hc.Do(r)
	if err != nil {
		return nil, fmt.Errorf("is `doudi up` running? %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err == nil && resp.StatusCode >= 300 {
		var problem struct{ Code, Title string }
		_ = json.Unmarshal(raw, &problem) // what is no problem document is told by its status
		err = fmt.Errorf("%d %s %s", resp.StatusCode, problem.Code, problem.Title)
	}
	return raw, err
}

// tabulate prints r for people: the whole by indicator, then a line a row.
func tabulate(out io.Writer, r oversee.Indicators, rules bool) {
	fmt.Fprintf(out, "%s  %s 至 %s  （%s，证据日志前 %d 条 log entries folded）\n\n", r.Place, r.From, r.To, r.At, r.Folded)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "指标 indicator\t数量 count\t占比 share\t中位 p50\t九成 p90\t九成九 p99\t最久 oldest\t逾期 overdue\t分列 parts")
	labels := map[indicator.ID]oversee.Definition{}
	for _, d := range r.Indicators {
		labels[indicator.ID(d.ID)] = d
	}
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", labels[f.Indicator].Label, whole(f), share(f), times(f), number(f.Overdue), parts(f))
	}
	_ = w.Flush() // the terminal is gone when this fails
	if len(r.Rows) > 0 {
		fmt.Fprintln(out)
		fmt.Fprintln(w, "行 row\t受理 accepted\t决定 decided\t24小时内 within 24 h\t决定九成 p90\t不予 refused\t暂缓 held\t批量 hoarded\t临界 near ceiling\t日末 end of day")
		for _, row := range r.Rows {
			by := map[indicator.ID]oversee.Figure{}
			for _, f := range row.Figures {
				by[f.Indicator] = f
			}
			p90 := ""
			if t := by[indicator.Decided].Times; t != nil {
				p90 = span(t.P90)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", strings.TrimSpace(row.Key+" "+strings.TrimPrefix(row.Label, row.Key)), number(by[indicator.Applications].Count), number(by[indicator.Decided].Count),
				share(by[indicator.Decided]), p90, number(by[indicator.Refusals].Count), number(by[indicator.Holds].Count), number(by[indicator.Hoarding].Count),
				number(by[indicator.NearCeiling].Count), share(by[indicator.EndOfDay]))
		}
		_ = w.Flush()
	}
	if !rules {
		return
	}
	fmt.Fprintln(out)
	for _, f := range r.Figures {
		d := labels[f.Indicator]
		fmt.Fprintf(out, "%s %s\n  %s\n  %s\n  依据 source: %s\n", d.Label, d.ID, d.Rule, d.RuleEN, d.Source)
	}
}

func number(n int64) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

func whole(f oversee.Figure) string {
	if f.Of == 0 {
		return number(f.Count)
	}
	return fmt.Sprintf("%d/%d", f.Count, f.Of)
}

func share(f oversee.Figure) string {
	if f.Of == 0 {
		return "·"
	}
	return fmt.Sprintf("%d.%d%%", f.SharePermille/10, f.SharePermille%10)
}

func times(f oversee.Figure) string {
	var t indicator.Times
	if f.Times != nil {
		t = *f.Times
	}
	return strings.Join([]string{span(t.P50), span(t.P90), span(t.P99), span(f.OldestSeconds)}, "\t")
}

// span is a time as one says it: 45 s, 12 min, 3.5 h, 2.0 d.
func span(seconds int64) string {
	switch s := float64(seconds); {
	case seconds == 0:
		return "·"
	case seconds < 120:
		return fmt.Sprintf("%d秒", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f分", s/60)
	case seconds < 2*86400:
		return fmt.Sprintf("%.1f小时", s/3600)
	default:
		return fmt.Sprintf("%.1f天", s/86400)
	}
}

func parts(f oversee.Figure) string {
	var list []string
	for _, p := range f.Parts {
		list = append(list, fmt.Sprintf("%s %d", p.Code, p.Count))
	}
	return strings.Join(list, ", ")
}
