package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/graph"
)

func init() { register(newGraphCommand) }

func newGraphCommand() *cobra.Command {
	var input inputFlags
	var zoneLabel string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Draw who peers with whom: zones as boxes, thousands of nodes in few blocks",
		Long: `Draws the BGP sessions that Calico makes of a cluster's resources: zones as boxes,
their route reflectors and clients in blocks, links with the number of sessions.
"svg" is a picture as it is; "dot" is for Graphviz, "mermaid" for Markdown.
` + inputHelp,
		Example: `  tapetum graph --from cluster.yaml -o svg > topology.svg`,
		Args:    wants,
	}
	output := addOutput(cmd, "svg", "dot", "mermaid")
	input.add(cmd)
	cmd.Flags().StringVar(&zoneLabel, "zone-label", "", "node `label` that names zones; unset: what the cluster's policy says")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		if zoneLabel == "" {
			zoneLabel = policyOf(cluster).ZoneLabel
		}
		in := network(cluster)
		return draw(cmd.OutOrStdout(), output.value, graph.New(in, bgp.Build(in), zoneLabel))
	}
	return cmd
}

func draw(w io.Writer, format string, g *graph.Graph) error {
	switch format {
	case "dot":
		return g.Dot(w)
	case "mermaid":
		return g.Mermaid(w)
	case "svg":
		return g.SVG(w)
	}
	return fmt.Errorf("no such format: %q", format)
}
