package main

import (
	"io"

	"github.com/zim-operator/zim-operator/internal/testbed"
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

// writeTable writes the figures for people. The name of a row stands beside its first figure only.
func writeTable(out io.Writer, figures []figure) error {
	rows := [][]string{{"row", "figure", "target", "measured", "ratio", ""}}
	for i := range figures {
		f, name := &figures[i], figures[i].Row
		if i > 0 && name == figures[i-1].Row {
			name = ""
		}
		rows = append(rows, []string{name, f.Name, withUnit(f.Target.String(), f.Unit), f.spread(), f.ratio(), f.mark()})
	}
	return testbed.WriteTable(out, rows)
}
