package disclosure

import (
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/money"
)

// Style is the style sheet of a page: big letters, black on white, on a telephone
// each row by itself with a word before each figure, on paper a table.
const Style = `body{font-family:sans-serif;font-size:1.4rem;line-height:1.6;margin:0 auto;max-width:60rem;padding:1rem;color:#111;background:#fff;overflow-wrap:anywhere}` +
	`h1{font-size:2rem;line-height:1.3;text-align:center}h2{font-size:1.6rem;line-height:1.3;margin-top:2rem}` +
	`table{border-collapse:collapse;width:100%}th,td{border:1px solid #444;padding:.4rem .6rem;text-align:left}` +
	`td.n,th.n{text-align:right;white-space:nowrap}dt{font-weight:bold}dd{margin:0 0 .5rem}.say{border:2px solid #111;padding:.6rem .8rem}` +
	`tr{break-inside:avoid}thead{display:table-header-group}` +
	`@media screen and (max-width:44rem){table,tbody,tr,td{display:block}thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}` +
	`tr{border:2px solid #444;margin:0 0 1rem;padding:.3rem .6rem}td,td.n{border:0;padding:.2rem 0;text-align:left;white-space:normal}` +
	`td::before{content:attr(data-word) "：";font-weight:bold}}` +
	`@media print{body{font-size:14pt;max-width:none;padding:0}}`

// page is HTML under construction.
type page struct{ strings.Builder }

// p adds HTML, with every string among args escaped.
func (b *page) p(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = html.EscapeString(s)
		}
	}
	fmt.Fprintf(&b.Builder, format, args...)
}

// column is one column of a table: its word, and whether it holds numbers.
type column struct {
	word    string
	numbers bool
}

func (c column) class() string {
	if c.numbers {
		return ` class="n"`
	}
	return ""
}

// table adds a table of rows, called by name.
func (b *page) table(name string, columns []column, rows [][]string) {
	b.p(`<table aria-label="%s"><thead><tr>`, name)
	for _, c := range columns {
		b.WriteString(`<th scope="col"` + c.class() + ">")
		b.p("%s</th>", c.word)
	}
	b.WriteString("</tr></thead><tbody>")
	for _, row := range rows {
		b.WriteString("<tr>")
		for i, cell := range row {
			b.WriteString("<td" + columns[i].class())
			b.p(` data-word="%s">%s</td>`, columns[i].word, cell)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
}

var (
	decisionColumns = []column{{"姓名", false}, {"救助项目", false}, {"人口", true}, {"金额", true}, {"决定日期", false}, {"决定机关", false}}
	proposalColumns = []column{{"姓名", false}, {"救助项目", false}, {"人口", true}, {"拟救助金额", true}, {"由谁决定", false}}
	fundColumns     = []column{{"地方", false}, {"拨入", true}, {"决定救助", true}, {"已支付", true}, {"退回", true}, {"余额", true}, {"救助人次", true}}
)

// Page is d as a page to read and to print for the notice board: no script,
// nothing loaded.
func Page(d Document) []byte {
	var b page
	b.p(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>%s</title>`, d.Title)
	b.WriteString("<style>" + Style + "</style></head><body><main>")
	before := d.Kind == Proposals
	word := map[bool]string{true: "公示", false: "公布"}[before || d.Kind == Consultation]
	b.p(`<h1>%s</h1><p>%s，%d年第%d期。</p>`, d.Title, d.CountyName, d.Year, d.Number)
	b.p(`<dl><dt>从哪天到哪天</dt><dd>%s到%s</dd><dt>%s机关</dt><dd>%s</dd><dt>依据</dt><dd>%s</dd></dl>`, chinese(d.MadeOn), chinese(d.UntilDay), word, d.Authority, d.Basis)
	b.p(`<p class="say">%s</p><p>人数少于%d人的村（社区）、乡镇（街道）合并%s，以保护个人信息。</p>`, d.Objection, d.LeastCell, word)
	for _, t := range d.Places {
		b.p(`<h2>%s</h2>`, t.PlaceName)
		if t.Persons > 0 {
			b.p(`<p>共%d人，%s。</p>`, t.Persons, t.AmountFen.String())
		}
		if t.TakenDown {
			b.WriteString("<p>这里的各行已经撤下。</p>")
			continue
		}
		columns := decisionColumns
		if before {
			columns = proposalColumns
		}
		var rows [][]string
		for _, l := range t.Lines {
			persons, fen := fmt.Sprint(l.Persons), l.AmountFen.String()
			if l.Persons == 0 {
				persons, fen = "不列", "不列" // too few people
			}
			row := []string{l.Name, l.Programme, persons, fen, chinese(l.DecidedOn), l.DecidedBy}
			if before {
				row = []string{l.Name, l.Programme, persons, fen, l.DecidedBy}
			}
			rows = append(rows, row)
		}
		b.table(t.PlaceName, columns, rows)
	}
	if !before {
		b.funds(d)
	}
	b.WriteString("</main></body></html>\n")
	return []byte(b.String())
}

// chinese is a day as people say it; what is no day stays as it is.
func chinese(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("2006年1月2日")
}

// funds adds what became of the money.
func (b *page) funds(d Document) {
	b.p(`<h2>%d年资金使用情况（已公布部分）</h2>`, d.Year)
	var rows [][]string
	yuan := func(f money.Fen) string { return f.String() }
	for _, f := range append(d.Funds[:len(d.Funds):len(d.Funds)], d.Total) {
		rows = append(rows, []string{f.PlaceName, yuan(f.AppropriatedFen), yuan(f.AwardedFen), yuan(f.PaidFen), yuan(f.ReturnedFen), yuan(f.BalanceFen), fmt.Sprint(f.Awarded)})
	}
	b.table("资金使用情况", fundColumns, rows)
}
