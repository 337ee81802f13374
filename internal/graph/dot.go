package graph

import (
	"fmt"
	"io"
	"strings"

	"tapetum.dev/tapetum/internal/plain"
)

// Dot writes the graph for Graphviz.
func (g *Graph) Dot(w io.Writer) error {
	var b strings.Builder
	b.WriteString("graph tapetum {\n")
	fmt.Fprintf(&b, "  label=%s; labelloc=t; compound=true; ranksep=1.2; nodesep=0.6;\n", dotText(append([]string{g.Title}, g.Notes...)))
	b.WriteString("  fontname=\"Helvetica\"; node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\"]; edge [fontname=\"Helvetica\", fontsize=10];\n")
	for i, zone := range g.Zones {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s; style=rounded; color=\"#98a2b3\";\n", i, dotText([]string{zone.title()}))
		for j := range zone.Blocks {
			block := &zone.Blocks[j]
			fmt.Fprintf(&b, "    %s [label=%s, fillcolor=%q, color=%q];\n", block.ID, dotText(block.lines()), colors[block.Kind].fill, colors[block.Kind].line)
		}
		b.WriteString("  }\n")
	}
	for _, link := range g.Links {
		style := ""
		if link.Peers {
			style = ", style=bold, constraint=false"
		}
		fmt.Fprintf(&b, "  %s -- %s [label=\"%s\"%s];\n", link.From, link.To, thousands(link.Sessions), style)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func dotText(lines []string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = escape.Replace(plain.Line(line))
	}
	return `"` + strings.Join(escaped, `\n`) + `"`
}

// title of a zone's box.
func (z *Zone) title() string {
	name := z.Name
	if name == "" {
		name = "(no zone)"
	}
	return name + " · " + count(z.Nodes, "node")
}

// colors of blocks, by kind.
var colors = map[Kind]struct{ fill, line, text string }{
	Reflectors: {"#fff3d6", "#d99000", "#5c3d00"},
	Clients:    {"#e3eefc", "#3b78c9", "#163a6b"},
	Meshed:     {"#e6f5ea", "#3a8f57", "#174a2a"},
	Lonely:     {"#fde4e1", "#cc3b2b", "#6e1a12"},
}
