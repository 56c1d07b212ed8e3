package main

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	blue   = color.RGBA{0x1f, 0x77, 0xb4, 0xff}
	orange = color.RGBA{0xff, 0x7f, 0x0e, 0xff}
	red    = color.RGBA{0xd6, 0x27, 0x28, 0xff}
	grey   = color.RGBA{0xaa, 0xaa, 0xaa, 0xff}
)

// line is one curve over the seconds of a run.
type line struct {
	name  string
	color color.Color
	value func(second) float64
}

// picture writes latency over time above throughput over time.
func (r *record) picture(dir string) error {
	latency := []line{
		{"p50", blue, func(s second) float64 { return float64(s.quantile(50).Microseconds()) / 1000 }},
		{"p99", orange, func(s second) float64 { return float64(s.quantile(99).Microseconds()) / 1000 }},
		{"p99.9", red, func(s second) float64 { return float64(s.quantile(99.9).Microseconds()) / 1000 }},
	}
	through := []line{
		{"due", grey, func(s second) float64 { return float64(s.due) }},
		{"done", blue, func(s second) float64 { return float64(s.done) }},
		{"shed", orange, func(s second) float64 { return float64(s.shed) }},
		{"failed", red, func(s second) float64 { return float64(s.failed) }},
	}
	top, err := r.panel(r.name+": ms, by the second a call was due", latency)
	if err != nil {
		return err
	}
	top.Y.Scale, top.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	bottom, err := r.panel("calls a second", through)
	if err != nil {
		return err
	}
	bottom.Y.Min = 0
	canvas := vgsvg.New(18*vg.Centimeter, 14*vg.Centimeter)
	panels := [][]*plot.Plot{{top}, {bottom}}
	for i, row := range plot.Align(panels, draw.Tiles{Rows: 2, Cols: 1}, draw.New(canvas)) {
		panels[i][0].Draw(row[0])
	}
	out, err := os.Create(filepath.Join(dir, r.name+".svg"))
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(out); err != nil {
		return fmt.Errorf("%w; and closing: %v", err, out.Close())
	}
	return out.Close()
}

func (r *record) panel(title string, lines []line) (*plot.Plot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title, "seconds"
	p.Legend.Top = true
	for _, l := range lines {
		var points plotter.XYs
		for i, s := range r.seconds {
			// A logarithm has no zero; a second without answers has no latency.
			if v := l.value(*s); v > 0 {
				points = append(points, plotter.XY{X: float64(i), Y: v})
			}
		}
		if len(points) == 0 {
			continue
		}
		curve, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		curve.Color = l.color
		p.Add(curve)
		p.Legend.Add(l.name, curve)
	}
	for _, m := range r.marks {
		if len(r.marks) > 20 {
			break // a mark every half second is no mark
		}
		at, err := plotter.NewLine(plotter.XYs{{X: m.at.Seconds(), Y: p.Y.Min}, {X: m.at.Seconds(), Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		at.Color, at.Dashes = grey, []vg.Length{vg.Points(2), vg.Points(2)}
		p.Add(at)
		p.Title.Text += fmt.Sprintf(" · %s at %s", m.what, m.at.Round(time.Second))
	}
	return p, nil
}
