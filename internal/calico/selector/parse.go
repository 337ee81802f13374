package selector

import "slices"

// maxDepth bounds the nesting of parentheses, so that no input exhausts the
// stack. Calico's own limit on a selector's length allows far fewer.
const maxDepth = 5000

type parser struct {
	input  string
	tokens []token
	at     int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take returns the current token and steps over it, but never over the end.
func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != kindEnd {
		p.at++
	}
	return t
}

func (p *parser) expected(what string) error {
	return &SyntaxError{Selector: p.input, Position: p.peek().position, Problem: "expected " + what}
}

// or reads one or more conjunctions; || binds weakest.
func (p *parser) or() (expression, error) {
	return p.chain(kindOr, p.and, func(terms []expression) expression { return anyOf(terms) })
}

func (p *parser) and() (expression, error) {
	return p.chain(kindAnd, p.operation, func(terms []expression) expression { return allOf(terms) })
}

// chain reads terms with one operator between them. Terms that are chains of the
// same operator (they stood in parentheses) are joined into this one: the meaning
// is the same and the canonical form needs no parentheses.
func (p *parser) chain(operator kind, term func() (expression, error), join func([]expression) expression) (expression, error) {
	var terms []expression
	for {
		t, err := term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, sameChain(operator, t)...)
		if p.peek().kind != operator {
			break
		}
		p.take()
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return join(terms), nil
}

func sameChain(operator kind, e expression) []expression {
	switch e := e.(type) {
	case anyOf:
		if operator == kindOr {
			return e
		}
	case allOf:
		if operator == kindAnd {
			return e
		}
	}
	return []expression{e}
}

// operation reads one term, which any number of ! may precede.
func (p *parser) operation() (expression, error) {
	negated := false
	for p.peek().kind == kindNot {
		p.take()
		negated = !negated
	}
	e, err := p.plain()
	if err != nil || !negated {
		return e, err
	}
	if inner, ok := e.(not); ok {
		return inner.of, nil
	}
	return not{of: e}, nil
}

func (p *parser) plain() (expression, error) {
	switch t := p.peek(); t.kind {
	case kindHas:
		p.take()
		return has{key: t.value}, nil
	case kindAll:
		p.take()
		return everything{word: wordAll}, nil
	case kindGlobal:
		p.take()
		return everything{word: wordGlobal}, nil
	case kindOpenParen:
		return p.parentheses()
	case kindKey:
		return p.comparison()
	default:
		return nil, p.expected("a label, has(), all(), global(), ! or (")
	}
}

func (p *parser) parentheses() (expression, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.expected("fewer parentheses inside each other")
	}
	defer func() { p.depth-- }()
	p.take()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != kindCloseParen {
		return nil, p.expected("&&, || or )")
	}
	p.take()
	return e, nil
}

// comparison reads a label, an operator and a string or a set.
func (p *parser) comparison() (expression, error) {
	key := p.take().value
	switch op := p.peek().kind; op {
	case kindIn, kindNotIn:
		p.take()
		values, err := p.set()
		if err != nil {
			return nil, err
		}
		return inSet{key: key, values: values, negated: op == kindNotIn}, nil
	case kindEqual, kindNotEqual, kindContains, kindStartsWith, kindEndsWith:
		p.take()
		if p.peek().kind != kindString {
			return nil, p.expected("a string in quotes")
		}
		return compare{key: key, operator: op, value: p.take().value}, nil
	default:
		return nil, p.expected("an operator after label " + clip(key))
	}
}

// set reads { "a", "b" }; it may be empty, and a comma may end it.
func (p *parser) set() ([]string, error) {
	if p.peek().kind != kindOpenBrace {
		return nil, p.expected("{ and a set of strings")
	}
	p.take()
	var values []string
	for p.peek().kind == kindString {
		values = append(values, p.take().value)
		if p.peek().kind != kindComma {
			break
		}
		p.take()
	}
	if p.peek().kind != kindCloseBrace {
		return nil, p.expected("a string in quotes or }")
	}
	p.take()
	slices.Sort(values)
	return slices.Compact(values), nil
}
