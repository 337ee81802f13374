package bgp

// Names of the shapes that Shape tells apart.
const (
	ShapeMesh      = "Mesh"
	ShapeSingle    = "Single"
	ShapeMulti     = "Multi"
	ShapeQuorum    = "Quorum"
	ShapeHierarchy = "Hierarchy"
	ShapeCustom    = "Custom"
	ShapeNone      = "None"
)

// Shape names what the sessions look like: the topology of that name in Tapetum,
// Custom for another use of reflectors, None where there is neither a reflector
// nor the mesh.
func (n *Network) Shape() string {
	ids := n.clusterIDs()
	switch {
	case len(ids) == 0 && n.view.mesh.on:
		return ShapeMesh
	case len(ids) == 0:
		return ShapeNone
	case len(ids) == 1:
		return n.oneClusterShape()
	case n.hasSpine(ids):
		return ShapeHierarchy
	}
	for _, classes := range ids {
		if len(classes) > 1 {
			return ShapeCustom
		}
	}
	return ShapeMulti
}

// oneClusterShape: every client with all reflectors, or any two with one in
// common.
func (n *Network) oneClusterShape() string {
	var homes []set
	reflectors := len(n.Reflectors())
	single := true
	for c := range int32(n.roles.count()) {
		if node := n.d.node(c); !node.present || node.cluster != nowhere {
			continue
		}
		h, count := n.homesOf(c)
		homes = append(homes, h)
		single = single && count == reflectors
	}
	if single {
		return ShapeSingle
	}
	for i := range homes {
		for j := range i {
			if !homes[i].meets(homes[j]) {
				return ShapeCustom
			}
		}
	}
	return ShapeQuorum
}

// homesOf are the reflectors that a class has sessions with in any family.
func (n *Network) homesOf(c int32) (set, int) {
	homes, count := newSet(n.roles.count()), 0
	for f := range families {
		for i := range n.graphs[f].edges[c] {
			to := n.graphs[f].edges[c][i].to
			if n.d.node(to).cluster != nowhere && !homes.has(to) {
				homes.add(to)
				count++
			}
		}
	}
	return homes, count
}

func (s set) meets(other set) bool {
	for i := range s {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// hasSpine tells whether reflectors of one ID join those of all others, which are
// not joined otherwise, and have no clients besides.
func (n *Network) hasSpine(ids map[int32][]int32) bool {
	spines := 0
	for id, classes := range ids {
		spine := true
		for _, c := range classes {
			for f := range families {
				for i := range n.graphs[f].edges[c] {
					to := n.d.node(n.graphs[f].edges[c][i].to)
					spine = spine && to.cluster != nowhere
				}
			}
		}
		if spine && n.joins(id, ids) {
			spines++
		}
	}
	return spines == 1
}

// joins tells whether the reflectors of other IDs have sessions across IDs with
// this one only.
func (n *Network) joins(spine int32, ids map[int32][]int32) bool {
	for id, classes := range ids {
		if id == spine {
			continue
		}
		for _, c := range classes {
			joined := false
			for f := range families {
				for i := range n.graphs[f].edges[c] {
					to := n.d.node(n.graphs[f].edges[c][i].to).cluster
					if to != nowhere && to != id && to != spine {
						return false
					}
					joined = joined || to == spine
				}
			}
			if !joined {
				return false
			}
		}
	}
	return true
}
