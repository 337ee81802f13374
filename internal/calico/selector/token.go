package selector

import (
	"fmt"
	"strings"
)

// maxKeyLength is Calico's limit for a label's key.
const maxKeyLength = 512

type kind uint8

const (
	kindEnd kind = iota
	kindKey
	kindString
	kindOpenParen
	kindCloseParen
	kindOpenBrace
	kindCloseBrace
	kindComma
	kindEqual
	kindNotEqual
	kindNot
	kindAnd
	kindOr
	kindIn
	kindNotIn
	kindContains
	kindStartsWith
	kindEndsWith
	kindHas
	kindAll
	kindGlobal
)

type token struct {
	kind kind
	// value of a key, of a string without its quotes, or of has()'s key.
	value string
	// position in the input, bytes from 0.
	position int
}

// symbols that need no look at what stands around them. Longer ones come first.
var symbols = []struct {
	text string
	kind kind
}{
	{"==", kindEqual},
	{"!=", kindNotEqual},
	{"&&", kindAnd},
	{"||", kindOr},
	{"!", kindNot},
	{"(", kindOpenParen},
	{")", kindCloseParen},
	{"{", kindOpenBrace},
	{"}", kindCloseBrace},
	{",", kindComma},
}

// calls are the words which are functions when "(" follows at once; with
// anything else behind them they are keys of labels.
var calls = []struct {
	text string
	kind kind
}{
	{"has(", kindHas},
	{"all(", kindAll},
	{"global(", kindGlobal},
}

// operators are the words that may follow a key. Words of one operator may be
// written with or without blanks between them, and need none behind them.
var operators = []struct {
	words []string
	kind  kind
}{
	{[]string{"contains"}, kindContains},
	{[]string{"starts", "with"}, kindStartsWith},
	{[]string{"ends", "with"}, kindEndsWith},
	{[]string{"not", "in"}, kindNotIn},
	{[]string{"in"}, kindIn},
}

// SyntaxError says where a selector is wrong and what was expected there.
type SyntaxError struct {
	// Selector is the whole input.
	Selector string
	// Position of the fault, in bytes from 0.
	Position int
	// Problem in words.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	found := "the end"
	if e.Position < len(e.Selector) {
		found = fmt.Sprintf("%q", clip(e.Selector[e.Position:]))
	}
	return fmt.Sprintf("selector %q: at position %d, before %s: %s",
		clip(e.Selector), e.Position+1, found, e.Problem)
}

// clip shortens a selector for a message.
func clip(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

type scanner struct {
	input  string
	at     int
	tokens []token
}

// tokenize splits a selector; the last token is kindEnd.
func tokenize(input string) ([]token, error) {
	s := scanner{input: input}
	for {
		s.blanks()
		if s.at == len(s.input) {
			s.add(kindEnd, "", 0)
			return s.tokens, nil
		}
		if err := s.next(); err != nil {
			return nil, err
		}
	}
}

func (s *scanner) rest() string { return s.input[s.at:] }

// blanks skips what Calico takes for white space: a line break is not.
func (s *scanner) blanks() {
	for s.at < len(s.input) && (s.input[s.at] == ' ' || s.input[s.at] == '\t') {
		s.at++
	}
}

func (s *scanner) add(k kind, value string, length int) {
	s.tokens = append(s.tokens, token{kind: k, value: value, position: s.at})
	s.at += length
}

func (s *scanner) fail(at int, format string, args ...any) error {
	return &SyntaxError{Selector: s.input, Position: at, Problem: fmt.Sprintf(format, args...)}
}

func (s *scanner) next() error {
	for _, symbol := range symbols {
		if strings.HasPrefix(s.rest(), symbol.text) {
			s.add(symbol.kind, "", len(symbol.text))
			return nil
		}
	}
	switch c := s.input[s.at]; c {
	case '=', '&', '|':
		return s.fail(s.at, "a single %q means nothing, write %q", c, []byte{c, c})
	case '"', '\'':
		return s.quoted(c)
	}
	if n := len(s.tokens); n > 0 && s.tokens[n-1].kind == kindKey {
		return s.operator(s.tokens[n-1].value)
	}
	return s.word()
}

// quoted reads a string; nothing is escaped in it.
func (s *scanner) quoted(quote byte) error {
	end := strings.IndexByte(s.input[s.at+1:], quote)
	if end < 0 {
		return s.fail(s.at, "the string is not closed, expected another %c", quote)
	}
	s.add(kindString, s.input[s.at+1:s.at+1+end], end+2)
	return nil
}

func (s *scanner) operator(key string) error {
	for _, op := range operators {
		if length := prefixOfWords(s.rest(), op.words); length > 0 {
			s.add(op.kind, "", length)
			return nil
		}
	}
	return s.fail(s.at, "expected an operator after label %s (==, !=, in, not in, contains, starts with, ends with)", clip(key))
}

// prefixOfWords is the length of the words at the start of s, 0 if they are not there.
func prefixOfWords(s string, words []string) int {
	rest := s
	for i, word := range words {
		if i > 0 {
			rest = strings.TrimLeft(rest, " \t")
		}
		if !strings.HasPrefix(rest, word) {
			return 0
		}
		rest = rest[len(word):]
	}
	return len(s) - len(rest)
}

// word reads a function or a key.
func (s *scanner) word() error {
	for _, call := range calls {
		if strings.HasPrefix(s.rest(), call.text) {
			return s.call(call.text, call.kind)
		}
	}
	key, err := s.key(s.at, "expected a label, has(), all(), global(), ! or (")
	if err != nil {
		return err
	}
	s.add(kindKey, key, len(key))
	return nil
}

func (s *scanner) call(name string, k kind) error {
	start := s.at
	s.at += len(name)
	s.blanks()
	key := ""
	if k == kindHas {
		var err error
		if key, err = s.key(s.at, "expected a label's key in has()"); err != nil {
			return err
		}
		s.at += len(key)
		s.blanks()
	}
	if s.at == len(s.input) || s.input[s.at] != ')' {
		return s.fail(s.at, "expected ) to close %s)", name)
	}
	s.at++
	s.tokens = append(s.tokens, token{kind: k, value: key, position: start})
	return nil
}

// key reads the key of a label at a position.
func (s *scanner) key(at int, problem string) (string, error) {
	end := at
	for end < len(s.input) && isKeyByte(s.input[end]) {
		end++
	}
	switch {
	case end == at:
		return "", s.fail(at, "%s", problem)
	case end-at > maxKeyLength:
		return "", s.fail(at, "the label's key has %d characters, at most %d are allowed", end-at, maxKeyLength)
	}
	return s.input[at:end], nil
}

func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '.' || c == '/' || c == '-'
}
