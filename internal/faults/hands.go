package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/fabric"
)

const (
	// handFelt is after what time all that a hand breaks is felt: nodes have seen it, and
	// sessions have ended.
	handFelt = 30 * time.Second
	// handMended is by when it must be whole again, sessions included, whatever else
	// goes wrong meanwhile.
	handMended = 10 * time.Minute
	// labelAway is for how long a hand keeps our label from an object at most.
	labelAway = 2 * time.Minute
)

// byHand opens an account of its own for what a hand is about to break: until it is mended
// no route that is lost is the controller's, but it must be mended.
func (w *World) byHand() {
	w.blameHand()
	w.In(time.Second, w.watchHand)
}

func (w *World) blameHand() {
	w.CheckRoutes()
	w.newAccount()
	w.check.handAt = w.now
}

// watchHand closes that account as soon as all routes are there again.
func (w *World) watchHand() {
	age := w.now.Sub(w.check.handAt)
	if age >= handFelt {
		w.fabric.Advance(w.now)
		missing, sample := w.fabric.MissingPairs()
		switch {
		case missing == 0:
			w.newAccount()
			w.check.handAt = time.Time{}
			w.tell("what a hand broke is whole again")
			return
		case age > handMended:
			w.violate("%d pairs have no route %v after a hand was at work, first %v: %s", missing, age, sample[0], w.conditions())
			return
		}
	}
	w.In(time.Second, w.watchHand)
}

// newAccount closes the account of lost routes, for whoever it is, and begins a new one.
func (w *World) newAccount() {
	w.fabric.Advance(w.now)
	account := w.fabric.Account()
	if w.check.handAt.IsZero() {
		addLoss(&w.check.lost.Ordinary, account.Ordinary)
		addLoss(&w.check.lost.Changing, account.Changing)
	} else {
		addLoss(&w.check.byHand, account.Ordinary)
	}
	w.fabric.ResetAccount(w.now, func(node string) bool { return w.check.changed[node] })
}

// running is what has been lost in the account that runs, of that which is not a hand's.
func (w *World) running() fabric.Account {
	w.fabric.Advance(w.now)
	if !w.check.handAt.IsZero() {
		return fabric.Account{}
	}
	return w.fabric.Account()
}

// edits of a BGPPeer of ours, and what they are called.
var peerEdits = []struct {
	name string
	edit func(*calico.BGPPeerSpec)
}{
	{"clients nobody", func(s *calico.BGPPeerSpec) { s.NodeSelector = "has(nothing)" }},
	{"clients everybody", func(s *calico.BGPPeerSpec) { s.Node, s.NodeSelector = "", "all()" }},
	{"peers nobody", func(s *calico.BGPPeerSpec) { s.PeerIP, s.ASNumber, s.PeerSelector = "", 0, "has(nothing)" }},
	{"a router", func(s *calico.BGPPeerSpec) { s.PeerIP, s.ASNumber, s.PeerSelector = "192.0.2.1", 64999, "" }},
	{"without filters", func(s *calico.BGPPeerSpec) { s.Filters = nil }},
	{"a filter that is none", func(s *calico.BGPPeerSpec) { s.Filters = []string{"no-such-filter"} }},
	{"one side only", func(s *calico.BGPPeerSpec) { s.ReversePeering = "Manual" }},
	{"a password", func(s *calico.BGPPeerSpec) {
		s.Password = &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "somebodys"}, Key: "password",
		}}
	}},
}

func (w *World) ourPeers() []*calico.BGPPeer {
	var out []*calico.BGPPeer
	each(w, "BGPPeer", func(peer *calico.BGPPeer) {
		if calico.ManagedByUs(peer) {
			out = append(out, peer)
		}
	})
	return out
}

// actEditPeer edits a BGPPeer of ours.
func (w *World) actEditPeer(r *rand.Rand) string {
	peers := w.ourPeers()
	if len(peers) == 0 || !w.mayEdit() {
		return ""
	}
	peer, edit := pick(peers, r), pick(peerEdits, r)
	w.byHand()
	w.edit("BGPPeer", peer.Name, byPerson, func(object client.Object) {
		if peer, ok := object.(*calico.BGPPeer); ok {
			edit.edit(&peer.Spec)
		}
	})
	return peer.Name + ": " + edit.name
}

// actDeletePeer deletes one.
func (w *World) actDeletePeer(r *rand.Rand) string {
	peers := w.ourPeers()
	if len(peers) == 0 || !w.mayEdit() {
		return ""
	}
	name := pick(peers, r).Name
	w.byHand()
	w.deletePeer(name)
	return name
}

func (w *World) deletePeer(name string) {
	_ = w.store.remove("BGPPeer", name, nil) // it is there
	w.touched()
}

// actCopyPeer makes another of one, label and all.
func (w *World) actCopyPeer(r *rand.Rand) string {
	peers := w.ourPeers()
	if len(peers) == 0 || !w.mayEdit() {
		return ""
	}
	name := pick(peers, r).Name
	twin := fmt.Sprintf("%s-copy-%d", name, r.IntN(1000))
	w.byHand()
	w.copyPeer(name, twin)
	return twin
}

func (w *World) copyPeer(name, twin string) {
	peer, ok := copyOf(w.store.get("BGPPeer", name)).(*calico.BGPPeer)
	if !ok {
		return
	}
	peer.Name, peer.ResourceVersion, peer.ManagedFields = twin, "", nil
	_ = w.store.create(peer, byPerson) // there is one already, at worst
	w.touched()
}

// actTakeLabel takes our label from a BGPPeer for a while: it is not ours then, and must be
// left alone.
func (w *World) actTakeLabel(r *rand.Rand) string {
	peers := w.ourPeers()
	if len(peers) == 0 || !w.mayEdit() {
		return ""
	}
	name := pick(peers, r).Name
	w.byHand()
	w.relabel(name, false)
	version := w.store.get("BGPPeer", name).GetResourceVersion()
	w.In(time.Duration(r.Int64N(int64(labelAway))), func() {
		if stands := w.store.get("BGPPeer", name); stands == nil || stands.GetResourceVersion() != version {
			w.violate("BGPPeer %s was touched though it does not carry our label", name)
			return
		}
		w.relabel(name, true)
	})
	return name
}

func (w *World) relabel(name string, ours bool) {
	w.edit("BGPPeer", name, byPerson, func(object client.Object) {
		labels := object.GetLabels()
		if delete(labels, v1alpha1.ManagedByLabel); ours {
			labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedByValue
		}
	})
}

// actEditFilter edits or deletes the tag filter.
func (w *World) actEditFilter(r *rand.Rand) string {
	var names []string
	each(w, "BGPFilter", func(filter *calico.BGPFilter) { names = append(names, filter.Name) })
	if len(names) == 0 || !w.mayEdit() {
		return ""
	}
	name := pick(names, r)
	w.byHand()
	rule := pick([]string{"Accept", "Reject", ""}, r)
	if rule == "" {
		_ = w.store.remove("BGPFilter", name, nil) // it is there
		w.touched()
		return "deleted " + name
	}
	w.edit("BGPFilter", name, byPerson, func(object client.Object) {
		if filter, ok := object.(*calico.BGPFilter); ok {
			all := []calico.BGPFilterRule{{Action: rule}}
			filter.Spec.ExportV4, filter.Spec.ExportV6 = all, all
		}
	})
	return name + ": " + rule + " everything"
}
