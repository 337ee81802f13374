package selector

import "testing"

// FuzzParse checks that no input makes Parse panic, and that the canonical form
// of what it takes is stable and means the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "all()", "!global( )", "has(a) && !has(b)", `a == "x" || b != 'y'`,
		`(a in {"x", 'y',} || b not in {}) && !(c contains "z")`,
		`a starts with "x" && b endswith 'y' || !!has(c/d.e-f_g)`,
		`a == '"'`, "((has(a))", "a = b", "has(", "\x00",
	} {
		f.Add(seed, "a", "x")
	}
	f.Fuzz(func(t *testing.T, input, key, value string) {
		s, err := Parse(input)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("error without a message")
			}
			return
		}
		again, err := Parse(s.String())
		if err != nil {
			t.Fatalf("Parse(%q): canonical form %q is refused: %v", input, s, err)
		}
		if !again.Equal(s) {
			t.Fatalf("Parse(%q): canonical form %q is not stable: %q", input, s, again)
		}
		for _, labels := range []map[string]string{nil, {key: value}, {"a": value, "b": "y"}, {"a": "x", "c": value}} {
			if got, want := again.Matches(labels), s.Matches(labels); got != want {
				t.Fatalf("Parse(%q) matches %v: %v, its canonical form %q: %v", input, labels, want, s, got)
			}
		}
	})
}
