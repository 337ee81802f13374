package topology

import (
	"strconv"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// farthest is up to how many nodes a border is looked for.
const farthest = 100_000

// nothing stands for no topology at all.
const nothing v1alpha1.Topology = "nothing"

// border is the number of nodes at which Auto would leave the topology if the
// cluster grew, all zones alike, and for which other: nothing where none would keep to
// the limits any more. 0 where there is no border up to 100,000 nodes. Time is left
// out: a change that waits for the window counts.
func border(spec *v1alpha1.RouteReflectorAutoscalerSpec, c *counts, support TagFilterSupport, current v1alpha1.Topology) (int, v1alpha1.Topology) {
	goal := func(nodes int) v1alpha1.Topology {
		if current == v1alpha1.TopologyMesh && nodes <= int(*spec.MeshUpTo) {
			return current
		}
		larger := c.grown(nodes)
		switch m := decide(spec, &larger, support, current); {
		case m.nothing:
			return nothing
		case m.wish != "":
			return m.wish
		default:
			return m.to
		}
	}
	stays := max(c.nodes, 1)
	// What is waited for already is no border ahead.
	already := goal(stays)
	leaves := func(nodes int) bool {
		to := goal(nodes)
		return to != current && to != already
	}
	for beyond := stays; beyond < farthest; {
		beyond = min(beyond+beyond/32+1, farthest)
		if !leaves(beyond) {
			stays = beyond
			continue
		}
		for beyond-stays > 1 {
			middle := (stays + beyond) / 2
			if !leaves(middle) {
				stays = middle
			} else {
				beyond = middle
			}
		}
		return beyond, goal(beyond)
	}
	return 0, ""
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
