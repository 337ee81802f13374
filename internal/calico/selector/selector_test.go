package selector

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	labels := map[string]string{
		"zone":                   "eu-1a",
		"rack":                   "",
		"kubernetes.io/hostname": "n1",
		"has":                    "x",
		"quote":                  `a"b`,
	}
	tests := []struct {
		selector string
		want     bool
	}{
		{"", true},
		{" \t ", true},
		{"all()", true},
		{"all( )", true},
		{"!all()", false},
		{"global()", true},
		{"has(zone)", true},
		{"has( zone\t)", true},
		{"has(rack)", true},
		{"has(none)", false},
		{"!has(none)", true},
		{"! has(none)", true},
		{"!!has(none)", false},
		{"!(!has(zone))", true},
		{`has == "x"`, true},
		{`zone == "eu-1a"`, true},
		{`zone=='eu-1a'`, true},
		{`!zone == "eu-1a"`, false},
		{`!none == "eu-1a"`, true},
		{`rack == ""`, true},
		{`none == ""`, false},
		{`zone != "eu-1a"`, false},
		{`none != "eu-1a"`, true},
		{`zone in {"eu-1b", "eu-1a"}`, true},
		{`zone in {"eu-1b", "eu-1a",}`, true},
		{`zone in {}`, false},
		{`zone not in {}`, true},
		{`none in {""}`, false},
		{`zone in{"eu-1b"}`, false},
		{`zone not in {"eu-1b"}`, true},
		{`zone notin {"eu-1a"}`, false},
		{`zone not  in {"eu-1a"}`, false},
		{`none not in {"eu-1a"}`, true},
		{`zone contains "u-1"`, true},
		{`zone contains "u-2"`, false},
		{`none contains ""`, false},
		{`rack contains ""`, true},
		{`zone starts with "eu"`, true},
		{`zone startswith "1a"`, false},
		{`none starts with ""`, false},
		{`zone ends with "1a"`, true},
		{`zone endswith"eu"`, false},
		{`none ends with ""`, false},
		{`quote == 'a"b'`, true},
		{`kubernetes.io/hostname == "n1"`, true},
		{`has(none) && has(zone) || has(rack)`, true},
		{`has(rack) || has(zone) && has(none)`, true},
		{`(has(rack) || has(zone)) && has(none)`, false},
		{`!(has(none) || zone == "x") && has(rack)`, true},
		{`has(zone) && (has(rack) && (has(has)))`, true},
	}
	for _, tt := range tests {
		t.Run(tt.selector, func(t *testing.T) {
			t.Parallel()
			s, err := Parse(tt.selector)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got := s.Matches(labels); got != tt.want {
				t.Errorf("Matches = %v, want %v (canonical %s)", got, tt.want, s)
			}
		})
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	tests := []struct{ selector, want string }{
		{"", "all()"},
		{"global( )", "global()"},
		{"a=='x'", `a == "x"`},
		{`a == 'x"y'`, `a == 'x"y'`},
		{`a == "it's"`, `a == "it's"`},
		{`a in {'z',"b",'b'}`, `a in {"b", "z"}`},
		{"a notin{}", "a not in {}"},
		{`a startswith "x"`, `a starts with "x"`},
		{`a ends   with "x"`, `a ends with "x"`},
		{"!!has(a)", "has(a)"},
		{"!(!has(a))", "has(a)"},
		{"!!!has(a)", "!has(a)"},
		{`!a == "x"`, `!(a == "x")`},
		{"((has(a)))", "has(a)"},
		{"(has(a)&&has(b))&&has(c)", "has(a) && has(b) && has(c)"},
		{"has(a)||(has(b)||has(c))", "has(a) || has(b) || has(c)"},
		{"(has(a)||has(b))&&has(c)", "(has(a) || has(b)) && has(c)"},
		{"(has(a)&&has(b))||has(c)", "has(a) && has(b) || has(c)"},
		{"!(has(a)&&has(b))", "!(has(a) && has(b))"},
	}
	for _, tt := range tests {
		t.Run(tt.selector, func(t *testing.T) {
			t.Parallel()
			s, err := Parse(tt.selector)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got := s.String(); got != tt.want {
				t.Errorf("String = %s, want %s", got, tt.want)
			}
			again, err := Parse(s.String())
			if err != nil || !again.Equal(s) {
				t.Errorf("Parse(%s) = %v, %v; want an equal selector", s, again, err)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		selector string
		position int
		problem  string
	}{
		{"a", 1, "operator after label a"},
		{"a b", 2, "operator after label a"},
		{"a = 'x'", 2, `write "=="`},
		{"a == ", 5, "a string in quotes"},
		{"a == b", 5, "a string in quotes"},
		{"a == 'x", 5, "not closed"},
		{`a == "x`, 5, "not closed"},
		{"has(a) & has(b)", 7, `write "&&"`},
		{"has(a) | has(b)", 7, `write "||"`},
		{"has(a) has(b)", 7, "&&, || or the end"},
		{"has(a) &&", 9, "a label"},
		{"&& has(a)", 0, "a label"},
		{"has(", 4, "key in has()"},
		{"has()", 4, "key in has()"},
		{"has(a", 5, "close has()"},
		{"has(a b)", 6, "close has()"},
		{"has (a)", 4, "operator after label has"},
		{"all(a)", 4, "close all()"},
		{"global(", 7, "close global()"},
		{"(has(a)", 7, "&&, || or )"},
		{"has(a))", 6, "&&, || or the end"},
		{"()", 1, "a label"},
		{"!", 1, "a label"},
		{"a in 'x'", 5, "a set of strings"},
		{"a in {'x' 'y'}", 10, "a string in quotes or }"},
		{"a in {,}", 6, "a string in quotes or }"},
		{"a in {b}", 6, "a string in quotes or }"},
		{"a in {'x'", 9, "a string in quotes or }"},
		{"a not {'x'}", 2, "operator after label a"},
		{"a starts 'x'", 2, "operator after label a"},
		{"a inb {'x'}", 4, "a set of strings"},
		{"'a' == 'x'", 0, "a label"},
		{"has(a)\n&& has(b)", 6, "a label"},
		{"ä == 'x'", 0, "a label"},
		{"has(ä)", 4, "key in has()"},
		{strings.Repeat("k", 513) + " == 'x'", 0, "513 characters"},
		{strings.Repeat("(", 6000) + "all()", 5000, "fewer parentheses"},
	}
	for _, tt := range tests {
		t.Run(clip(tt.selector), func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tt.selector)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Parse: %v, want a *SyntaxError", err)
			}
			if syntax.Position != tt.position || !strings.Contains(syntax.Problem, tt.problem) {
				t.Errorf("at %d: %s; want at %d: %s", syntax.Position, syntax.Problem, tt.position, tt.problem)
			}
		})
	}
}

