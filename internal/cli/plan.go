package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/dump"
	"tapetum.dev/tapetum/internal/replan"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

func init() { register(newPlanCommand) }

func newPlanCommand() *cobra.Command {
	var input inputFlags
	var policyFile policyFlag
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "List the steps by which a cluster would get from what stands to what a policy asks for",
		Long: `Lists, without writing anything, every write that the controller would make, in order:
why, what it waits for, and whose own routes it interrupts. It assumes that all BGP
sessions that should come up do. The policy is that of --policy, else the one in the
input, else the defaults.
` + inputHelp + `

"-o yaml" prints the objects as they are at the end: of nodes only what Tapetum sets.

Exit code 0: the plan is printed, also where something holds it up that a person must
mend ("reached": false in JSON). 2: the input cannot be used.`,
		Example: `  tapetum plan --from cluster.yaml --policy rra.yaml`,
		Args:    wants,
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
		start := standing(cluster, policy)
		way := replan.Find(start, time.Now())
		return printWay(cmd.OutOrStdout(), output.value, start, &way)
	}
	return cmd
}

// standing is the cluster that a plan starts from. A policy given takes the place
// of the one in the cluster, but for what Tapetum has noted on that.
func standing(c *dump.Cluster, policy *v1alpha1.RouteReflectorAutoscaler) replan.Cluster {
	autoscaler := c.Autoscaler
	if autoscaler == nil {
		autoscaler = &v1alpha1.RouteReflectorAutoscaler{}
	}
	if policy != nil {
		autoscaler = autoscaler.DeepCopy()
		autoscaler.Spec = policy.Spec
	}
	out := replan.Cluster{
		Autoscaler: autoscaler, Nodes: c.Nodes, Peers: c.Peers, Configurations: c.Configurations,
		Filters: c.Filters, Statuses: c.Statuses, DatastoreReady: c.DatastoreReady(), TagFilter: c.TagFilter,
	}
	if c.Blocks != nil {
		out.Idle = func(node string) bool { return len(c.Blocks[node]) == 0 }
	}
	return out
}

// planOutput is the JSON of a plan.
type planOutput struct {
	From    planState  `json:"from"`
	To      planState  `json:"to"`
	Reached bool       `json:"reached"`
	Held    string     `json:"held,omitempty"`
	Trouble string     `json:"trouble,omitempty"`
	Steps   []planStep `json:"steps"`
}

// planState says in numbers what stands.
type planState struct {
	Topology   v1alpha1.Topology `json:"topology"`
	Nodes      int               `json:"nodes"`
	Reflectors []string          `json:"reflectors"`
	Mesh       string            `json:"mesh"`
}

type planStep struct {
	Number   int            `json:"number"`
	Action   rollout.Action `json:"action"`
	Object   string         `json:"object"`
	Why      string         `json:"why"`
	WaitsFor string         `json:"waitsFor,omitempty"`
	Costs    []string       `json:"costs,omitempty"`
	Proof    string         `json:"proof,omitempty"`
}

