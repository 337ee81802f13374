package plain

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzText: whatever comes in, nothing that a terminal obeys comes out; what comes out
// is not changed again; and it is the same in one write and in two.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "node-1", "\x1b[2J", "\u009b1m", "\xe6\x9d", "\u202e", "ü", "\\x1b", "\r\n\t"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		got := Text(text)
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%q has %q", got, r)
			}
		}
		if again := Text(got); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
		if line := Line(text); strings.ContainsAny(line, "\n\t") {
			t.Fatalf("%q has more than a line", line)
		}
		if most := len(text) / 2; len(Cut(text, most)) > most {
			t.Fatalf("%q is cut to %q", text, Cut(text, most))
		}
		if !utf8.ValidString(text) {
			return // what is cut in two may be read otherwise
		}
		at = min(max(at, 0), len(text))
		var out strings.Builder
		w := Writer(&out)
		for _, part := range []string{text[:at], text[at:]} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != got {
			t.Fatalf("in two writes %q, in one %q", out.String(), got)
		}
	})
}