func TestErrorMessage(t *testing.T) {
	t.Parallel()
	_, err := Parse("has(rack) & all()")
	const want = `selector "has(rack) & all()": at position 11, before "& all()": a single '&' means nothing, write "&&"`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestLongKeyIsTaken(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", 512)
	s, err := Parse("has(" + key + ")")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Matches(map[string]string{key: ""}) {
		t.Error("does not match a label whose key has 512 characters")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		selector string
		want     []string
	}{
		{"", nil},
		{"all() || global()", nil},
		{`has(b) && !(a == "x" || b in {"y"}) || !c ends with "z" && !!has(a)`, []string{"a", "b", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.selector, func(t *testing.T) {
			t.Parallel()
			s, err := Parse(tt.selector)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Keys(); !slices.Equal(got, tt.want) {
				t.Errorf("Keys = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMatchesAllocatesNothing(t *testing.T) {
	labels := map[string]string{"zone": "a", "rack": "r1"}
	s, err := Parse(`!has(reflector) && zone in {"a", "b"} && (rack starts with "r" || rack != "x")`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { s.Matches(labels) }); n != 0 {
		t.Errorf("Matches allocates %v times, want 0", n)
	}
}

func BenchmarkMatches(b *testing.B) {
	labels := map[string]string{"zone": "a", "rack": "r1", "kubernetes.io/hostname": "n1"}
	s, err := Parse(`!has(reflector) && zone in {"a", "b", "c"} && rack == "r1"`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Matches(labels)
	}
}
