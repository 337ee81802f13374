package plain

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text shows what a terminal would obey, or a person not see, as an escape such as
// \x1b: control characters but tab and newline, those that change the direction of
// writing or have no width, what is no character, and what is no UTF-8. Everything
// else stays as it is.
func Text(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || !visible(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[0])|0x100, 16)[1:])
		case visible(r):
			b.WriteRune(r)
		default:
			b.WriteString(escaped(r))
		}
		text = text[size:]
	}
	return b.String()
}

// escaped is Go's way to write a character, but for those that an encoder of JSON
// leaves as they are: the output must still be JSON when they are escaped here.
func escaped(r rune) string {
	const unit = `\u%04x`
	switch high, low := utf16.EncodeRune(r); {
	case r == '\x7f':
		return fmt.Sprintf(unit, r)
	case high != utf8.RuneError:
		return fmt.Sprintf(unit+unit, high, low)
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// Line is Text in one line.
func Line(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Text(text))
}

// visible: a tab or a newline, or what is seen where it stands.
func visible(r rune) bool { return r == '\n' || r == '\t' || unicode.IsGraphic(r) }

// Cut shortens text to at most so many bytes, at a character, and marks that.
func Cut(text string, most int) string {
	const mark = "..."
	if len(text) <= most {
		return text
	}
	if most <= len(mark) {
		return mark[:max(most, 0)]
	}
	end := most - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// Writer passes on Text of all that is written to it. A character may come in two
// writes.
func Writer(to io.Writer) io.Writer { return &writer{to: to} }

type writer struct {
	to   io.Writer
	rest []byte // the beginning of a character
}

// Write says that all was written, as the number of bytes passed on is another.
func (w *writer) Write(data []byte) (int, error) {
	text := slices.Concat(w.rest, data)
	whole := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				whole = at
			}
			break
		}
	}
	w.rest = slices.Clone(text[whole:])
	if whole == 0 {
		return len(data), nil
	}
	if _, err := io.WriteString(w.to, Text(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(data), nil
}
