package apply

import (
	"context"
	"strings"

	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/reading"
)

// Readings is who looked at the particulars of one application, the latest
// first. After, when there is one, is for the next page.
type Readings struct {
	Readings []ReadingOut `json:"readings"`
	After    string       `json:"after,omitempty"`
	// About says how to read it, and what to do about a look that seems wrong.
	About string `json:"about"`
}

// ReadingOut is one look: when, which office, what for and what was shown. Which
// officer it was is in the record and is told to whoever examines a complaint.
type ReadingOut struct {
	At      string   `json:"at"`
	Office  string   `json:"office"`
	Purpose string   `json:"purpose"` // in words
	Reason  string   `json:"reason,omitempty"`
	Fields  []string `json:"fields"` // in words
	Whole   bool     `json:"whole"`  // unmasked, which two people agreed to
	Text    string   `json:"text"`   // all of it in one sentence
}

const aboutReadings = "这里列出工作人员对您申请中个人信息的每一次查看。同一人十分钟内反复查看同样内容只记一次。" +
	"查看没有遮盖的完整信息须由两人同意。您觉得不该看的，可以拨打12345投诉，监督人员能查到是谁。"

// readings is who looked at the caller's own application.
func (d Deps) readings(ctx context.Context, c httpapi.Call[httpapi.None]) (Readings, error) {
	a, err := d.own(ctx, c.Path("id"), c.Principal.ID)
	if err != nil {
		return Readings{}, err
	}
	seen, next, err := reading.List(ctx, d.Table, a.ID, c.Query("after"), pageSize)
	if err != nil {
		return Readings{}, err
	}
	out := Readings{Readings: []ReadingOut{}, After: next, About: aboutReadings}
	for _, s := range seen {
		r := ReadingOut{At: clock(s.At), Office: s.Office, Purpose: s.Purpose.Label(), Reason: reading.ReasonLabel(s.Reason), Fields: []string{}, Whole: s.Whole}
		for _, f := range s.Fields {
			r.Fields = append(r.Fields, reading.Label(f, s.Whole))
		}
		r.Text = s.Office + "为" + r.Purpose + "查看了" + strings.Join(r.Fields, "、") + "。"
		if s.Whole {
			r.Text = s.Office + "经另一人同意，查看了没有遮盖的" + strings.Join(r.Fields, "、") + "。原因：" + r.Reason + "。"
		}
		out.Readings = append(out.Readings, r)
	}
	return out, nil
}
