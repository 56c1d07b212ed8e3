package disclosure

import (
	"fmt"
	"html"
	"strings"

	"github.com/doudi-aid/doudi/shared/money"
)

// Style is the style sheet of a page: big letters, and black on white on paper.
const Style = `body{font-family:serif;font-size:1.4rem;line-height:1.6;margin:0 auto;max-width:60rem;padding:1rem;color:#111;background:#fff}` +
	`h1{font-size:2rem;text-align:center}h2{font-size:1.6rem;margin-top:2rem}table{border-collapse:collapse;width:100%}` +
	`th,td{border:1px solid #444;padding:.3rem .5rem;text-align:left}td.n,th.n{text-align:right;white-space:nowrap}caption{text-align:left;font-weight:bold}` +
	`tr{break-inside:avoid}thead{display:table-header-group}@media print{body{font-size:14pt;max-width:none;padding:0}}`

// Page is d as a page to read and to print for the notice board: no script,
// nothing loaded.
func Page(d Document) []byte {
	var b strings.Builder
	p := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = html.EscapeString(s)
			}
		}
		fmt.Fprintf(&b, format, args...)
	}
	yuan := func(f money.Fen) string { return f.String() }
	p(`<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>%s</title>`, d.Title)
	b.WriteString("<style>" + Style + "</style></head><body>")
	p(`<h1>%s</h1><p>%s，%d年第%d期。公布日期：%s，公布至%s。公布机关：%s。依据：%s。</p>`, d.Title, d.CountyName, d.Year, d.Number, d.MadeOn, d.UntilDay, d.Authority, d.Basis)
	p(`<p>%s</p><p>人数少于%d人的村（社区）、乡镇（街道）合并公布，以保护个人信息。</p>`, d.Objection, d.LeastCell)
	for _, t := range d.Places {
		p(`<h2>%s</h2><p>共%d人，%s。</p>`, t.PlaceName, t.Persons, yuan(t.AmountFen))
		if t.TakenDown {
			b.WriteString("<p>这里的各行已经撤下。</p>")
			continue
		}
		b.WriteString(`<table><thead><tr><th scope="col">姓名</th><th scope="col">救助项目</th><th scope="col" class="n">人口</th><th scope="col" class="n">金额</th><th scope="col">决定日期</th><th scope="col">决定机关</th></tr></thead><tbody>`)
		for _, l := range t.Lines {
			p(`<tr><td>%s</td><td>%s</td><td class="n">%d</td><td class="n">%s</td><td>%s</td><td>%s</td></tr>`, l.Name, l.Programme, l.Persons, yuan(l.AmountFen), l.DecidedOn, l.DecidedBy)
		}
		b.WriteString("</tbody></table>")
	}
	p(`<h2>%d年资金使用情况（已公布部分）</h2>`, d.Year)
	b.WriteString(`<table><thead><tr><th scope="col">地方</th><th scope="col" class="n">拨入</th><th scope="col" class="n">决定救助</th><th scope="col" class="n">已支付</th><th scope="col" class="n">退回</th><th scope="col" class="n">余额</th><th scope="col" class="n">救助人次</th></tr></thead><tbody>`)
	for _, f := range append(d.Funds[:len(d.Funds):len(d.Funds)], d.Total) {
		p(`<tr><td>%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%s</td><td class="n">%d</td></tr>`,
			f.PlaceName, yuan(f.AppropriatedFen), yuan(f.AwardedFen), yuan(f.PaidFen), yuan(f.ReturnedFen), yuan(f.BalanceFen), f.Awarded)
	}
	b.WriteString("</tbody></table></body></html>\n")
	return []byte(b.String())
}