func printWay(w io.Writer, format string, start replan.Cluster, way *replan.Way) error {
	switch format {
	case formatYAML:
		return printObjects(w, way)
	case formatJSON:
		return printData(w, format, describeWay(start, way))
	}
	out := describeWay(start, way)
	text := fmt.Sprintf("From  %s\nTo    %s\n", out.From, out.To)
	for i := range out.Steps {
		text += stepText(&out.Steps[i], &way.Steps[i])
	}
	switch {
	case !out.Reached:
		text += "\nHELD\n" + wrap("  ", out.Held) + "\n"
	case len(out.Steps) == 0:
		text += "\nNothing to do.\n"
	}
	if out.Trouble != "" {
		text += "\nNeeds attention\n" + wrap("  ", out.Trouble) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func describeWay(start replan.Cluster, way *replan.Way) planOutput {
	out := planOutput{
		From: stateOf(start, way.Status.Nodes), To: stateOf(way.Final, way.Status.Nodes),
		Reached: way.Reached, Held: way.Held, Steps: []planStep{},
	}
	for _, c := range way.Status.Conditions {
		if c.Type == v1alpha1.ConditionDegraded && c.Status == "True" {
			out.Trouble = unsaid(way.Held, c.Message)
		}
	}
	for i := range way.Steps {
		step := &way.Steps[i]
		out.Steps = append(out.Steps, planStep{
			Number: step.Number, Action: step.Action, Object: step.Object, Why: step.Why,
			WaitsFor: waitsFor(step), Costs: step.Costs, Proof: step.Proof,
		})
	}
	return out
}

// unsaid is the message without what holds the plan up, which has been told already.
func unsaid(held, message string) string {
	parts := strings.Split(message, held)
	if held == "" || len(parts) != 2 {
		return message
	}
	before, after := strings.TrimSuffix(parts[0], ". "), strings.TrimPrefix(parts[1], ". ")
	if before != "" && after != "" {
		before += ". "
	}
	return before + after
}

func stateOf(c replan.Cluster, nodes int32) planState {
	state := planState{
		Topology: topologyOf(c), Nodes: int(nodes), Reflectors: reflectorsOf(c), Mesh: v1alpha1.MeshOff,
	}
	if calico.MeshEnabled(c.Configurations) {
		state.Mesh = v1alpha1.MeshOn
	}
	return state
}

// topologyOf is told by the tiers of the reflectors that stand. The spine of a
// Hierarchy has the tier of Single, so that the others are asked for first.
func topologyOf(c replan.Cluster) v1alpha1.Topology {
	tiers := map[string]bool{}
	for i := range c.Nodes {
		if tier, ok := c.Nodes[i].Labels[v1alpha1.ReflectorLabel]; ok {
			tiers[tier] = true
		}
	}
	switch {
	case len(tiers) == 0:
		return v1alpha1.TopologyMesh
	case tiers[topology.TierRack]:
		return v1alpha1.TopologyHierarchy
	case tiers[topology.TierMulti]:
		return v1alpha1.TopologyMulti
	case tiers[topology.TierQuorum]:
		return v1alpha1.TopologyQuorum
	}
	return v1alpha1.TopologySingle
}

// reflectorsOf are the nodes with Tapetum's role, by name.
func reflectorsOf(c replan.Cluster) []string {
	out := []string{}
	for i := range c.Nodes {
		if _, ok := c.Nodes[i].Labels[v1alpha1.ReflectorLabel]; ok {
			out = append(out, c.Nodes[i].Name)
		}
	}
	return out
}

func (s planState) String() string {
	text := fmt.Sprintf("%s, ", counted(s.Nodes, "node"))
	if len(s.Reflectors) == 0 {
		text += "no route reflector of Tapetum's"
	} else {
		text += fmt.Sprintf("%s (%s)", counted(len(s.Reflectors), "route reflector"), few(s.Reflectors, 5))
	}
	return text + ", node-to-node mesh " + strings.ToLower(s.Mesh)
}

// waitsFor says what must be seen before the step is taken.
func waitsFor(step *replan.Step) string {
	switch step.Awaited {
	case "":
		return ""
	case rollout.ReasonSettling, rollout.ReasonSessions:
		_, settle, _ := strings.Cut(step.AwaitedWhat, " waits ")
		if settle == "" {
			return "every session of every route reflector seen up"
		}
		return "every session of every route reflector seen up, then " + settle
	case rollout.ReasonNotProved:
		return "the sessions of the route reflectors that stand seen up"
	}
	return step.AwaitedWhat
}

func stepText(step *planStep, full *replan.Step) string {
	text := fmt.Sprintf("\n%3d. %s\n%s\n", step.Number, strings.TrimSuffix(full.String(), ": "+full.Why), wrap("     ", step.Why))
	if step.WaitsFor != "" {
		text += wrap("     ", "waits for: "+step.WaitsFor) + "\n"
	}
	if len(step.Costs) > 0 {
		text += wrap("     ", "interrupts for seconds: routes from and to "+few(step.Costs, 5)) + "\n"
	}
	return text
}
