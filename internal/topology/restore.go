package topology

import (
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

// restored returns the nodes with those labels of ours that somebody has removed by
// hand and that the other labels tell: a client's home, a reflector's tier, and which
// part of a rack it is for. So what is planned is to write them again, and not to
// choose anew. The nodes given are not changed.
func restored(request Request) []inventory.Node {
	r := restorer{request: request, standing: set(request.Standing), nodes: request.Nodes, mates: map[string][]string{}, points: map[string]map[string]bool{}}
	for i := range request.Nodes {
		r.read(&request.Nodes[i])
	}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if home, ok := lostHome(node); ok {
			r.write(i, v1alpha1.HomeLabel, home)
		}
		if !r.standing[node.Name] {
			continue
		}
		tier := tierOf(node)
		if _, has := node.Labels[v1alpha1.ReflectorLabel]; !has && len(servedBy(node)) > 0 {
			tier = r.tier(node)
			r.write(i, v1alpha1.ReflectorLabel, tier)
		}
		if tier == TierRack {
			r.restoreRack(i)
		}
		if tier == TierQuorum && !hasPoint(node) {
			r.pointless = append(r.pointless, i)
		}
	}
	r.restorePoint()
	return r.nodes
}

// restoreRack gives a reflector of a rack its part, and the groups of the others with the
// same cluster ID where it serves none.
func (r *restorer) restoreRack(i int) {
	node := &r.nodes[i]
	groups := servedBy(node)
	for _, group := range r.mates[r.unit(node)] {
		if len(groups) == 0 || strings.HasPrefix(group, partPrefix) && partOf(node) == 1 {
			r.write(i, v1alpha1.ServesLabelPrefix+group, "true")
		}
	}
}

// restorePoint gives a reflector of Quorum that has lost its point the only one that
// nobody has.
func (r *restorer) restorePoint() {
	if len(r.pointless) != 1 || len(r.points) != 1 {
		return
	}
	for i := range designs() {
		d := &designs()[i]
		held := r.points[d.name()]
		if len(held) != d.points-1 {
			continue
		}
		for point := range d.points {
			if name := pointName(d, point); !held[name] {
				r.write(r.pointless[0], v1alpha1.ServesLabelPrefix+name, "true")
			}
		}
	}
}

func hasPoint(node *inventory.Node) bool {
	return slices.ContainsFunc(servedBy(node), func(group string) bool { return strings.HasPrefix(group, pointPrefix) })
}

type restorer struct {
	request  Request
	standing map[string]bool
	nodes    []inventory.Node
	// own: the nodes are no longer those of the request.
	own bool
	// racks: there are reflectors of racks.
	racks bool
	// mates are the groups that the reflectors of one part of a rack serve, by the unit.
	mates map[string][]string
	// points that reflectors stand at, by the name of their design, and the reflectors
	// of Quorum that stand at none.
	points    map[string]map[string]bool
	pointless []int
}

// read notes what a reflector that has all its labels tells of others.
func (r *restorer) read(node *inventory.Node) {
	if !r.standing[node.Name] {
		return
	}
	for _, group := range servedBy(node) {
		if text, ok := strings.CutPrefix(group, pointPrefix); ok {
			design, _, _ := strings.Cut(text, ".")
			if r.points[design] == nil {
				r.points[design] = map[string]bool{}
			}
			r.points[design][group] = true
		}
	}
	if tierOf(node) != TierRack {
		return
	}
	r.racks = true
	if groups := servedBy(node); len(groups) > len(r.mates[r.unit(node)]) {
		r.mates[r.unit(node)] = groups
	}
}

// unit is what the reflectors of one part of a rack have in common.
func (r *restorer) unit(node *inventory.Node) string {
	label := r.request.Spec.RackLabel
	if label == "" {
		label = r.request.Spec.ZoneLabel
	}
	return node.ClusterID + " " + node.Labels[label]
}

// tier is that of a reflector which has lost the label: its cluster ID and the groups
// that it serves tell.
func (r *restorer) tier(node *inventory.Node) string {
	switch {
	case node.ClusterID == r.request.Spec.ClusterID && hasPoint(node):
		return TierQuorum
	case node.ClusterID == r.request.Spec.ClusterID || node.ClusterID == "":
		return TierCore
	case r.racks:
		return TierRack
	}
	return TierMulti
}

// lostHome is the home of a client that has only the label which says that it is
// settled there.
func lostHome(node *inventory.Node) (string, bool) {
	settled, ok := node.Labels[v1alpha1.SettledLabel]
	if _, has := node.Labels[v1alpha1.HomeLabel]; !ok || has || !usable(settled) || len(settled) > longestGroup {
		return "", false
	}
	return settled, true
}

func (r *restorer) write(i int, key, value string) {
	if !r.own {
		r.nodes, r.own = slices.Clone(r.nodes), true
	}
	labels := make(map[string]string, len(r.nodes[i].Labels)+1)
	maps.Copy(labels, r.nodes[i].Labels)
	labels[key] = value
	r.nodes[i].Labels = labels
}
