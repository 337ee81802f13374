package faults

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// TestHands edits, deletes and copies every BGPPeer of ours in every topology, in every way:
// all is as before in the end, and no write of the controller on the way takes a way from
// anybody.
func TestHands(t *testing.T) {
	kinds := len(peerEdits) + 2
	for _, topology := range topologies[1:] {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			c := begin(1)
			c.From, c.Verbose = standing(t, topology), true
			w := New(c)
			w.Run(time.Minute)
			want, peers := w.Outcome(), w.ourPeers()
			w.Close()
			runs := 0
			for _, peer := range peers {
				for kind := range kinds {
					runs++
					handAtWork(t, topology, peer.Name, kind, want)
				}
			}
			t.Logf("%d BGPPeers, %d edits", len(peers), runs)
		})
	}
}

func handAtWork(t *testing.T, topology v1alpha1.Topology, name string, kind int, want Outcome) {
	c := begin(1)
	c.From, c.Verbose = standing(t, topology), true
	w := New(c)
	defer w.Close()
	w.Run(time.Minute)
	w.byHand()
	what := "deleted"
	switch n := kind - len(peerEdits); {
	case n < 0:
		what = peerEdits[kind].name
		w.edit("BGPPeer", name, byPerson, func(object client.Object) {
			if peer, ok := object.(*calico.BGPPeer); ok {
				peerEdits[kind].edit(&peer.Spec)
			}
		})
	case n == 0:
		w.deletePeer(name)
	default:
		what = "copied"
		w.copyPeer(name, name+"-copy")
	}
	w.Run(handFelt + time.Second)
	w.Settle(limit)
	w.Rest(2 * time.Minute)
	w.CheckComplete()
	if got := w.Outcome(); len(w.violations) == 0 && !got.Same(want) {
		w.violate("ended as %+v, was %+v", got, want)
	}
	w.CheckRoutes()
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("%s %s: %s\n%s", name, what, v[0], w.Log())
	}
}
