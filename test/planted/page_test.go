package planted

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/audit"
	"github.com/doudi-aid/doudi/shared/inspection/model"
)

var update = flag.Bool("update", false, "write docs/planted.md anew")

// answers are what was found, by plant; "" for a clean case of which nothing was.
type answers struct {
	mu sync.Mutex
	by map[string]string
}

func (a *answers) say(name, finding string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[name] = finding
}

// met adds to cases.
func (a *answers) met(cases *[]string, pk string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*cases = append(*cases, pk)
}

const pageFile = "../../docs/planted.md"

// page holds what was found against docs/planted.md: one line for each plant, and
// a plant without an answer is none.
func (s scenario) page(t *testing.T, by map[string]string) {
	t.Helper()
	if t.Failed() {
		return // what is missing is named already
	}
	set, err := model.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"coverage": "应享未享指标、乡镇待走访清单", "application": "敲门后代为申请"}
	for _, m := range set.All() {
		words[m.ID] = m.Title.Zh
	}
	for _, k := range []audit.Kind{audit.Edited, audit.Deleted, audit.Inserted, audit.Reordered, audit.Truncated, audit.Forked, audit.KeySwapped,
		audit.Missing, audit.Extra, audit.BackDated, audit.State, audit.Ledger} {
		words[string(k)] = k.Label()
	}
	var b strings.Builder
	b.WriteString(`# 植入了什么、由什么发现 What was planted, and what finds it

` + "`go test ./test/planted -update`" + ` 写出这一页：` + "`test/planted/planted.toml`" + ` 里的每一件都在一个完整运行的系统里真做一遍，再看由什么发现。没有发现的、发现错的、冤枉了旁边清白的，测试都不通过。

This page is written by a test that plays every plant of the scenario file in a whole running system. A plant that nothing finds, a finding of the wrong kind, and anything found about the clean cases beside them fail the test.
`)
	row := func(name, pattern string) {
		found, said := by[name]
		if !said {
			t.Errorf("%s: nothing was said of it", name)
		}
		id, how, _ := strings.Cut(found, " (")
		if found == "" {
			fmt.Fprintf(&b, "| %s | `%s` | 没有发现，也不应有 nothing, as it should be |\n", pattern, name)
			return
		}
		by := ""
		if how != "" {
			by = " · " + strings.TrimSuffix(how, ")")
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s `%s`%s |\n", pattern, name, words[id], id, by)
	}
	section := func(title, text string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| 植入 planted | 名称 name | 发现 finding |\n|---|---|---|\n", title, text)
	}
	section("骗取、冒领、优亲厚友 Fraud", "hold 钱停住等人核实，sample 列入抽查，inform 告知监督。The effect says what becomes of the money.")
	for _, p := range s.Plants {
		row(p.Name, p.Pattern)
	}
	section("清白的对照 Clean cases beside them", "没有一件被停住。None is held.")
	for _, p := range s.Clean {
		row(p.Name, p.Pattern)
	}
	section("应享未享 Those who did not apply", "有线索而无人申请的留在清单和指标里，直到有人上门。A known hardship stands in list and figure until somebody has been at the door.")
	for _, o := range slices.Concat(s.Omissions, s.Found) {
		row(o.Name, o.Pattern)
	}
	section("改数据的人 An operator who alters things", "verify-log 离线核对，witness 监督机构的见证程序，log 日志自己每分钟的复核。除了被动过的，没有一项被冤枉。Whatever was not touched is not named.")
	for _, c := range s.Tamperings {
		row(c.Name, c.Pattern)
	}
	b.WriteString("\n## 没有植入的 What is not looked for\n\n")
	if len(s.Gaps) == 0 {
		b.WriteString("没有：检查和审计机构通报的每一类都植入了。Nothing: every pattern that inspection and audit bodies report is planted.\n")
	}
	for _, g := range s.Gaps {
		fmt.Fprintf(&b, "* %s：%s。%s\n", g.Pattern, g.Why, g.WhyEn)
	}
	if *update {
		if err := os.WriteFile(pageFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(pageFile)
	if err != nil || !bytes.Equal(written, []byte(b.String())) {
		t.Errorf("docs/planted.md is not what was found now; run go test ./test/planted -update (%v)", err)
	}
}
