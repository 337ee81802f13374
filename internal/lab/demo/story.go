package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab"
)

// event is one chapter: something happens, and at its end the cluster must be as
// told.
type event struct {
	name string
	// act makes it happen and says in a sentence what happened.
	act func(ctx context.Context, now lab.State) (string, error)
	// reflectors asked for afterwards; mesh: Calico's mesh is on again.
	reflectors int
	mesh       bool
	// topology, where it is set, is asked for instead.
	topology v1alpha1.Topology
	// also says what is still missing beyond that; "" for nothing.
	also func(now *lab.State) string
}

func (d *demo) story() []event {
	r := &d.rule
	return []event{
		{name: "mesh to reflectors", act: d.migrate, reflectors: r.reflectors(r.start), also: d.spread},
		{name: fmt.Sprintf("%d nodes join", r.grown-r.start), act: d.grow, reflectors: r.reflectors(r.grown)},
		{name: "a reflector dies", act: d.kill, reflectors: r.reflectors(r.grown), also: d.replaced},
		{name: "a zone is cordoned", act: d.cordon, reflectors: r.reflectors(r.grown), also: d.evacuated},
		{name: "scale down", act: d.shrink, reflectors: r.reflectors(r.start)},
		{name: "back to the mesh", act: d.shrinkFurther, mesh: true},
	}
}

func (d *demo) migrate(ctx context.Context, now lab.State) (string, error) {
	err := d.cluster.Client().Create(ctx, d.rule.policy())
	return fmt.Sprintf("A RouteReflectorAutoscaler is created. %d nodes are more than the mesh should carry (%d), so it asks for %d reflectors.",
		len(now.Nodes), d.rule.meshUpTo, d.rule.reflectors(len(now.Nodes))), err
}

// spread: no zone has a second reflector while another has none.
func (d *demo) spread(now *lab.State) string {
	zones := map[string]bool{}
	for i := range now.Nodes {
		if now.Nodes[i].Reflector {
			zones[now.Nodes[i].Zone] = true
		}
	}
	if want := min(d.options.Zones, d.rule.reflectors(d.rule.start)); len(zones) < want {
		return fmt.Sprintf("reflectors stand in %d zones, want %d", len(zones), want)
	}
	return ""
}

func (d *demo) grow(ctx context.Context, now lab.State) (string, error) {
	more := d.rule.grown - len(now.Nodes)
	_, err := d.cluster.Add(ctx, more)
	return fmt.Sprintf("%d nodes register. %d nodes need %d reflectors.", more, d.rule.grown, d.rule.reflectors(d.rule.grown)), err
}

func (d *demo) kill(_ context.Context, now lab.State) (string, error) {
	reflectors := now.Reflectors()
	if len(reflectors) == 0 {
		return "", fmt.Errorf("there is no reflector to kill")
	}
	d.victim = reflectors[0]
	err := d.cluster.Kill(d.victim)
	return fmt.Sprintf("The power of %s fails. Its neighbors keep its routes for up to %s; the cluster notices after %s.",
		d.victim, holdTime, notReadyAfter), err
}

func (d *demo) replaced(now *lab.State) string {
	if slices.Contains(now.Reflectors(), d.victim) {
		return d.victim + " still has the role"
	}
	return ""
}

// cordon takes the zone with most reflectors.
func (d *demo) cordon(ctx context.Context, now lab.State) (string, error) {
	count := map[string]int{}
	for i := range now.Nodes {
		if now.Nodes[i].Reflector {
			count[now.Nodes[i].Zone]++
		}
	}
	d.zone = ""
	for zone, n := range count {
		if d.zone == "" || n > count[d.zone] || n == count[d.zone] && zone > d.zone {
			d.zone = zone
		}
	}
	names := now.Names(func(n *lab.NodeState) bool { return n.Zone == d.zone })
	err := d.cluster.Cordon(ctx, true, names...)
	return fmt.Sprintf("All %d nodes of %s are cordoned for maintenance, %d of them reflectors.", len(names), d.zone, count[d.zone]), err
}

func (d *demo) evacuated(now *lab.State) string {
	left := now.Names(func(n *lab.NodeState) bool { return n.Reflector && n.Zone == d.zone })
	if len(left) > 0 {
		return strings.Join(left, ", ") + " in " + d.zone + " still have the role"
	}
	return ""
}

func (d *demo) shrink(ctx context.Context, now lab.State) (string, error) {
	cordoned := now.Names(func(n *lab.NodeState) bool { return n.Cordoned })
	if err := d.cluster.Cordon(ctx, false, cordoned...); err != nil {
		return "", err
	}
	gone, err := d.leave(ctx, now, d.rule.start)
	return fmt.Sprintf("%s is back. %d nodes leave, the dead %s among them. %d nodes need %d reflectors.",
		d.zone, gone, d.victim, d.rule.start, d.rule.reflectors(d.rule.start)), err
}

func (d *demo) shrinkFurther(ctx context.Context, now lab.State) (string, error) {
	gone, err := d.leave(ctx, now, d.rule.shrunk)
	return fmt.Sprintf("%d more nodes leave. %d are below 80 %% of what the mesh carries (%d), so the mesh is enough again.",
		gone, d.rule.shrunk, d.rule.meshUpTo), err
}

// leave takes nodes away until so many are left: the dead first, then the newest
// ordinary ones.
func (d *demo) leave(ctx context.Context, now lab.State, left int) (int, error) {
	nodes := slices.Clone(now.Nodes)
	slices.SortFunc(nodes, func(a, b lab.NodeState) int {
		switch {
		case a.Powered != b.Powered && !a.Powered:
			return -1
		case a.Powered != b.Powered:
			return 1
		case !a.Created.Equal(b.Created):
			return b.Created.Compare(a.Created)
		}
		return strings.Compare(b.Name, a.Name)
	})
	var names []string
	for _, n := range nodes {
		if len(names) == len(nodes)-left {
			break
		}
		if !n.Powered || !n.Reflector && !n.ControlPlane {
			names = append(names, n.Name)
		}
	}
	return len(names), d.cluster.Delete(ctx, names...)
}
