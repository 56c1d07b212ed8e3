// Command rules reads the region files of shared/policy/data and of
// shared/complaint/data and the inspection models of shared/inspection/model/data,
// judges them, and writes what deployed functions carry of them into the folders
// shipped beside them. It compiles the policies of shared/staff/policies.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/division"
	"github.com/doudi-aid/doudi/shared/inspection/model"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/policy/regionfile"
	"github.com/doudi-aid/doudi/shared/staff/compile"
)

func main() {
	if err := errors.Join(run("shared/policy/data", "shared/policy/shipped"), models("shared/inspection/model"), complaints("shared/complaint/data", "shared/complaint/shipped/rules.json"),
		policies("shared/staff/policies", "shared/staff/compiled.go")); err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

func run(from, into string) error {
	book, err := policy.Load(os.DirFS(from), division.Shipped(), regionfile.Parse)
	if err != nil {
		return err
	}
	files, err := book.Pack()
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(into, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if files[filepath.Base(name)] == nil {
			err = errors.Join(err, os.Remove(name))
		}
	}
	for name, raw := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(into, name), raw, 0o644))
	}
	return err
}

func policies(from, into string) error {
	source, err := compile.Go(os.DirFS(from))
	if err != nil {
		return err
	}
	return os.WriteFile(into, source, 0o644)
}

func models(in string) error {
	set, err := model.Load(os.DirFS(filepath.Join(in, "data")), regionfile.Parse)
	if err != nil {
		return err
	}
	raw, err := set.Pack()
	if err != nil {
		return err
	}
	page, err := document("docs/models.md", set)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(in, model.PackName), raw, 0o644), os.WriteFile("docs/models.md", page, 0o644))
}

// mark is where the part of the page begins that is made from the files.
const mark = "<!-- made from shared/inspection/model/data by make rules; do not edit below -->\n"

// document is the page with its second half made anew.
func document(name string, set *model.Set) ([]byte, error) {
	page, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	head, _, ok := strings.Cut(string(page), mark)
	if !ok {
		return nil, fmt.Errorf("%s: no mark", name)
	}
	var b strings.Builder
	b.WriteString(head + mark + "\n## 现有模型 The models\n\n| 模型 model | 效果 effect | 责任岗位 owner | 期限 hours |\n|---|---|---|---|\n")
	for _, m := range set.All() {
		fmt.Fprintf(&b, "| [%s](#%s) %s | %s %s | %s | %d |\n", m.ID, m.ID, m.Title.Zh, m.Effect.Label(), m.Effect, m.Owner, m.Hours)
	}
	for _, m := range set.All() {
		fmt.Fprintf(&b, "\n### %s\n\n**%s** %s。自 %s 起 in force。\n\n- 找什么 looks for：%s %s\n- 依据 source：%s\n", m.ID, m.Title.Zh, m.Title.En, m.FirstDay,
			m.LooksFor.Zh, m.LooksFor.En, m.Source)
		if m.Effect == model.Hold {
			fmt.Fprintf(&b, "- 暂缓代码 hold code：`%s`\n", m.Code())
		}
		for _, name := range slices.Sorted(maps.Keys(m.Figures)) {
			fmt.Fprintf(&b, "- 数字 figure：`%s` = %d（%s）\n", name, m.Figures[name].Value, m.Figures[name].Source)
		}
		for _, name := range slices.Sorted(maps.Keys(m.Lists)) {
			fmt.Fprintf(&b, "- 范围 list：`%s` = %s\n", name, strings.Join(m.Lists[name], "、"))
		}
		fmt.Fprintf(&b, "- 怎么看 reading it：%s %s\n", m.Precision.Zh, m.Precision.En)
	}
	return []byte(b.String()), nil
}

// complaints writes the rules of complaints.
func complaints(from, into string) error {
	raw, err := complaint.Compile(os.DirFS(from), division.Shipped(), regionfile.Parse)
	if err != nil {
		return err
	}
	return os.WriteFile(into, raw, 0o644)
}
