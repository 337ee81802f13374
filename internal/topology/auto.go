package topology

import (
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

const (
	// ClockTopology tells since when another topology would do better than the one in force.
	ClockTopology = "Topology"
	// dearer is by how many percent the topology in force may cost more than the
	// cheapest before Auto leaves it.
	dearer = 20
	// headroom is to how many percent of its size the cluster could grow before a
	// topology that Auto goes back to would be outgrown again: it goes back at 80 %
	// of the border at which it left.
	headroom = 125
)

// Option is a topology that Auto has weighed.
type Option struct {
	Topology v1alpha1.Topology
	// Reflectors in all; Homes is with how many a client peers.
	Reflectors, Homes int
	// Sessions is the most of any reflector, or node in the mesh; Paths for one route
	// that a client holds; BGPPeers of all kinds; Writes of labels on clients.
	Sessions, Paths, BGPPeers, Writes int
	// Cost in nanoseconds of CPU on every node, for a change of one node.
	Cost int64
	// Problem says why it cannot keep the promise; "" where it can.
	Problem string

	outgrown bool
}

// weigh lists the topologies for a cluster of so many nodes: the mesh, then the
// others in a fixed order.
func weigh(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, support TagFilterSupport) []Option {
	out := make([]Option, 0, 1+len(chosenByAuto))
	for _, topology := range append([]v1alpha1.Topology{v1alpha1.TopologyMesh}, chosenByAuto...) {
		s := shapeOf(topology, spec, c, support)
		option := Option{
			Topology: topology, Reflectors: s.reflectors, Homes: s.homes, Sessions: s.degree, Paths: s.paths,
			BGPPeers: s.peers, Writes: s.writes, Problem: s.problem, outgrown: s.outgrown,
		}
		if topology != v1alpha1.TopologyMesh {
			option.Cost = s.cost(c.nodes)
		}
		out = append(out, option)
	}
	return out
}

// ranked are the topologies with reflectors that keep the promise, the cheapest first.
func ranked(options []Option) []Option {
	var out []Option
	for _, option := range options {
		if option.Problem == "" && option.Topology != v1alpha1.TopologyMesh {
			out = append(out, option)
		}
	}
	slices.SortStableFunc(out, func(a, b Option) int {
		switch {
		case a.Cost < b.Cost:
			return -1
		case a.Cost > b.Cost:
			return 1
		}
		return 0
	})
	return out
}

func find(options []Option, topology v1alpha1.Topology) Option {
	for _, option := range options {
		if option.Topology == topology {
			return option
		}
	}
	return Option{Topology: topology, Problem: "is not one that Auto chooses"}
}

// move is what Auto would do.
type move struct {
	// to is the topology to take now, and wish the one to take once the window has
	// passed for which that has been so; "" where they are the same.
	to, wish v1alpha1.Topology
	// nothing keeps the promise.
	nothing bool
}

// decide weighs the topology in force against the others.
//
// Where none keeps the promise what is in force stays, be it the mesh: to go over to
// one that breaks the limits would help nobody.
//
// What cannot keep the promise any more because the cluster has grown is left at
// once. What cannot for another reason (nodes that are away, a version of Calico
// that could not be read) or has become more than 20 % dearer than the cheapest is
// left after the stabilization window, and the latter only for one that would still
// be so much cheaper, and not be outgrown, with a quarter more nodes.
func decide(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, support TagFilterSupport, current v1alpha1.Topology) move {
	options := weigh(spec, c, support)
	best := ranked(options)
	if len(best) == 0 {
		return move{to: current, nothing: true}
	}
	if current == v1alpha1.TopologyMesh {
		return move{to: best[0].Topology}
	}
	now := find(options, current)
	if now.Problem != "" {
		if now.outgrown {
			return move{to: best[0].Topology}
		}
		return move{to: current, wish: best[0].Topology}
	}
	larger := c.grown(c.nodes * headroom / 100)
	then := shapeOf(current, spec, &larger, support)
	for _, option := range best {
		if !dearerThan(now.Cost, option.Cost) {
			break
		}
		next := shapeOf(option.Topology, spec, &larger, support)
		if next.problem == "" && (then.problem != "" || dearerThan(then.cost(larger.nodes), next.cost(larger.nodes))) {
			return move{to: current, wish: option.Topology}
		}
	}
	return move{to: current}
}

// dearerThan: by more than what Auto puts up with.
func dearerThan(cost, other int64) bool { return cost*100 > other*(100+dearer) }

// Weigh lists what Auto weighs for a cluster, whatever topology is asked for: the
// mesh, then the others in a fixed order. The error names the term of the placement
// that does not parse.
func Weigh(request Request) ([]Option, error) {
	rules, err := inventory.NewRules(request.Spec.Placement, inventory.Survey(request.Nodes, request.ClusterAS))
	if err != nil {
		return nil, err
	}
	c := survey(request, newField(request, rules))
	return weigh(&request.Spec, &c, request.TagFilter), nil
}
