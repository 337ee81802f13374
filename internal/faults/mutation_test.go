package faults

import (
	"strings"
	"testing"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/rollout"
)

// TestSinsAreFound gives the controller a mind that sins, in each way that the
// invariants exist for, and asserts that they find it.
func TestSinsAreFound(t *testing.T) {
	for _, sin := range []struct {
		name  string
		tr    transition
		mind  func(rollout.Input) rollout.Output
		found string
	}{
		{"mesh off before the gate", transition{"Mesh", "Single"}, meshOffFirst, "lost"},
		{"mesh off before there is anybody", transition{"Mesh", "Single"}, meshOffAtOnce, "no way"},
		{"all roles away before the mesh is back", transition{"Single", "Mesh"}, demoteAll, "lost"},
		{"old BGPPeer deleted before the new one is made", transition{"Single", "Multi"}, deleteCatchAll, "no way"},
		{"writes for ever", transition{"Mesh", "Single"}, restless, "at rest"},
		{"never done", transition{"Mesh", "Single"}, lazy, "not settled"},
	} {
		t.Run(sin.name, func(t *testing.T) {
			t.Parallel()
			c := begin(1)
			c.Decide, c.Verbose = sin.mind, true
			w := sin.tr.play(t, c, plague{})
			defer w.Close()
			if v := w.Violations(); len(v) == 0 || !strings.Contains(v[0], sin.found) {
				t.Errorf("not found: %v, want %q\n%s", v, sin.found, w.Log())
			}
		})
	}
}

func reflectorsOf(in rollout.Input) (out []inventory.Node) {
	for _, node := range in.Nodes {
		if _, has := node.Labels[v1alpha1.ReflectorLabel]; has {
			out = append(out, node)
		}
	}
	return out
}

func meshOff(in rollout.Input) *rollout.Step {
	off := false
	return &rollout.Step{
		Action: rollout.MeshOff, Object: "BGPConfiguration/default", Subtractive: true,
		Mesh: &rollout.MeshFields{Enabled: &off, Existed: len(in.Configurations) > 0},
	}
}

// meshOffFirst turns the mesh off as soon as there are reflectors, up or not.
func meshOffFirst(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	if len(reflectorsOf(in)) >= 1 && calico.MeshEnabled(in.Configurations) {
		out.Step = meshOff(in)
	}
	return out
}

func meshOffAtOnce(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	if in.Autoscaler.Spec.Topology == v1alpha1.TopologySingle && calico.MeshEnabled(in.Configurations) {
		out.Step = meshOff(in)
	}
	return out
}

// demoteAll takes the roles away as soon as the mesh is on by configuration.
func demoteAll(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	standing := reflectorsOf(in)
	if in.Autoscaler.Spec.Topology == v1alpha1.TopologyMesh && calico.MeshEnabled(in.Configurations) && len(standing) > 0 {
		node := standing[0]
		out.Step = &rollout.Step{
			Action: rollout.ClearRole, Object: "Node/" + node.Name, Subtractive: true,
			Role: &rollout.NodeRole{Node: node.Name, UID: node.UID},
		}
	}
	return out
}

func deleteCatchAll(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	for i := range in.Peers {
		if in.Peers[i].Name == render.ClientsName && in.Autoscaler.Spec.Topology == v1alpha1.TopologyMulti {
			out.Step = &rollout.Step{Action: rollout.DeletePeer, Object: "BGPPeer/" + render.ClientsName, Subtractive: true, Peer: &in.Peers[i]}
		}
	}
	return out
}

// restless says something else in the status at each pass.
func restless(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	out.Status.Nodes = int32(in.Now.Unix() % 1000)
	if out.RequeueAfter == 0 {
		out.RequeueAfter = 50e9
	}
	return out
}

func lazy(in rollout.Input) rollout.Output {
	out := rollout.Next(in)
	if out.Step != nil && out.Step.Action == rollout.MeshOff {
		out.Step = nil
	}
	return out
}
