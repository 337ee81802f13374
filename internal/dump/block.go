package dump

import (
	"bytes"
	"strings"
)

// block is a run of lines of a file: a document, or an item of a list.
type block struct {
	lines [][]byte
	// line is the number of its first line in the file, from 1.
	line int
}

func (b block) text() []byte { return bytes.Join(b.lines, []byte("\n")) }

// documents cuts a file at its document separators. Documents without content
// are left out.
func documents(text []byte) []block {
	var out []block
	current := block{line: 1}
	flush := func(next int) {
		if current.content() {
			out = append(out, current)
		}
		current = block{line: next}
	}
	for number := 1; len(text) > 0; number++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case separator(line, "---"):
			flush(number)
			// What follows on the same line belongs to the document.
			line = append([]byte("   "), line[3:]...)
		case separator(line, "..."):
			flush(number + 1)
			continue
		case bytes.HasPrefix(line, []byte("%")) && !current.content():
			flush(number + 1)
			continue
		}
		current.lines = append(current.lines, line)
	}
	flush(0)
	return out
}

func separator(line []byte, mark string) bool {
	rest, found := bytes.CutPrefix(line, []byte(mark))
	return found && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

// content tells whether there is more than blank lines and comments.
func (b block) content() bool {
	for _, line := range b.lines {
		if !blank(line) {
			return true
		}
	}
	return false
}

// blank lines, and lines that are only a comment.
func blank(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) == 0 || line[0] == '#'
}

func indent(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

// top is what the lines with the least indentation say.
type top struct {
	header
	// items is the index of the line "items:", -1 where there is none.
	items int
}

// scan looks at the keys of the outermost map without parsing.
func (b block) scan() top {
	out := top{items: -1}
	margin := -1
	for i, line := range b.lines {
		if blank(line) {
			continue
		}
		if margin < 0 {
			margin = indent(line)
		}
		if indent(line) != margin {
			continue
		}
		name, value, isKey := strings.Cut(string(line[margin:]), ":")
		if !isKey {
			continue
		}
		value, plain := scalar(value)
		switch name {
		case "kind":
			if plain {
				out.Kind = value
			}
		case "apiVersion":
			if plain {
				out.APIVersion = value
			}
		case "items":
			if value == "" {
				out.items = i
			}
		}
	}
	return out
}

// scalar reads the value behind a key; plain is false where it takes a parser.
func scalar(value string) (text string, plain bool) {
	if at := strings.Index(value, " #"); at >= 0 {
		value = value[:at]
	}
	value = strings.TrimSpace(value)
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
		value = value[1 : len(value)-1]
	}
	return value, !strings.ContainsAny(value, "\"'{}[]&*!|>%@`\\")
}

// split cuts the list that begins behind a line into its items. The dash of each
// is replaced by a space, so that the item is a document of its own.
func (b block) split(items int) []block {
	var out []block
	margin := -1
	for i := items + 1; i < len(b.lines); i++ {
		line := b.lines[i]
		if blank(line) {
			if len(out) > 0 {
				last := &out[len(out)-1]
				last.lines = append(last.lines, line)
			}
			continue
		}
		if margin < 0 {
			margin = indent(line)
		}
		dash := indent(line) == margin && separator(line[margin:], "-")
		switch {
		case dash:
			first := bytes.Clone(line)
			first[margin] = ' '
			out = append(out, block{lines: [][]byte{first}, line: b.line + i})
		case len(out) == 0 || indent(line) <= margin:
			return out
		default:
			last := &out[len(out)-1]
			last.lines = append(last.lines, line)
		}
	}
	return out
}

// heavy are parts of nodes that nothing reads and that are most of the text.
var heavy = map[string]bool{"images:": true, "managedFields:": true, "volumesAttached:": true, "volumesInUse:": true}

// without blanks the heavy parts of a node, so that the parser is spared them and
// the numbers of the lines stay.
func (b block) without(kind string) block {
	if kind != "Node" {
		return b
	}
	out := block{line: b.line, lines: make([][]byte, 0, len(b.lines))}
	margin, child, cut := -1, -1, false
	for _, line := range b.lines {
		depth := indent(line)
		switch {
		case blank(line):
		case margin < 0:
			margin = depth
		case depth <= margin:
			child, cut = -1, false
		case child < 0:
			child = depth
		}
		if child >= 0 && depth == child && !blank(line) && !bytes.HasPrefix(line[depth:], []byte("- ")) {
			cut = heavy[string(bytes.TrimSpace(line))]
		}
		if cut {
			out.lines = append(out.lines, nil)
			continue
		}
		out.lines = append(out.lines, line)
	}
	return out
}

// find gives the index of the line that holds a field, such as "spec.asNumber",
// or of the innermost map around it that is found.
func (b block) find(field string) int {
	at, margin, from := 0, -1, 0
	for i, line := range b.lines {
		if !blank(line) {
			at, margin, from = i, indent(line), i
			break
		}
	}
	for _, name := range strings.Split(field, ".") {
		i, deeper := b.key(from, margin, name)
		if i < 0 {
			break
		}
		at, margin, from = i, deeper, i+1
	}
	return at
}

// key looks from a line on for a key with that indentation, and tells how deep
// its children are; -1 where it has none.
func (b block) key(from, margin int, name string) (at, child int) {
	for i := from; i < len(b.lines); i++ {
		line := b.lines[i]
		if blank(line) || indent(line) > margin {
			continue
		}
		if indent(line) < margin {
			return -1, -1
		}
		if !bytes.HasPrefix(line[margin:], []byte(name+":")) {
			continue
		}
		for _, next := range b.lines[i+1:] {
			if !blank(next) {
				if depth := indent(next); depth > margin {
					return i, depth
				}
				break
			}
		}
		return i, -1
	}
	return -1, -1
}
