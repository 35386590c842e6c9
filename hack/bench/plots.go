package main

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that people with any eyes can tell apart.
var (
	blue   = color.RGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	orange = color.RGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
)

// plot writes the plots of what was measured, as far as it was.
func (r *report) plot(directory string) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	var errs []error
	for rooms, curves := range r.Curves {
		errs = append(errs, plotCurves(filepath.Join(directory, fmt.Sprintf("create-%d.svg", rooms)), rooms, curves))
	}
	if len(r.Costs) > 0 {
		errs = append(errs, plotCosts(filepath.Join(directory, "cost.svg"), r.Costs))
	}
	return errors.Join(errs...)
}

// plotCurves shows how many rooms there were over time, against what the quota allows.
func plotCurves(file string, rooms int, curves []curve) error {
	p := newPlot(number(float64(rooms))+" new rooms at 20 calls a second", "rooms")
	p.X.Label.Text = "seconds since the first CreateRoom"
	p.Legend.Top, p.Legend.Left = true, true
	for i, c := range curves {
		line, err := plotter.NewLine(c.points())
		if err != nil {
			return fmt.Errorf("plotting: %w", err)
		}
		line.Color, line.Width = []color.Color{blue, orange}[i%2], vg.Points(2.5)
		p.Add(line)
		p.Legend.Add(c.Name, line)
	}
	if err := addQuota(p, rooms, 20, vg.Points(2), vg.Points(2)); err != nil {
		return err
	}
	if err := addQuota(p, rooms, 19, vg.Points(6), vg.Points(3)); err != nil {
		return err
	}
	return writeSVG(file, 16*vg.Centimeter, 10*vg.Centimeter, func(canvas draw.Canvas) { p.Draw(canvas) })
}

// addQuota adds the line of so many rooms a second.
func addQuota(p *plot.Plot, rooms int, rate float64, dashes ...vg.Length) error {
	line, err := plotter.NewLine(plotter.XYs{{}, {X: float64(rooms) / rate, Y: float64(rooms)}})
	if err != nil {
		return fmt.Errorf("plotting: %w", err)
	}
	line.Dashes = dashes
	p.Add(line)
	p.Legend.Add(number(rate)+" rooms a second", line)
	return nil
}

// points are where the curve goes through: the seconds of every so manieth room.
func (c *curve) points() plotter.XYs {
	points := make(plotter.XYs, len(c.Seconds))
	for i, seconds := range c.Seconds {
		share := 1.0
		if len(c.Seconds) > 1 {
			share = float64(i) / float64(len(c.Seconds)-1)
		}
		points[i] = plotter.XY{X: seconds, Y: 1 + share*float64(c.Rooms-1)}
	}
	return points
}

// plotCosts shows what rooms cost, against their number.
func plotCosts(file string, costs []cost) error {
	panels := []struct {
		title, unit string
		value       func(*cost) float64
	}{
		{"CPU time of the manager", "seconds", func(c *cost) float64 { return c.CPUSeconds }},
		{"Resident size of the manager", "MB", func(c *cost) float64 { return c.ResidentMB }},
		{"Kubernetes writes", "a room", func(c *cost) float64 { return c.WritesPerRoom }},
		{"ZIM calls", "a room", func(c *cost) float64 { return c.CallsPerRoom }},
	}
	plots := [][]*plot.Plot{make([]*plot.Plot, 2), make([]*plot.Plot, 2)}
	for i, panel := range panels {
		p, err := plotCost(panel.title, panel.unit, costs, panel.value)
		if err != nil {
			return fmt.Errorf("plotting: %w", err)
		}
		plots[i/2][i%2] = p
	}
	return writeSVG(file, 20*vg.Centimeter, 15*vg.Centimeter, func(canvas draw.Canvas) {
		gap := 5 * vg.Millimeter
		tiles := draw.Tiles{Rows: 2, Cols: 2, PadX: gap, PadY: gap}
		for row, canvases := range plot.Align(plots, tiles, canvas) {
			for column, canvas := range canvases {
				plots[row][column].Draw(canvas)
			}
		}
	})
}

// plotCost shows one cost: a point for each repetition, and a line through the medians.
func plotCost(title, unit string, costs []cost, value func(*cost) float64) (*plot.Plot, error) {
	p := newPlot(title, unit)
	p.X.Label.Text = "new rooms"
	p.X.Scale = plot.LogScale{}
	p.Y.Min = 0
	var points, medians plotter.XYs
	values := map[int][]float64{}
	for i := range costs {
		points = append(points, plotter.XY{X: float64(costs[i].Rooms), Y: value(&costs[i])})
		values[costs[i].Rooms] = append(values[costs[i].Rooms], value(&costs[i]))
	}
	var marks []plot.Tick
	for rooms, of := range values {
		medians = append(medians, plotter.XY{X: float64(rooms), Y: median(of)})
		marks = append(marks, plot.Tick{Value: float64(rooms), Label: number(float64(rooms))})
	}
	p.X.Tick.Marker = plot.ConstantTicks(marks)
	slices.SortFunc(medians, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	line, dots, err := plotter.NewLinePoints(medians)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width, dots.Color, dots.Shape = blue, vg.Points(1.5), blue, draw.CircleGlyph{}
	single, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	single.Color, single.Shape = orange, draw.RingGlyph{}
	p.Add(line, dots, single)
	p.Legend.Add("median", line, dots)
	p.Legend.Add("repetition", single)
	// Room for the legend, and not only for a line on the upper edge.
	p.Y.Max *= 1.4
	p.X.Min, p.X.Max = p.X.Min/1.5, p.X.Max*1.5
	p.Legend.Top, p.Legend.Left = true, true
	return p, nil
}

func newPlot(title, unit string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.Title.TextStyle.Font.Size, p.Title.Padding = title, vg.Points(12), vg.Points(6)
	p.Y.Label.Text = unit
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Marker = plot.TickerFunc(ticks)
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = vg.Points(10), vg.Points(9)
	}
	p.Legend.TextStyle.Font.Size, p.Legend.Padding = vg.Points(9), vg.Points(2)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xdd}, color.Gray{Y: 0xdd}
	p.Add(grid)
	return p
}

// ticks are those of the library, with labels as everywhere else.
func ticks(least, most float64) []plot.Tick {
	marks := plot.DefaultTicks{}.Ticks(least, most)
	for i := range marks {
		if marks[i].Label != "" {
			marks[i].Label = number(marks[i].Value)
		}
	}
	return marks
}

// writeSVG writes what is drawn.
func writeSVG(file string, width, height vg.Length, paint func(draw.Canvas)) error {
	canvas := vgsvg.New(width, height)
	margin := 3 * vg.Millimeter
	paint(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	out, err := os.Create(file) //nolint:gosec // The user names the directory.
	if err != nil {
		return fmt.Errorf("writing a plot: %w", err)
	}
	_, err = canvas.WriteTo(out)
	return errors.Join(err, out.Close())
}
