package render

import (
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// reflectors finds the nodes with our role. Any label of it tells: who has lost the
// tier's, and serves a group, still is the other end of clients' sessions. One with the
// cluster ID only counts when a pin or a status of ours speaks of it; not every
// reflector has a status where there are many.
func reflectors(nodes []inventory.Node, pins []Pinned, statuses []calico.CalicoNodeStatus) []string {
	spokenOf := map[string]bool{}
	for _, pin := range pins {
		spokenOf[pin.Senior], spokenOf[pin.Junior] = true, true
	}
	for i := range statuses {
		if calico.ManagedByUs(&statuses[i]) {
			spokenOf[statuses[i].Spec.Node] = true
		}
	}
	var found []*inventory.Node
	for i := range nodes {
		node := &nodes[i]
		if hasRoleLabel(node) || (node.ClusterID != "" && spokenOf[node.Name]) {
			found = append(found, node)
		}
	}
	slices.SortFunc(found, func(a, b *inventory.Node) int {
		if older := a.Created.Compare(b.Created); older != 0 {
			return older
		}
		return strings.Compare(a.Name, b.Name)
	})
	names := make([]string, len(found))
	for i, node := range found {
		names[i] = node.Name
	}
	return bySeniority(names, pins)
}

func hasRoleLabel(node *inventory.Node) bool {
	for key := range node.Labels {
		if IsRoleLabel(key) {
			return true
		}
	}
	return false
}

// bySeniority sorts nodes so that the senior of every pin comes before its
// junior; nodes that no pin orders stay in the order given, the oldest first.
func bySeniority(names []string, pins []Pinned) []string {
	seniors := map[string]map[string]bool{}
	for _, pin := range pins {
		if slices.Contains(names, pin.Senior) && slices.Contains(names, pin.Junior) {
			if seniors[pin.Junior] == nil {
				seniors[pin.Junior] = map[string]bool{}
			}
			seniors[pin.Junior][pin.Senior] = true
		}
	}
	var out []string
	left := slices.Clone(names)
	for len(left) > 0 {
		// The one with the fewest seniors left; 0 but where pins form a circle.
		next := 0
		for i, name := range left {
			if len(seniors[name]) < len(seniors[left[next]]) {
				next = i
			}
		}
		name := left[next]
		left = slices.Delete(left, next, next+1)
		for _, other := range left {
			delete(seniors[other], name)
		}
		out = append(out, name)
	}
	return out
}
