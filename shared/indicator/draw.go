package indicator

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
)

// drawn are the times in a drawing, with their colours.
var drawn = []struct {
	id     ID
	colour string
}{{Decided, "#1f6f8b"}, {BankAccepted, "#8a6d1d"}, {Paid, "#2a7f3f"}, {Confirmed, "#8c3b6e"}}

// The drawing's measures, in its own units, and what its axis spans: a minute to
// thirty days, each tick with its name.
const (
	width, height    = 640, 320
	left, right      = 52, 150
	top, bottom      = 40, 40
	axisFrom, axisTo = 60.0, 30 * 86400.0
)

var ticks = []struct {
	seconds float64
	name    string
}{{60, "1分"}, {600, "10分"}, {3600, "1小时"}, {6 * 3600, "6小时"}, {86400, "24小时"}, {3 * 86400, "3天"}, {10 * 86400, "10天"}, {30 * 86400, "30天"}}

// Draw is a picture, as SVG, of which share of the applications got how far
// within which time of being accepted. A line stands at 24 hours.
func (r Report) Draw(place string) []byte {
	var b bytes.Buffer
	p := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	x := func(seconds float64) float64 {
		share := math.Log(min(max(seconds, axisFrom), axisTo)/axisFrom) / math.Log(axisTo/axisFrom)
		return left + share*(width-left-right)
	}
	y := func(share float64) float64 { return top + (1-share)*(height-top-bottom) }
	p(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" role="img">`, width, height)
	p(`<title>%s</title>`, escape(fmt.Sprintf("%s %s 至 %s 受理的申请办到哪一步用了多久", place, r.From, r.To)))
	p(`<rect width="%d" height="%d" fill="#fff"/>`, width, height)
	p(`<text x="%d" y="20" font-size="13">%s</text>`, left, escape(fmt.Sprintf("%s  %s 至 %s  受理后用时", place, r.From, r.To)))
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		p(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f%%</text>`, left, width-right, y(share), y(share), left-6, y(share)+4, share*100)
	}
	for _, t := range ticks {
		colour := "#eee"
		if t.seconds == aDay.Seconds() {
			colour = "#c0392b"
		}
		p(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(t.seconds), x(t.seconds), top, height-bottom, colour, x(t.seconds), height-bottom+16, t.name)
	}
	for n, d := range drawn {
		steps := r.Curve(d.id)
		name, _ := Of(d.id)
		share := int64(0)
		for _, f := range r.Figures {
			if f.Indicator == d.id {
				share = f.SharePermille()
			}
		}
		p(`<text x="%d" y="%d" fill="%s">%s</text>`, width-right+8, top+12+n*34, d.colour, escape(name.Chinese))
		p(`<text x="%d" y="%d" fill="#555">24小时内 %d.%d%%</text>`, width-right+8, top+26+n*34, share/10, share%10)
		if len(steps) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="1.6" d="M%.1f %.1f`, d.colour, x(axisFrom), y(0))
		before := 0.0
		for _, s := range steps {
			fmt.Fprintf(&b, "L%.1f %.1fL%.1f %.1f", x(float64(s.Seconds)), y(before), x(float64(s.Seconds)), y(s.Share))
			before = s.Share
		}
		p(`L%.1f %.1f"/>`, x(axisTo), y(before))
	}
	p(`</svg>`)
	return b.Bytes()
}

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}
