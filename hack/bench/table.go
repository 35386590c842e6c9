package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// mark tells how a figure did.
func (f *figure) mark() string {
	switch {
	case f.Met == nil:
		return ""
	case *f.Met:
		return "ok"
	}
	return "MISSED"
}

// writeTable writes the figures for people.
func writeTable(out io.Writer, figures []figure) error {
	rows := [][]string{{"row", "figure", "target", "measured", "ratio", ""}}
	for i := range figures {
		f := &figures[i]
		rows = append(rows, []string{f.Row, f.Name, withUnit(f.Target.String(), f.Unit), f.spread(), f.ratio(), f.mark()})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		if i > 0 && row[0] == rows[i-1][0] {
			row = append([]string{""}, row[1:]...)
		}
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		if _, err := fmt.Fprintln(out, strings.TrimRight(line.String(), " ")); err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
	}
	return nil
}
