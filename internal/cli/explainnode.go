package cli

import (
	"fmt"
	"io"
	"slices"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/dump"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// nodeStory is what explain node tells.
type nodeStory struct {
	Node      string `json:"node"`
	Zone      string `json:"zone"`
	Reflector bool   `json:"reflector"`
	// Why it is or is not a reflector now.
	Why string `json:"why"`
	// Ineligible says why the policy would not have it as a reflector; "" when it would.
	Ineligible string `json:"ineligible,omitempty"`
	// Plan says what the policy makes of it.
	Plan     string         `json:"plan"`
	Sessions []sessionStory `json:"sessions"`
}

type sessionStory struct {
	Family    string `json:"family"`
	Remote    string `json:"remote"`
	RemoteIP  string `json:"remoteIP"`
	Name      string `json:"name"`
	Client    bool   `json:"client,omitempty"`
	EBGP      bool   `json:"ebgp,omitempty"`
	Ambiguous bool   `json:"ambiguous,omitempty"`
}

func explainNode(c *dump.Cluster, node *inventory.Node, now time.Time) (*nodeStory, error) {
	policy := policyOf(c)
	rules, err := inventory.NewRules(policy.Placement, inventory.Survey(c.Nodes, calico.GlobalAS(c.Configurations)))
	if err != nil {
		return nil, err
	}
	told := &nodeStory{Node: node.Name, Zone: node.Labels[policy.ZoneLabel], Sessions: []sessionStory{}}
	_, ours := node.Labels[v1alpha1.ReflectorLabel]
	_, told.Reflector, err = calico.ParseClusterID(node.ClusterID)
	told.Why = whyReflector(node, told.Reflector, ours, err)
	if ours {
		told.Ineligible, _ = rules.Unkeepable(node, now)
	} else {
		told.Ineligible = rules.Ineligible(node)
	}
	told.Plan = whatIsPlanned(c, policy, node.Name, now)
	for _, s := range bgp.Build(network(c)).SessionsOf(node.Name) {
		told.Sessions = append(told.Sessions, sessionStory{
			Family: s.Family.String(), Remote: s.Remote, RemoteIP: s.RemoteIP.String(), Name: s.Name(),
			Client: s.Client, EBGP: s.EBGP, Ambiguous: s.Ambiguous,
		})
	}
	return told, nil
}

// whyReflector explains a role by the node's keys.
func whyReflector(node *inventory.Node, reflector, ours bool, bad error) string {
	switch {
	case reflector && ours:
		return fmt.Sprintf("Tapetum gave it the role: cluster ID %s", node.ClusterID)
	case reflector:
		return fmt.Sprintf("somebody gave it the cluster ID %s; it is no reflector of Tapetum's", node.ClusterID)
	case bad != nil:
		return bad.Error()
	case ours:
		return "it has Tapetum's label and no cluster ID: somebody removed the annotation " + v1alpha1.ClusterIDAnnotation
	}
	return "it has no cluster ID (annotation " + v1alpha1.ClusterIDAnnotation + ")"
}

// whatIsPlanned says what the policy makes of a node. The load of nodes is not
// known here, so among equals another may be chosen in the end.
func whatIsPlanned(c *dump.Cluster, policy v1alpha1.RouteReflectorAutoscalerSpec, name string, now time.Time) string {
	request := planRequest(c, policy, now)
	plan := topology.Make(request)
	var others []string
	for _, reflector := range plan.Reflectors {
		others = append(others, reflector.Node)
	}
	switch {
	case plan.Has(name) && slices.Contains(request.Standing, name):
		return "stays a route reflector"
	case plan.Has(name):
		return "is to become a route reflector"
	case plan.Leaving[name] != "":
		return "is to lose the role: " + plan.Leaving[name]
	case len(others) == 0:
		return "no node is to be a route reflector: the goal is the mesh"
	}
	return fmt.Sprintf("not needed: %s (%s)", counted(len(others), "other"), few(others, 5))
}

// sessionsShown is how many sessions are listed without --all.
const sessionsShown = 20

func (n *nodeStory) print(w io.Writer, all bool) error {
	role := "no route reflector"
	if n.Reflector {
		role = "route reflector"
	}
	zone := n.Zone
	if zone == "" {
		zone = "(none)"
	}
	rows := [][]string{{"Node", n.Node}, {"Zone", zone}, {"Role", role}, {"Because", n.Why}}
	fit := "can be a route reflector"
	if n.Ineligible != "" {
		fit = "cannot be a route reflector: it " + n.Ineligible
	}
	rows = append(rows, []string{"By the policy", fit}, []string{"In the plan", n.Plan}, []string{"BGP sessions", fmt.Sprint(len(n.Sessions))})
	if err := printTable(w, rows); err != nil || len(n.Sessions) == 0 {
		return err
	}
	table := [][]string{{"FAMILY", "WITH", "ADDRESS", "NAME IN BIRD", "REMARKS"}}
	shown := n.Sessions
	if !all && len(shown) > sessionsShown {
		shown = shown[:sessionsShown]
	}
	for _, s := range shown {
		table = append(table, []string{s.Family, s.Remote, s.RemoteIP, s.Name, s.remarks()})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := printTable(w, table); err != nil {
		return err
	}
	if left := len(n.Sessions) - len(shown); left > 0 {
		_, err := fmt.Fprintf(w, "… and %d more (--all lists them)\n", left)
		return err
	}
	return nil
}

func (s sessionStory) remarks() string {
	text := ""
	if s.Client {
		text = "its client"
	}
	if s.EBGP {
		text += " external BGP"
	}
	if s.Ambiguous {
		text += " options change at random: two BGPPeers cover it"
	}
	if text == "" {
		return "-"
	}
	return text
}
