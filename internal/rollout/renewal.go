package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/topology"
)

// renew changes the options of sessions (password, timers) from one reflector to the
// next. To edit a BGPPeer that all reflectors share would restart every session at
// once. Each gets a twin with the new options; a label moves one reflector at a time from
// the one to the other. When all have moved, the BGPPeers themselves match nothing
// and get the new options, take the reflectors back (nothing restarts: both say the
// same) and the twins go. Every state in between is read back from the objects.
func (s *state) renew() *verdict {
	if s.standing.Clients == nil {
		return nil
	}
	if len(s.standing.Renewed) == 0 {
		return s.renewFromRest()
	}
	target := render.OptionsOf(s.standing.Renewed[0])
	late := slices.DeleteFunc(s.plain(), func(peer *calico.BGPPeer) bool { return sameOptions(peer, target) })
	if len(late) == 0 {
		return s.endRenewal()
	}
	if s.brake != "" {
		return s.braked("the new options of sessions")
	}
	return firstOf(s, []rule{
		func(s *state) *verdict { return s.twins(late, target) },
		(*state).renewReflectors,
		func(s *state) *verdict { return s.renewPlain(late[0], target) },
	})
}

// keepTwins keeps the twins like the BGPPeers whose options they change, whatever else
// happens in the meantime: a group that is new gets one, one that is gone loses its.
func (s *state) keepTwins() *verdict {
	if len(s.standing.Renewed) == 0 || s.standing.Clients == nil {
		return nil
	}
	target := render.OptionsOf(s.standing.Renewed[0])
	for _, peer := range s.plain() {
		want := render.Twin(peer, target)
		twin := s.twin(peer)
		switch {
		case twin == nil && s.standing.Excluded[peer.Name] && !sameOptions(peer, target):
			return s.twins([]*calico.BGPPeer{peer}, target)
		case twin == nil || twin.Spec.NodeSelector == want.Spec.NodeSelector && twin.Spec.PeerSelector == want.Spec.PeerSelector:
			continue
		}
		changed := twin.DeepCopy()
		changed.Spec.NodeSelector, changed.Spec.PeerSelector = want.Spec.NodeSelector, want.Spec.PeerSelector
		return s.add(&Step{
			Action: PatchPeer, Object: peerObject(twin.Name), Peer: changed, WaitsFor: "its sessions",
			Why: "it follows " + peer.Name,
		})
	}
	for _, twin := range s.standing.Renewed {
		if s.plainOf(twin) == nil {
			return s.drop(twin, "the peering whose options it changes is gone")
		}
	}
	return nil
}

// renewFromRest begins a change of options, or tidies up behind one.
func (s *state) renewFromRest() *verdict {
	for _, peer := range s.plain() {
		if s.standing.Excluded[peer.Name] {
			return s.include(peer)
		}
	}
	for _, name := range s.standing.Reflectors {
		if s.renewed(name) {
			step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, s.serves(name))
			delete(step.Role.Labels, v1alpha1.RenewedLabel)
			step.Why, step.WaitsFor = "its sessions have the new options for good", ""
			step.Repair = s.undone(step.Object)
			return s.add(step)
		}
	}
	wanted := s.wantedOptions(render.OptionsOf(s.standing.Clients))
	for _, peer := range s.plain() {
		if !sameOptions(peer, wanted) {
			return s.twins([]*calico.BGPPeer{peer}, wanted)
		}
	}
	return s.renewPins(wanted)
}

// twins creates the twins that are missing, and then leaves renewed reflectors to
// them. Nobody is renewed yet, so neither changes a session.
func (s *state) twins(of []*calico.BGPPeer, options render.Options) *verdict {
	for _, peer := range of {
		twin := render.Twin(peer, options)
		if s.twin(peer) == nil {
			return s.add(&Step{
				Action: CreatePeer, Object: peerObject(twin.Name), Peer: twin,
				Why: "sessions get new options, one route reflector at a time; it matches none yet",
			})
		}
	}
	for _, peer := range of {
		if !s.standing.Excluded[peer.Name] {
			return s.add(&Step{
				Action: PatchPeer, Object: peerObject(peer.Name), Peer: render.Exclude(peer),
				Why: "route reflectors whose sessions have the new options are left to " + render.TwinName(peer.Name),
			})
		}
	}
	return nil
}

// renewReflectors moves the next reflector to the new options: all its sessions
// restart, the others carry on.
func (s *state) renewReflectors() *verdict {
	left := slices.DeleteFunc(s.living(), s.renewed)
	return firstProved(s, left, func(name string) *verdict {
		if v := s.gate("the new options of " + name + "'s sessions"); v != nil {
			return v
		}
		step := s.roleStep(name, s.tier(name), s.nodes[name].ClusterID, s.serves(name))
		step.Role.Labels[v1alpha1.RenewedLabel] = "true"
		step.Costs = []string{name}
		step.Why = fmt.Sprintf("its sessions restart with the new options; %d of %d route reflectors have them",
			len(s.living())-len(left), len(s.living()))
		return s.add(step)
	})
}

