package tagfilter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/topology"
)

// How calico-node's pods are told from others. In other namespaces anybody could
// run one with these marks.
const (
	AgentLabel      = "k8s-app"
	AgentLabelValue = "calico-node"
	AgentContainer  = "calico-node"
)

// AgentNamespaces are where calico-node runs: installed by manifest, by operator.
var AgentNamespaces = []string{"calico-system", "kube-system"}

// Agent is a calico-node that runs on a node.
type Agent struct{ Node, Image string }

// Agents is what is known of calico-node on all nodes.
type Agents struct {
	// Nodes on which every calico-node is new enough.
	Nodes map[string]bool
	// Why names the others, a few of each kind; "" when there are none.
	Why string
}

// named is how many nodes are named for each reason.
const named = 3

// JudgeAgents tells on which nodes calico-node can do the tag filter. Where there are
// two on one node, as during an update, both must.
func JudgeAgents(agents []Agent) Agents {
	out := Agents{Nodes: make(map[string]bool, len(agents))}
	old, unknown := map[string]string{}, map[string]string{}
	for _, agent := range agents {
		version, err := calico.ParseVersion(imageTag(agent.Image))
		switch {
		case err != nil:
			unknown[agent.Node] = agent.Image
		case !version.AtLeast(calico.TagFilterRelease):
			old[agent.Node] = version.String()
		default:
			if _, seen := out.Nodes[agent.Node]; !seen {
				out.Nodes[agent.Node] = true
			}
			continue
		}
		out.Nodes[agent.Node] = false
	}
	var why []string
	if len(old) > 0 {
		why = append(why, fmt.Sprintf("calico-node is older than %s on %s", calico.TagFilterRelease, sample(old)))
	}
	if len(unknown) > 0 {
		why = append(why, "the image of calico-node does not tell its version on "+sample(unknown))
	}
	out.Why = strings.Join(why, "; ")
	return out
}

// sample names a few nodes and counts the others.
func sample(nodes map[string]string) string {
	names := slices.Sorted(maps.Keys(nodes))
	var parts []string
	for _, name := range names[:min(named, len(names))] {
		parts = append(parts, fmt.Sprintf("%s (%s)", name, nodes[name]))
	}
	text := strings.Join(parts, ", ")
	if more := len(names) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// imageTag is the tag in the name of an image; "" where it has none, or a digest only.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := image[strings.LastIndex(image, "/")+1:]
	_, tag, _ := strings.Cut(name, ":")
	return tag
}

// Facts are all that decides.
type Facts struct {
	// Problem is what stands against it beyond versions (a schema that lacks a field,
	// fields that were dropped, facts that may not be read); "" for nothing.
	Problem string
	// CalicoVersion is ClusterInformation's; "" where there is none.
	CalicoVersion string
	Agents        Agents
}

// Support puts the facts together.
func Support(facts Facts) topology.TagFilterSupport {
	why := facts.Against()
	if why == "" && len(facts.Agents.Nodes) == 0 {
		why = fmt.Sprintf("no pod with the label %s=%s was found in the namespaces %s", AgentLabel, AgentLabelValue, strings.Join(AgentNamespaces, " and "))
	}
	if why != "" {
		return topology.TagFilterSupport{Why: why}
	}
	return topology.TagFilterSupport{Cluster: true, Why: facts.Agents.Why, Nodes: facts.Agents.Nodes}
}

// Against says what stands against it, whatever runs on the nodes; "" for nothing.
func (f *Facts) Against() string {
	if f.Problem != "" {
		return f.Problem
	}
	if f.CalicoVersion == "" {
		return "ClusterInformation does not tell the version of Calico"
	}
	version, err := calico.ParseVersion(f.CalicoVersion)
	if err != nil {
		return "ClusterInformation does not tell the version of Calico: " + err.Error()
	}
	if !version.AtLeast(calico.TagFilterRelease) {
		return fmt.Sprintf("Calico is %s, and %s is needed", version, calico.TagFilterRelease)
	}
	return ""
}
