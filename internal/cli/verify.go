package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/internal/bgp"
)

func init() { register(newVerifyCommand) }

func newVerifyCommand() *cobra.Command {
	var input inputFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say whether every node of a cluster has a route to every other, and what would break it",
		Long: `Works out from nodes, BGPPeers, BGPConfigurations and BGPFilters which BGP sessions
Calico makes and which routes arrive where: pairs of nodes without a route, paths a
route, sessions a node, what the loss of a route reflector or a zone would do, and
what else is wrong. It does not look at the state of sessions.
` + inputHelp + `

JSON and YAML have the fields nodes, topology, reflectors, clusterIDs, bgpPeers
(numbers); sessions {total, perReflectorMax, perReflectorMin, perClientMax}: pairs of
nodes and an address family; pathsPerRouteMax: the most paths that a node which is no
reflector holds for a block of another such node, exact up to 10000, then "pathsCapped": true;
visibility {complete, missingPairs, missingSample}: ordered pairs, up to 20 named;
robust {anyReflector, anyZone}: after the loss of any one, the others keep their routes;
findings [{severity, code, message, action, objects}].

Exit code 0: nothing is broken now. 1: a pair of nodes has no route, or BIRD would
refuse a configuration. 2: the input cannot be used.`,
		Example: `  kubectl get nodes,bgppeers,bgpconfigurations,bgpfilters,ippools -o yaml | tapetum verify --from -
  tapetum verify --context production -o json`,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML)
	input.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		report := bgp.Build(network(cluster)).Report(reportOptions(cluster))
		err = output.show(cmd.OutOrStdout(), report, func(w io.Writer) error { return printReport(w, &report) })
		if err == nil && broken(&report) {
			err = &exitError{code: exitFindings}
		}
		return err
	}
	return cmd
}

// broken tells whether there is a finding of severity error.
func broken(report *bgp.Report) bool {
	for _, finding := range report.Findings {
		if finding.Severity == bgp.SeverityError {
			return true
		}
	}
	return false
}

func printReport(w io.Writer, r *bgp.Report) error {
	if err := printTable(w, reportRows(r)); err != nil {
		return err
	}
	return printFindings(w, r.Findings)
}

func reportRows(r *bgp.Report) [][]string {
	rows := [][]string{
		{"Cluster", fmt.Sprintf("%s, topology %s", counted(r.Nodes, "node"), r.Topology)},
		{"Route reflectors", reflectorsText(r)},
		{"BGP sessions", sessionsText(r)},
		{"Paths a route", pathsText(r)},
		{"Routes", routesText(r)},
	}
	if r.Reflectors > 0 {
		rows = append(rows, []string{"Any one reflector lost", survives(r, r.Robust.AnyReflector)})
	}
	return append(rows, []string{"Any one zone lost", survives(r, r.Robust.AnyZone)})
}

func reflectorsText(r *bgp.Report) string {
	if r.Reflectors == 0 {
		return "none; " + counted(r.BGPPeers, "BGPPeer")
	}
	return fmt.Sprintf("%d with %s; %s", r.Reflectors, counted(r.ClusterIDs, "cluster ID"), counted(r.BGPPeers, "BGPPeer"))
}

func sessionsText(r *bgp.Report) string {
	text := fmt.Sprintf("%d", r.Sessions.Total)
	switch {
	case r.Reflectors == 0:
		return fmt.Sprintf("%s; at most %d a node", text, r.Sessions.PerClientMax)
	case r.Sessions.PerReflectorMin == r.Sessions.PerReflectorMax:
		text += fmt.Sprintf("; %d a reflector", r.Sessions.PerReflectorMax)
	default:
		text += fmt.Sprintf("; %d to %d a reflector", r.Sessions.PerReflectorMin, r.Sessions.PerReflectorMax)
	}
	return fmt.Sprintf("%s, at most %d a client", text, r.Sessions.PerClientMax)
}

func pathsText(r *bgp.Report) string {
	if r.PathsCapped {
		return fmt.Sprintf("more than %d on one node", r.PathsPerRouteMax)
	}
	return fmt.Sprintf("at most %d on one node", r.PathsPerRouteMax)
}

func routesText(r *bgp.Report) string {
	if r.Visibility.Complete {
		return "complete: every node has a route to every other"
	}
	return fmt.Sprintf("MISSING for %s", counted(r.Visibility.MissingPairs, "ordered pair")+" of nodes")
}

func survives(r *bgp.Report, ok bool) string {
	switch {
	case ok:
		return "every other node keeps its routes"
	case !r.Visibility.Complete:
		return "routes are missing already"
	}
	return "ROUTES WOULD BE LOST"
}

func printFindings(w io.Writer, findings []bgp.Finding) error {
	if len(findings) == 0 {
		_, err := fmt.Fprintln(w, "\nNo findings.")
		return err
	}
	for _, finding := range findings {
		label := "Warning"
		if finding.Severity == bgp.SeverityError {
			label = "ERROR"
		}
		text := fmt.Sprintf("\n%s %s\n%s\n", label, finding.Code, wrap("  ", finding.Message))
		if len(finding.Objects) > 0 {
			text += wrap("  ", "Objects: "+few(finding.Objects, 6)) + "\n"
		}
		if finding.Action != "" {
			text += wrap("  ", "To do: "+finding.Action) + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
