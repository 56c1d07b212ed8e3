// Package sheet reads the spreadsheets that offices keep their lists in. It runs on
// the machine of whoever brings one, and in no function.
package sheet

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Limits of a file.
const (
	maxBytes = 8 << 20  // of the file
	maxOpen  = 64 << 20 // of what it unpacks to
	maxRows  = 5000
)

// Mandate is one row of a list of measures, as the API takes it.
type Mandate struct {
	Number string `json:"number"`
	Kind   string `json:"kind"`
	Title  string `json:"title"`
	Unit   string `json:"unit"`
	Due    string `json:"due"`
	About  string `json:"about,omitempty"`
	Text   string `json:"text,omitempty"`
}

// Bad is a row that cannot be taken, by its number in the sheet.
type Bad struct {
	Row  int
	What string
}

// kinds are what a list may call each kind.
var kinds = map[string]string{"措施任务": "measure", "整改通知": "rectification", "问题线索": "clue", "责任追究": "accountability"}

// columns are the headings that a list must have, and what it may have.
var columns = []struct {
	heading string
	needed  bool
}{{"编号", true}, {"类别", true}, {"事项", true}, {"责任单位代码", true}, {"完成日期", true}, {"工作人员", false}, {"要求", false}}

var (
	unitForm = regexp.MustCompile(`^[0-9]{12}$`)
	dayForm  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// Mandates reads the first sheet of an XLSX file: a heading row, then one row a
// mandate. Everything wrong with a row is named; an error means that the file
// itself cannot be read. Formulas are not run: what a cell last showed counts.
func Mandates(in io.Reader) ([]Mandate, []Bad, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > maxBytes {
		return nil, nil, fmt.Errorf("sheet: the file is larger than %d MB", maxBytes>>20)
	}
	book, err := excelize.OpenReader(strings.NewReader(string(raw)), excelize.Options{UnzipSizeLimit: maxOpen, UnzipXMLSizeLimit: maxOpen})
	if err != nil {
		return nil, nil, fmt.Errorf("sheet: this is no XLSX file: %w", err)
	}
	defer book.Close()
	names := book.GetSheetList()
	if len(names) == 0 {
		return nil, nil, errors.New("sheet: the file has no sheet")
	}
	table, err := book.GetRows(names[0])
	if err != nil {
		return nil, nil, fmt.Errorf("sheet: %w", err)
	}
	if len(table) == 0 || len(table) > maxRows {
		return nil, nil, fmt.Errorf("sheet: %d rows; there must be a heading and at most %d", len(table), maxRows)
	}
	at := map[string]int{}
	for i, h := range table[0] {
		at[strings.TrimSpace(h)] = i
	}
	var missing []string
	for _, c := range columns {
		if _, there := at[c.heading]; c.needed && !there {
			missing = append(missing, c.heading)
		}
	}
	if len(missing) > 0 {
		return nil, nil, fmt.Errorf("sheet: the first row lacks the headings %s", strings.Join(missing, "、"))
	}
	var good []Mandate
	var bad []Bad
	seen := map[string]int{}
	for i, cells := range table[1:] {
		cell := func(heading string) string {
			if k, there := at[heading]; there && k < len(cells) {
				return strings.TrimSpace(cells[k])
			}
			return ""
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		m := Mandate{cell("编号"), kinds[cell("类别")], cell("事项"), cell("责任单位代码"), cell("完成日期"), cell("工作人员"), cell("要求")}
		var wrong []string
		for _, w := range []struct {
			is   bool
			what string
		}{
			{m.Number == "", "没有编号"}, {m.Kind == "", "类别应为措施任务、整改通知、问题线索或责任追究"}, {len([]rune(m.Title)) < 2, "没有写事项"},
			{!unitForm.MatchString(m.Unit), "责任单位代码应为十二位数字"}, {!dayForm.MatchString(m.Due), "完成日期应写成 2026-12-31（文本格式）"},
			{(m.Kind == "accountability") != (m.About != ""), "责任追究须写工作人员，其他不写"}, {seen[m.Number] > 0 && m.Number != "", fmt.Sprintf("编号与第 %d 行相同", seen[m.Number])},
		} {
			if w.is {
				wrong = append(wrong, w.what)
			}
		}
		row := i + 2
		if seen[m.Number] == 0 {
			seen[m.Number] = row
		}
		if len(wrong) > 0 {
			bad = append(bad, Bad{row, strings.Join(wrong, "；")})
			continue
		}
		good = append(good, m)
	}
	return good, bad, nil
}
