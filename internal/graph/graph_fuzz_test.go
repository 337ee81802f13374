package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/plain"
)

// FuzzFormats: no zone, name or cluster ID breaks out of the place where it stands.
// The picture is XML with nothing in it but what is drawn; the lines of the others are
// as many as for harmless names, and all their quotes are closed.
func FuzzFormats(f *testing.F) {
	for _, seed := range []string{
		"zone-a", `a"b<c>&\]`, "</text><script>alert(1)</script>", "\x1b[2J", "a\n  click x href \"javascript:1\"", `\`, `\"`, "]]>", "%%{init}%%", "#quot;", "`x`", "\ufffe", "\xff",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, zone, name string) {
		draw := func(zone, name string) (svg, dot, mermaid string) {
			in := made(3, 1, v1alpha1.TopologySingle)
			// The builder sorts by names: the first is the one that stays so.
			in.Nodes[0].Labels[zoneLabel], in.Nodes[1].Labels[zoneLabel], in.Nodes[2].Labels[zoneLabel] = zone, zone, zone
			g := New(in, bgp.Build(in), zoneLabel)
			g.Title, g.Notes = name, []string{name, zone}
			for i := range g.Zones {
				for j := range g.Zones[i].Blocks {
					block := &g.Zones[i].Blocks[j]
					block.Names = []string{name}
					if block.ClusterID != "" {
						block.ClusterID = name
					}
				}
			}
			var s, d, m bytes.Buffer
			if err := errors.Join(g.SVG(&s), g.Dot(&d), g.Mermaid(&m)); err != nil {
				t.Fatal(err)
			}
			return s.String(), d.String(), m.String()
		}
		svg, dot, mermaid := draw(zone, name)
		safeSVG, safeDot, safeMermaid := draw("z", "n")
		if zone == "" {
			safeSVG, safeDot, safeMermaid = draw("", "n")
		}
		if got, want := elements(t, svg), elements(t, safeSVG); got != want {
			t.Errorf("elements of the picture:\n%s\nwant\n%s", got, want)
		}
		for _, text := range []struct{ got, want string }{{dot, safeDot}, {mermaid, safeMermaid}} {
			if plain.Text(text.got) != text.got {
				t.Errorf("not plain: %q", text.got)
			}
			if strings.Count(text.got, "\n") != strings.Count(text.want, "\n") || unescapedQuotes(text.got) != unescapedQuotes(text.want) {
				t.Errorf("broken out:\n%s\nwant the form of\n%s", text.got, text.want)
			}
		}
	})
}

// elements are the names of all elements of an XML document, in order.
func elements(t *testing.T, text string) string {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	var names []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if start, ok := token.(xml.StartElement); ok {
			names = append(names, start.Name.Local)
		}
	}
}

// unescapedQuotes counts the quotes that open or close a text.
func unescapedQuotes(text string) int {
	count, escaped := 0, false
	for _, r := range text {
		if r == '"' && !escaped {
			count++
		}
		escaped = r == '\\' && !escaped
	}
	return count
}
