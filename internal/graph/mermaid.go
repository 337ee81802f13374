package graph

import (
	"fmt"
	"io"
	"strings"

	"tapetum.dev/tapetum/internal/plain"
)

// Mermaid writes the graph as a Mermaid flowchart.
func (g *Graph) Mermaid(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: %q\n---\nflowchart TB\n", plain.Line(strings.Join(append([]string{g.Title}, g.Notes...), ". ")))
	for i, zone := range g.Zones {
		fmt.Fprintf(&b, "  subgraph z%d[%s]\n", i+1, mermaidText([]string{zone.title()}))
		for j := range zone.Blocks {
			block := &zone.Blocks[j]
			fmt.Fprintf(&b, "    %s[%s]:::%s\n", block.ID, mermaidText(block.lines()), classes[block.Kind])
		}
		b.WriteString("  end\n")
	}
	for _, link := range g.Links {
		line := "---"
		if link.Peers {
			line = "==="
		}
		fmt.Fprintf(&b, "  %s %s|%s| %s\n", link.From, line, thousands(link.Sessions), link.To)
	}
	for _, kind := range []Kind{Reflectors, Clients, Meshed, Lonely} {
		c := colors[kind]
		fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:%s\n", classes[kind], c.fill, c.line, c.text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var classes = map[Kind]string{Reflectors: "reflectors", Clients: "clients", Meshed: "meshed", Lonely: "lonely"}

func mermaidText(lines []string) string {
	escape := strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "#", "#35;", "`", "#96;")
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = escape.Replace(plain.Line(line))
	}
	return `"` + strings.Join(escaped, "<br/>") + `"`
}
