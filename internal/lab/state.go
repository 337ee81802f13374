package lab

import (
	"context"
	"slices"
	"time"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

// NodeState is one node of the lab.
type NodeState struct {
	Name, Zone               string
	CalicoVersion            string
	ClusterID                string // "" where it is no reflector
	Ready, Powered, Cordoned bool
	ControlPlane, Reflector  bool
	Created                  time.Time
}

// State is the lab at one moment.
type State struct {
	// Nodes, sorted by name.
	Nodes []NodeState
	// MeshOn: Calico's node-to-node mesh.
	MeshOn bool
	// SessionsUp of SessionsConfigured, between running nodes.
	SessionsUp, SessionsConfigured int
	// MissingPairs of running nodes have no route to each other; Sample holds
	// some of them.
	MissingPairs int
	Sample       []fabric.Pair
	// Lost since the last ResetAccount.
	Lost fabric.Account
	// Busy: the sessions or routes are still changing by themselves.
	Busy bool
}

// Reflectors returns the names of the nodes that are reflectors.
func (s *State) Reflectors() []string {
	return s.Names(func(n *NodeState) bool { return n.Reflector })
}

// Names returns the names of the nodes that match, sorted.
func (s *State) Names(match func(*NodeState) bool) []string {
	var names []string
	for i := range s.Nodes {
		if match(&s.Nodes[i]) {
			names = append(names, s.Nodes[i].Name)
		}
	}
	return names
}

// State reports the lab as it is now.
func (c *Cluster) State(ctx context.Context) (State, error) {
	resources, _, err := c.read(ctx)
	if err != nil {
		return State{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := State{MeshOn: calico.MeshEnabled(resources.Configurations), Lost: c.fabric.Account()}
	for i := range resources.Nodes {
		s.Nodes = append(s.Nodes, c.nodeState(&resources.Nodes[i]))
	}
	slices.SortFunc(s.Nodes, func(a, b NodeState) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	s.SessionsUp, s.SessionsConfigured = c.fabric.SessionCounts()
	s.MissingPairs, s.Sample = c.fabric.MissingPairs()
	_, s.Busy = c.fabric.NextEvent()
	return s, nil
}

func (c *Cluster) nodeState(n *inventory.Node) NodeState {
	m := c.machines[n.Name]
	id, reflector, _ := calico.ParseClusterID(n.ClusterID)
	_, controlPlane := n.Labels[controlPlaneLabel]
	s := NodeState{
		CalicoVersion: c.versionOf(n.Name),
		Name:          n.Name, Zone: n.Labels[zoneLabel], Ready: n.Ready, Powered: m != nil && m.powered,
		Cordoned: n.Unschedulable, ControlPlane: controlPlane, Reflector: reflector, Created: n.Created,
	}
	if reflector {
		s.ClusterID = id.String()
	}
	return s
}

// Account returns what was lost since the last ResetAccount.
func (c *Cluster) Account() fabric.Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fabric.Account()
}
