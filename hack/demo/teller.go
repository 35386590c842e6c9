package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// teller writes the story. A reader who goes away ends the demo by SIGPIPE, so errors of writing are not looked at.
type teller struct {
	out io.Writer
}

// heading begins a step.
func (t *teller) heading(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, "\n== "+format+"\n", args...)
}

// say writes a paragraph.
func (t *teller) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format+"\n", args...)
}

// show writes what a command answered, or a file.
func (t *teller) show(text string) {
	_, _ = io.WriteString(t.out, indent(text, "    "))
}

// command writes a command line that is run as it stands.
func (t *teller) command(name string, args ...string) {
	var line strings.Builder
	line.WriteString("  $ " + name)
	for _, arg := range args {
		line.WriteString(" " + shellQuote(arg))
	}
	_, _ = fmt.Fprintln(t.out, line.String())
}

// request writes a request to the simulator's admin side.
func (t *teller) request(method, url, body string) {
	_, _ = io.WriteString(t.out, strings.TrimRight("  > "+method+" "+url+" "+body, " ")+"\n")
}

// indent puts the prefix before every line that is not empty, and ends the last line.
func indent(text, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(prefix)
		}
		b.WriteString(line)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote makes a word that a shell reads as it was.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// seconds is a duration for people.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Seconds())
}
