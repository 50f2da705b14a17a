package report

import (
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/coppice-go/coppice/bench/results"
	"github.com/coppice-go/coppice/bench/workloads"
)

// colors, from Okabe and Ito, can be told apart by everyone.
var colors = []color.RGBA{
	{0, 114, 178, 255},
	{86, 180, 233, 255},
	{213, 94, 0, 255},
	{204, 121, 167, 255},
	{90, 90, 90, 255},
	{0, 158, 115, 255},
	{230, 159, 0, 255},
}

var shapes = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{},
}

// look is how the contestant of that number is drawn: as no other among 49.
func look(i int) (color.RGBA, draw.GlyphDrawer) {
	return colors[i%len(colors)], shapes[(i+i/len(colors))%len(shapes)]
}

// Plots draws every metric that is worth a picture and was taken with more than
// one n, over n on logarithmic axes, once for each extension, .svg or .png, and
// returns the names of the files.
func Plots(s *results.Set, dir string, extensions ...string) (files []string, err error) {
	all := distinct(s.Rows, func(r results.Row) string { return r.Contestant })
	for _, name := range sections(s) {
		w := workloads.Find(name)
		if w == nil {
			continue
		}
		for _, m := range w.Metrics {
			if !m.Plot {
				continue
			}
			p, drawn := draws(s, w, m, all)
			for _, ext := range extensions {
				if !drawn {
					continue
				}
				file := filepath.Join(dir, name+"-"+m.Name+ext)
				if err := p.Save(16*vg.Centimeter, 10*vg.Centimeter, file); err != nil {
					return files, fmt.Errorf("plot: %w", err)
				}
				files = append(files, file)
			}
		}
	}
	return files, nil
}

// draws makes one picture. drawn is false if there is nothing to see.
func draws(s *results.Set, w *workloads.Workload, m workloads.Metric, all []string) (p *plot.Plot, drawn bool) {
	p = plot.New()
	p.Title.Text = w.Name + ": " + m.About
	p.X.Label.Text, p.Y.Label.Text = w.N, m.Unit
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = measured(s, w.Name, m.Name), ticks{}
	p.BackgroundColor = color.White
	for _, style := range []*font.Variant{
		&p.Title.TextStyle.Font.Variant, &p.Legend.TextStyle.Font.Variant, &p.X.Label.TextStyle.Font.Variant,
		&p.Y.Label.TextStyle.Font.Variant, &p.X.Tick.Label.Font.Variant, &p.Y.Tick.Label.Font.Variant,
	} {
		*style = "Sans"
	}
	p.Add(plotter.NewGrid())
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.ThumbnailWidth = vg.Centimeter
	entries := 0.0
	for i, c := range all {
		points := points(s, w.Name, c, m.Name)
		if len(points.XYs) == 0 {
			continue
		}
		drawn = drawn || len(points.XYs) > 1
		line, dots, err := plotter.NewLinePoints(points.XYs)
		if err != nil {
			continue
		}
		bars, err := plotter.NewYErrorBars(points)
		if err != nil {
			continue
		}
		hue, shape := look(i)
		line.Color, dots.Color, bars.Color = hue, hue, hue
		line.Width = vg.Points(1.3)
		dots.Shape = shape
		p.Add(bars, line, dots)
		p.Legend.Add(c, line, dots)
		entries++
	}
	legend := min(entries*0.054, 0.75) // of the height
	p.Y.Min, p.Y.Max = p.Y.Min/1.5, p.Y.Max*math.Pow(p.Y.Max/p.Y.Min, legend/(1-legend))*1.5
	return p, drawn
}

// curve is a contestant's figures, with bars from the least to the largest run.
type curve struct {
	plotter.XYs
	plotter.YErrors
}

func points(s *results.Set, workload, contestant, metric string) (c curve) {
	for _, r := range s.Rows {
		if r.Workload == workload && r.Contestant == contestant && r.Metric == metric && r.Value >= least && r.Max <= most {
			c.XYs = append(c.XYs, plotter.XY{X: float64(r.N), Y: r.Value})
			low := r.Min
			if low < least {
				low = r.Value
			}
			c.YErrors = append(c.YErrors, struct{ Low, High float64 }{low - r.Value, r.Max - r.Value})
		}
	}
	sort.Stable(c)
	return c
}

// What lies beyond is no figure of anything: it is in the table, and in no picture.
const least, most = 1e-9, 1e15

func (c curve) Swap(i, j int) {
	c.XYs[i], c.XYs[j] = c.XYs[j], c.XYs[i]
	c.YErrors[i], c.YErrors[j] = c.YErrors[j], c.YErrors[i]
}

func (c curve) Less(i, j int) bool { return c.XYs[i].X < c.XYs[j].X }

// measured marks the numbers that were measured, or the usual ones if those are many.
func measured(s *results.Set, workload, metric string) plot.Ticker {
	var marks plot.ConstantTicks
	for _, r := range s.Rows {
		t := plot.Tick{Value: float64(r.N), Label: Number(r.N)}
		if r.Workload == workload && r.Metric == metric && !slices.Contains(marks, t) {
			marks = append(marks, t)
		}
	}
	if len(marks) > 8 {
		return ticks{}
	}
	return marks
}

// ticks are those of a logarithmic axis, with labels that people can read: at the
// powers of ten, and at 2 and 5 between them where there are few.
type ticks struct{}

func (ticks) Ticks(low, high float64) (all []plot.Tick) {
	few := high/low < 300
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for i := 1.0; i < 10; i++ {
			t := plot.Tick{Value: i * power}
			if i == 1 || few && (i == 2 || i == 5) {
				t.Label = label(t.Value)
			}
			if t.Value >= low && t.Value <= high {
				all = append(all, t)
			}
		}
	}
	return all
}

func label(v float64) string {
	if v >= 1 {
		return Number(int(v + 0.5))
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
