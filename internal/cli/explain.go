package cli

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/dump"
	"tapetum.dev/tapetum/internal/inventory"
)

func init() { register(newExplainCommand) }

func newExplainCommand() *cobra.Command {
	return family(&cobra.Command{
		Use:   "explain",
		Short: "Say why this topology, why a node is or is not a route reflector, how a route gets from one node to another, or what holds a rollout",
	}, newExplainTopologyCommand(), newExplainNodeCommand(), newExplainPairCommand(), newExplainBrakesCommand())
}

func newExplainTopologyCommand() *cobra.Command {
	var input inputFlags
	var policyFile policyFlag
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Say which topology the policy makes of the cluster, why, and from how many nodes on another",
		Long: `Says which topology the policy (that of --policy, else the one in the input, else the
defaults) makes of the cluster, and why; what each of the others would be and cost, or
why it cannot be; and at how many nodes Auto would change to another.
` + inputHelp + `

Costs are milliseconds of CPU on every node for a change of one node; what they are
made of is in docs/policy.md.`,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML)
	input.add(cmd)
	policyFile.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		policy, err := policyFile.read()
		if err != nil {
			return err
		}
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		spec := policyOf(cluster)
		if policy != nil {
			spec = policy.Spec.WithDefaults()
		}
		told, err := explainTopology(cluster, spec, time.Now())
		if err != nil {
			return err
		}
		return output.show(cmd.OutOrStdout(), told, told.print)
	}
	return cmd
}

func newExplainNodeCommand() *cobra.Command {
	var input inputFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "node NAME",
		Short: "Say why a node is or is not a route reflector, and which BGP sessions it has",
		Long: `Says what a node is, whether it could be a route reflector by the policy in the
input (else by the defaults), and which BGP sessions it is configured to have.
` + inputHelp,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML)
	input.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "list all sessions, however many")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		node, err := findNode(cluster, args[0])
		if err != nil {
			return err
		}
		told, err := explainNode(cluster, node, time.Now())
		if err != nil {
			return err
		}
		return output.show(cmd.OutOrStdout(), told, func(w io.Writer) error { return told.print(w, all) })
	}
	return cmd
}

func newExplainPairCommand() *cobra.Command {
	var input inputFlags
	cmd := &cobra.Command{
		Use:   "pair FROM TO",
		Short: "Say by which route reflectors a route gets from one node to another",
		Long: `Follows the routes of FROM's address blocks to TO, in each address family: over which
route reflectors they arrive, or why they do not.
` + inputHelp + `

Exit code 0: TO has a route in every family that both speak. 1: it has none.
2: the input cannot be used.`,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML)
	input.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		for _, name := range args {
			if _, err := findNode(cluster, name); err != nil {
				return err
			}
		}
		if args[0] == args[1] {
			return fmt.Errorf("%s and %s are the same node: name two", args[0], args[1])
		}
		told := explainPair(cluster, args[0], args[1])
		err = output.show(cmd.OutOrStdout(), told, told.print)
		if err == nil && told.missing() {
			err = &exitError{code: exitFindings}
		}
		return err
	}
	return cmd
}

func findNode(c *dump.Cluster, name string) (*inventory.Node, error) {
	i := slices.IndexFunc(c.Nodes, func(n inventory.Node) bool { return n.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no node %q among the %d in the input", name, len(c.Nodes))
	}
	return &c.Nodes[i], nil
}

// familiesOf are the address families in which two nodes both have an address.
func familiesOf(a, b *inventory.Node) []bgp.Family {
	var out []bgp.Family
	if a.IPv4.IsValid() && b.IPv4.IsValid() {
		out = append(out, bgp.IPv4)
	}
	if a.IPv6.IsValid() && b.IPv6.IsValid() {
		out = append(out, bgp.IPv6)
	}
	return out
}
