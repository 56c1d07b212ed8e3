package sheet

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// made is a real XLSX file with these rows.
func made(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err == nil {
			err = book.SetSheetRow("Sheet1", cell, &row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var heading = []any{"编号", "类别", "事项", "责任单位代码", "完成日期", "工作人员", "要求"}

func TestMandates(t *testing.T) {
	t.Parallel()
	good, bad, err := Mandates(bytes.NewReader(made(t, heading,
		[]any{"1", "措施任务", "核查备用金", "320402005000", "2026-12-31", "", "报送台账"},
		[]any{},
		[]any{"2", "责任追究", "未按期补充说明", "320402005000", "2026-12-31", "320400-clerk-1"},
		[]any{"1", "其他", "", "3204", "31/12/2026", "x"},
		[]any{"3", "责任追究", "没写是谁", "320402005000", "2026-12-31"})))
	if err != nil || len(good) != 2 || good[0] != (Mandate{"1", "measure", "核查备用金", "320402005000", "2026-12-31", "", "报送台账"}) || good[1].About != "320400-clerk-1" {
		t.Fatalf("%+v, %v", good, err)
	}
	if len(bad) != 2 || bad[0].Row != 5 || bad[1].Row != 6 {
		t.Fatalf("%+v", bad)
	}
	for _, want := range []string{"类别", "事项", "代码", "日期", "第 2 行"} {
		if !strings.Contains(bad[0].What, want) {
			t.Errorf("%q does not name %s", bad[0].What, want)
		}
	}
	for name, raw := range map[string][]byte{"no file": []byte("x"), "no heading": made(t, []any{"1"}), "empty": made(t)} {
		if _, _, err := Mandates(bytes.NewReader(raw)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, _, err := Mandates(bytes.NewReader(make([]byte, maxBytes+1))); err == nil {
		t.Error("a file over the limit was read")
	}
}

// Whatever bytes somebody brings, they are read or refused.
func FuzzMandates(f *testing.F) {
	f.Add(made(f, heading, []any{"1", "措施任务", "核查备用金", "320402005000", "2026-12-31"}))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		good, bad, err := Mandates(bytes.NewReader(raw))
		if err != nil && (good != nil || bad != nil) {
			t.Error("refused, and rows")
		}
	})
}
