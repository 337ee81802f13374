package controller

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

var errLost = errors.New("the answer was lost")

// lossy loses the answer to every write: arrives tells whether the write itself
// gets there.
func (c *cluster) lossy(arrives bool) client.Client {
	c.t.Helper()
	watching, err := client.NewWithWatch(c.plane.Config(), client.Options{Scheme: c.client.Scheme()})
	c.must(err)
	return interceptor.NewClient(watching, interceptor.Funcs{
		Create: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if arrives {
				copied, _ := object.DeepCopyObject().(client.Object)
				c.must(next.Create(ctx, copied, options...))
			}
			return errLost
		},
		Patch: func(ctx context.Context, next client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if arrives {
				copied, _ := object.DeepCopyObject().(client.Object)
				c.must(next.Patch(ctx, copied, patch, options...))
			}
			return errLost
		},
		Delete: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			if arrives {
				c.must(next.Delete(ctx, object, options...))
			}
			return errLost
		},
	})
}

// TestWriteOfUnknownOutcome loses answers. Whether the write has arrived or not,
// the next pass must see what stands, and must not wait for ever.
func TestWriteOfUnknownOutcome(t *testing.T) {
	c := ownV3(t)
	node := newNode(1)
	peer := &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "tapetum-clients"},
		Spec:       calico.BGPPeerSpec{NodeSelector: "all()", PeerSelector: "has(a)"},
	}
	other := peer.DeepCopy()
	other.Spec.PeerSelector = "has(b)"
	c.create(node, newPolicy())
	steps := []*rollout.Step{
		{Action: rollout.AddFinalizer, Object: "RouteReflectorAutoscaler/default"},
		{Action: rollout.CreatePeer, Object: "BGPPeer/tapetum-clients", Peer: peer},
		{Action: rollout.PatchPeer, Object: "BGPPeer/tapetum-clients", Peer: other},
		{Action: rollout.SetRole, Object: "Node/n001", Role: role(node)},
		{Action: rollout.MeshOff, Object: "BGPConfiguration/default", Mesh: &rollout.MeshFields{}},
		{Action: rollout.MeshOn, Object: "BGPConfiguration/default", Mesh: &rollout.MeshFields{}},
		{Action: rollout.ClearRole, Object: "Node/n001", Role: noRole(node)},
		{Action: rollout.DeletePeer, Object: "BGPPeer/tapetum-clients", Peer: other},
		{Action: rollout.RemoveFinalizer, Object: "RouteReflectorAutoscaler/default"},
	}
	for _, step := range steps {
		for _, arrives := range []bool{false, true} {
			r := c.reconciler()
			r.Writer = c.lossy(arrives)
			in := rollout.Input{Autoscaler: c.policy()}
			c.must(readCalico(t.Context(), c.client, r.Kinds, &in))
			if _, err := r.writeStep(t.Context(), &in, step); !errors.Is(err, errLost) {
				t.Fatalf("%s: error %v, want %v", step.Action, err, errLost)
			}
			if len(r.unseen) != 1 {
				t.Errorf("%s: %d writes to look for, want 1", step.Action, len(r.unseen))
			}
			settled := false
			for range 3 { // no cache here, so it need not take long
				var err error
				if settled, err = r.settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if !settled {
				t.Errorf("%s (arrived %v): waits for ever for %+v", step.Action, arrives, r.unseen)
			}
		}
	}
	if c.get(peer) || len(c.roles()) > 0 || len(c.policy().Finalizers) > 0 {
		t.Errorf("the last steps have not arrived: %v, %v, %v", peer, c.roles(), c.policy().Finalizers)
	}
}
