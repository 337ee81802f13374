package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Styles of the terminal (ECMA-48).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// screen prints lines, and below them a few live lines that are drawn over and
// over. In plain mode there are no live lines, and no colors.
type screen struct {
	out   io.Writer
	plain bool
	color bool
	width func() int
	drawn int // live lines on the screen now
	begun time.Time
}

func (s *screen) style(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line prints one line above the live ones.
func (s *screen) line(text string) {
	s.erase()
	_, _ = fmt.Fprintln(s.out, text)
}

// wrapped prints a long text in lines, each with a prefix.
func (s *screen) wrapped(first, rest, code, text string) {
	for i, part := range wrap(text, s.columns()-len(rest)) {
		prefix := rest
		if i == 0 {
			prefix = first
		}
		s.line(prefix + s.style(code, part))
	}
}

// live draws the live lines anew.
func (s *screen) live(lines ...string) {
	if s.plain {
		return
	}
	s.erase()
	for _, text := range lines {
		_, _ = fmt.Fprintln(s.out, s.style(cyan, clip(text, s.columns()-1)))
	}
	s.drawn = len(lines)
}

func (s *screen) erase() {
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *screen) columns() int {
	if s.width != nil {
		if w := s.width(); w >= 40 {
			return min(w, 140)
		}
	}
	return 100
}

// stamp is the time since the event began.
func stamp(d time.Duration) string { return fmt.Sprintf("%6.1fs", d.Seconds()) }

func clip(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	runes := []rune(text)
	return string(runes[:columns-1]) + "…"
}

// wrap breaks a text into lines at spaces.
func wrap(text string, columns int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > columns:
			lines = append(lines, current)
			current = word
		default:
			current += " " + word
		}
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}
