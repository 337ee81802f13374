package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// calico-node updates a node by what it has read of it before: a cluster ID that has
// been taken away in between comes back. Then the node is outside the mesh, and nobody's
// reflector. That the ID was ours only our own memory tells: the annotation is
// calico-node's now.

// leftFor is for how long a cluster ID that comes back on a node is known to be what we
// have taken from it. calico-node writes what it read seconds ago; after an outage of
// the API server, minutes.
const leftFor = 15 * time.Minute

// clockLeft plus a node and its cluster ID: when both were parted by us.
const clockLeft = "Left/"

func leftClock(node, id string) string { return clockLeft + node + "/" + id }

// recallLeft keeps in mind which IDs were taken from which nodes. It is forgotten with
// the next such step, so that time alone changes nothing in the status.
func (s *state) recallLeft() {
	for name := range s.oldClocks() {
		if strings.HasPrefix(name, clockLeft) {
			s.keep(name)
		}
	}
}

// noteLeft notes that a step takes the cluster ID from a node.
func (s *state) noteLeft(step *Step) {
	if step.Action != ClearRole {
		return
	}
	for name, at := range s.clocks {
		if strings.HasPrefix(name, clockLeft) && s.in.Now.Sub(at) > leftFor {
			delete(s.clocks, name)
		}
	}
	node := s.nodes[step.Role.Node]
	if node != nil && node.ClusterID != "" {
		s.clocks[leftClock(node.Name, node.ClusterID)] = s.in.Now
	}
}

// dropLeftIDs takes a cluster ID away again that came back after its role had gone.
func (s *state) dropLeftIDs() *verdict {
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if !s.foreign(node) {
			continue
		}
		at, left := s.clocks[leftClock(node.Name, node.ClusterID)]
		if !left || s.in.Now.Sub(at) > leftFor || s.othersPeerWith(node.Name) {
			continue
		}
		role := s.asItStands(node.Name)
		role.ClusterID, role.LeftID = "", node.ClusterID
		v := s.add(&Step{
			Action: ClearRole, Object: nodeObject(node.Name), Role: role, Repair: true, Costs: []string{node.Name},
			Why: fmt.Sprintf("its cluster ID %s, which went with the role, has come back: calico-node has written what it had read before", node.ClusterID),
		})
		if v.step != nil {
			return v // else the rest must not wait for it
		}
	}
	return nil
}

// othersPeerWith: a BGPPeer of somebody else's gives the node a session with another node.
// Then it may well be a reflector of theirs, with the ID that Calico's guide has too.
func (s *state) othersPeerWith(name string) bool {
	foreign := slices.DeleteFunc(slices.Clone(s.in.Peers), func(peer calico.BGPPeer) bool { return calico.ManagedByUs(&peer) })
	return len(foreign) > 0 && len(s.networkOf(foreign).SessionsOf(name)) > 0
}

// foreign: the node has a cluster ID, and nothing of a role of ours.
func (s *state) foreign(node *inventory.Node) bool {
	return node.ClusterID != "" && !node.Deleting && !slices.Contains(s.standing.Reflectors, node.Name)
}

// foreignIDTroubles tells of nodes with a cluster ID that is not ours to take away, and
// that does harm: the node is outside the mesh by it, and lacks routes.
func (s *state) foreignIDTroubles() []trouble {
	var harmed []string
	for i := range s.in.Nodes {
		node := &s.in.Nodes[i]
		if node.HasBGP() && s.foreign(node) && !s.seen.Down[node.Name] && len(s.network.SessionsOf(node.Name)) == 0 {
			harmed = append(harmed, node.Name)
		}
	}
	if len(harmed) == 0 {
		return nil
	}
	return []trouble{{ReasonForeignID, fmt.Sprintf(
		"%s with a cluster ID that is not Tapetum's and without any session (%s): it keeps a node out of the mesh. Where it is not meant as somebody's own route reflector, take the annotation away: kubectl annotate node %s %s-",
		plural(len(harmed), "node"), names(harmed), harmed[0], v1alpha1.ClusterIDAnnotation)}}
}
