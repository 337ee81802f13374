package selector

// Selector is a parsed selector. It is immutable and safe for concurrent use.
type Selector struct {
	root expression
	text string
}

// Parse reads a selector. The empty selector (also: only blanks) matches
// everything, as all() does. Every error is a *SyntaxError.
//
// An empty nodeSelector in a BGPPeer has a meaning of its own in Calico (the
// peer is global); callers tell that case apart before they parse.
func Parse(s string) (*Selector, error) {
	tokens, err := tokenize(s)
	if err != nil {
		return nil, err
	}
	p := parser{input: s, tokens: tokens}
	root := expression(everything{word: wordAll})
	if p.peek().kind != kindEnd {
		if root, err = p.or(); err != nil {
			return nil, err
		}
		if p.peek().kind != kindEnd {
			return nil, p.expected("&&, || or the end")
		}
	}
	return &Selector{root: root, text: text(root)}, nil
}

// Matches tells whether an object with these labels is selected. It allocates
// nothing: it is called once for every node and selector.
func (s *Selector) Matches(labels map[string]string) bool {
	return s.root.matches(labels)
}

// String is the canonical form: sets are sorted, values in double quotes where
// they can be, parentheses only where they change the meaning. Parsing it gives
// an equal selector.
func (s *Selector) String() string { return s.text }

// Equal tells whether two selectors have the same canonical form. Selectors that
// differ in form may still select the same objects.
func (s *Selector) Equal(other *Selector) bool {
	return s != nil && other != nil && s.text == other.text
}
