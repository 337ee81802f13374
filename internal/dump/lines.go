package dump

import "bytes"

// lineIndex tells the line of an offset. Offsets come mostly in rising order, so
// it goes on from the last one.
type lineIndex struct {
	text         []byte
	offset, line int
	// fixed is the line of everything, where offsets are not of the file.
	fixed int
}

// sameLine gives one line for all.
func sameLine(line int) *lineIndex { return &lineIndex{fixed: line} }

// of returns the line, from 1, that holds the offset.
func (l *lineIndex) of(offset int) int {
	if l.fixed > 0 {
		return l.fixed
	}
	offset = min(max(offset, 0), len(l.text))
	if offset < l.offset {
		l.offset, l.line = 0, 0
	}
	l.line += bytes.Count(l.text[l.offset:offset], []byte("\n"))
	l.offset = offset
	return l.line + 1
}