// renewPlain gives the new options to a BGPPeer that matches nothing any more.
func (s *state) renewPlain(peer *calico.BGPPeer, options render.Options) *verdict {
	if v := s.gate("the new options of " + peer.Name); v != nil {
		return v
	}
	changed := peer.DeepCopy()
	options.Set(changed)
	return s.add(&Step{
		Action: PatchPeer, Object: peerObject(peer.Name), Peer: changed,
		Why: "all route reflectors have the new options by now: it makes no session at the moment",
	})
}

// endRenewal takes the renewed reflectors back from the twins, which say the same,
// and deletes these.
func (s *state) endRenewal() *verdict {
	for _, peer := range s.plain() {
		if s.standing.Excluded[peer.Name] {
			return s.include(peer)
		}
	}
	return s.drop(s.standing.Renewed[0], "every peering has the new options itself")
}

func (s *state) include(peer *calico.BGPPeer) *verdict {
	// What the reader gives has no exclusion any more; prove must not put it back.
	s.standing.Excluded[peer.Name] = false
	v := s.add(&Step{
		Action: PatchPeer, Object: peerObject(peer.Name), Peer: peer.DeepCopy(),
		Why: "it takes in every route reflector again, with the options that they have",
	})
	s.standing.Excluded[peer.Name] = true
	return v
}

// renewPins gives the pins the options, one at a time: the two ends lose each other's
// own routes for a moment.
func (s *state) renewPins(wanted render.Options) *verdict {
	if s.spec.Sessions == nil {
		return nil // a person may have chosen others
	}
	for _, pin := range s.standing.Pins {
		if sameOptions(pin.Peer, wanted) {
			continue
		}
		before := "the new options of the pin between " + pin.Senior + " and " + pin.Junior
		if s.brake != "" {
			return s.braked(before)
		}
		if v := s.gate(before); v != nil {
			return v
		}
		changed := pin.Peer.DeepCopy()
		wanted.Set(changed)
		return s.add(&Step{
			Action: PatchPeer, Object: peerObject(changed.Name), Peer: changed, Costs: []string{pin.Senior, pin.Junior},
			Why: "the session between the two restarts with the new options", WaitsFor: "their session",
		})
	}
	return nil
}

// wantedOptions are those of the policy, and where it says nothing those given.
func (s *state) wantedOptions(options render.Options) render.Options {
	asked := s.spec.Sessions
	if asked == nil {
		return options
	}
	if asked.Password != nil {
		options.Password = &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: asked.Password.Name}, Key: asked.Password.Key,
		}}
	}
	if asked.MaxRestartSeconds != nil {
		options.MaxRestartTime = seconds(*asked.MaxRestartSeconds)
	}
	if asked.KeepaliveSeconds != nil {
		options.KeepaliveTime = seconds(*asked.KeepaliveSeconds)
	}
	return options
}

func seconds(n int32) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}

func sameOptions(peer *calico.BGPPeer, options render.Options) bool {
	return reflect.DeepEqual(render.OptionsOf(peer), options)
}

// plain are the BGPPeers by selector that are no twins.
func (s *state) plain() []*calico.BGPPeer {
	out := []*calico.BGPPeer{s.standing.Clients}
	for _, peer := range []*calico.BGPPeer{s.standing.Mesh, s.standing.Racks} {
		if peer != nil {
			out = append(out, peer)
		}
	}
	return append(out, s.standing.Groups...)
}

func (s *state) twin(peer *calico.BGPPeer) *calico.BGPPeer {
	return find(s.standing.Renewed, func(twin *calico.BGPPeer) bool { return twin.Name == render.TwinName(peer.Name) })
}

func (s *state) plainOf(twin *calico.BGPPeer) *calico.BGPPeer {
	return find(s.plain(), func(peer *calico.BGPPeer) bool { return twin.Name == render.TwinName(peer.Name) })
}

func find(peers []*calico.BGPPeer, is func(*calico.BGPPeer) bool) *calico.BGPPeer {
	if i := slices.IndexFunc(peers, is); i >= 0 {
		return peers[i]
	}
	return nil
}

func (s *state) renewed(name string) bool {
	_, set := s.nodes[name].Labels[v1alpha1.RenewedLabel]
	return set
}

// keepExcluded puts the part of a selector back that leaves renewed reflectors to
// the twin: other rules do not know of it. A group that is new gets it as well.
func (s *state) keepExcluded(step *Step) {
	if step.Action != CreatePeer && step.Action != PatchPeer || len(s.standing.Renewed) == 0 || step.Peer.Spec.PeerSelector == "" {
		return
	}
	name := step.Peer.Name
	created := step.Action == CreatePeer && slices.ContainsFunc(s.plan.Groups, func(g topology.Group) bool {
		return render.GroupPeer(g, render.Options{}).Name == name
	})
	twin := slices.ContainsFunc(s.standing.Renewed, func(twin *calico.BGPPeer) bool { return twin.Name == name })
	if (s.standing.Excluded[name] || created) && !twin && !render.Excluded(step.Peer) {
		step.Peer = render.Exclude(step.Peer)
	}
}
