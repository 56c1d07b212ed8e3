package indicator

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/indicators.md anew")

// TestPage holds docs/indicators.md to what the program says of its figures.
func TestPage(t *testing.T) {
	t.Parallel()
	const file = "../../docs/indicators.md"
	var b strings.Builder
	b.WriteString(`# 监督指标 What each figure means

` + "`GET /v1/staff/indicators`" + ` 和 ` + "`doudi report`" + ` 给出下列指标。数字随证据日志即时更新；尚未了结的事项，账龄按询问的那一刻计算。每个指标都能下钻到背后的案件（` + "`…/{indicator}/cases`" + `，尚未了结的加 ` + "`open=true`" + `），不含任何个人信息。分位数的误差不超过百分之一；市的数字就是各县区、各乡镇（街道）之和，按案件受理当日的区划归属。

Figures are current to within seconds; what is open is aged at the moment of asking. Every figure leads to its cases and holds nothing personal. Percentiles are off by at most 1 %; a city is the sum of its districts, by the divisions of the day on which each case was accepted.

指标是“看一看的理由”，不是结论。A figure is a reason to look and no finding.

这一页由测试与程序核对：` + "`go test ./shared/indicator -run Page -update`" + `。
`)
	for _, i := range All() {
		fmt.Fprintf(&b, "\n## %s %s\n\n`%s`\n\n%s\n\n%s\n\n依据 Source: %s\n", i.Chinese, strings.ToUpper(i.English[:1])+i.English[1:], i.ID, i.Rule.Chinese, i.Rule.English, i.Rule.Source)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != b.String() {
		t.Errorf("%s is not what the program says: go test ./shared/indicator -run Page -update (%v)", file, err)
	}
}
