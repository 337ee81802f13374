package selector

import "strings"

var operatorText = map[kind]string{
	kindEqual:      "==",
	kindNotEqual:   "!=",
	kindContains:   "contains",
	kindStartsWith: "starts with",
	kindEndsWith:   "ends with",
}

func text(e expression) string {
	var b strings.Builder
	e.write(&b)
	return b.String()
}

func (e everything) write(b *strings.Builder) { b.WriteString(e.word) }

func (e has) write(b *strings.Builder) {
	b.WriteString("has(")
	b.WriteString(e.key)
	b.WriteByte(')')
}

func (e compare) write(b *strings.Builder) {
	b.WriteString(e.key)
	b.WriteByte(' ')
	b.WriteString(operatorText[e.operator])
	b.WriteByte(' ')
	writeString(b, e.value)
}

func (e inSet) write(b *strings.Builder) {
	b.WriteString(e.key)
	if e.negated {
		b.WriteString(" not")
	}
	b.WriteString(" in {")
	for i, value := range e.values {
		if i > 0 {
			b.WriteString(", ")
		}
		writeString(b, value)
	}
	b.WriteByte('}')
}

func (e not) write(b *strings.Builder) {
	b.WriteByte('!')
	switch e.of.(type) {
	case has, everything:
		e.of.write(b)
	default:
		writeInParentheses(b, e.of)
	}
}

func (e allOf) write(b *strings.Builder) {
	for i, term := range e {
		if i > 0 {
			b.WriteString(" && ")
		}
		if _, weaker := term.(anyOf); weaker {
			writeInParentheses(b, term)
			continue
		}
		term.write(b)
	}
}

func (e anyOf) write(b *strings.Builder) {
	for i, term := range e {
		if i > 0 {
			b.WriteString(" || ")
		}
		term.write(b)
	}
}

func writeInParentheses(b *strings.Builder, e expression) {
	b.WriteByte('(')
	e.write(b)
	b.WriteByte(')')
}

// writeString quotes a value. Nothing can be escaped, and a value that came out
// of one kind of quotes contains at most the other.
func writeString(b *strings.Builder, value string) {
	quote := byte('"')
	if strings.IndexByte(value, quote) >= 0 {
		quote = '\''
	}
	b.WriteByte(quote)
	b.WriteString(value)
	b.WriteByte(quote)
}
