package plain

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"node-1\tzone a\n":       "node-1\tzone a\n",
		"Zürich · 東京 → 🐈":        "Zürich · 東京 → 🐈",
		"\x1b[2J\x1b]0;owned\a":  `\x1b[2J\x1b]0;owned\a`,
		"a\rb\bc\x00d\x7f":       `a\rb\bc\x00d\u007f`,
		"8-bit \u009b31m":        `8-bit \u009b31m`,
		"\xff\xc3":               `\xff\xc3`,
		"right\u202eto left":     `right\u202eto left`,
		"no\u200bwidth\ufeff":    `no\u200bwidth\ufeff`,
		"lines\u2028\u2029":      `lines\u2028\u2029`,
		"real \ufffd character":  "real \ufffd character",
		`a backslash \x1b stays`: `a backslash \x1b stays`,
	} {
		if got := Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got, want := Line("a\nb\tc\x1b"), `a b c\x1b`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestTextKeepsJSON: what an encoder leaves as it is stays readable for programs.
func TestTextKeepsJSON(t *testing.T) {
	const name = "a\x7f\u009b\u202e\u2028\x1b\U000e0041b\xff"
	text, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal([]byte(Text(string(text))), &got); err != nil {
		t.Fatalf("%s: %v", Text(string(text)), err)
	}
	if want := strings.ToValidUTF8(name, "\ufffd"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "abc..."}, {"aüüü", 6, "aü..."}, {"aaüü", 5, "aa..."}, {"abc", 2, ".."}, {"abc", 0, ""}, {"", 0, ""},
	} {
		if got := Cut(test.text, test.most); got != test.want {
			t.Errorf("%q in %d bytes: %q, want %q", test.text, test.most, got, test.want)
		}
	}
}

func TestWriterJoinsCharacters(t *testing.T) {
	const text = "東京 ü \x1b[0m 🐈\n"
	for size := 1; size < len(text); size++ {
		var out strings.Builder
		w := Writer(&out)
		for i := 0; i < len(text); i += size {
			part := text[i:min(i+size, len(text))]
			if n, err := w.Write([]byte(part)); err != nil || n != len(part) {
				t.Fatalf("%d of %d bytes: %v", n, len(part), err)
			}
		}
		if got := out.String(); got != Text(text) {
			t.Errorf("in parts of %d bytes: %q, want %q", size, got, Text(text))
		}
	}
}
