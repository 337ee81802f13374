package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// shuffles is how many random changes come one after the other.
const shuffles = 12

// shuffle moves roles around at random: more, fewer, one that must go, one that is
// drained. After each change the pins must be right. In the end there are few again.
func shuffle(ctx context.Context, r *run) error {
	out := map[string]bool{} // nodes that cannot be reflectors
	for i := range shuffles {
		n := int32(few + r.rng.IntN(more-few+1)) //nolint:gosec // small
		v, err := r.cluster.look(ctx)
		if err != nil {
			return err
		}
		victim := v.reflectors[r.rng.IntN(len(v.reflectors))]
		if i == shuffles-1 {
			n, victim = few, ""
		}
		if err := r.shuffleOnce(ctx, victim, r.rng.IntN(2) == 0, out); err != nil {
			return err
		}
		r.say("      %d of %d: %d reflectors, without %s", i+1, shuffles, n, victim)
		if err := scale(n)(ctx, r); err != nil {
			return err
		}
		if err := r.cluster.await(ctx, r.options.Timeout/4, func() string { return r.unsettled(ctx, int(n), out) }); err != nil {
			return fmt.Errorf("change %d of seed %d: %w", i+1, r.options.Seed, err)
		}
	}
	return nil
}

// shuffleOnce lets back in who was out before, and takes the victim out, if any.
func (r *run) shuffleOnce(ctx context.Context, victim string, byCordon bool, out map[string]bool) error {
	defer func(before string) { r.victim = before }(r.victim)
	for name := range out {
		r.victim = name
		if err := both(exclude(false), cordon(false))(ctx, r); err != nil {
			return err
		}
		delete(out, name)
	}
	if victim == "" {
		return nil
	}
	r.victim, out[victim] = victim, true
	if byCordon {
		return cordon(true)(ctx, r)
	}
	return exclude(true)(ctx, r)
}

// unsettled says what is not yet so: n reflectors, none of those that cannot be one,
// and their pins.
func (r *run) unsettled(ctx context.Context, n int, out map[string]bool) string {
	v, err := r.cluster.look(ctx)
	if err != nil {
		return err.Error()
	}
	if text := reflectors(n)(v); text != "" {
		return text
	}
	if i := slices.IndexFunc(v.reflectors, func(name string) bool { return out[name] }); i >= 0 {
		return v.reflectors[i] + " still has the role"
	}
	if text := v.settled(); text != "" {
		return text
	}
	return r.pinFault(ctx, v)
}

func (r *run) pinFault(ctx context.Context, v *view) string {
	var peers calico.BGPPeerList
	if err := r.cluster.client.List(ctx, &peers); err != nil {
		return err.Error()
	}
	owners := map[netip.Addr]string{}
	for _, m := range r.cluster.lan.all() {
		for _, address := range m.addresses {
			owners[address.Addr()] = m.name
		}
	}
	return pinFault(peers.Items, owners, v.reflectors)
}

// pinned wants so many reflectors, in the order that their pins make.
func (r *run) pinned(n int) func(*view) string {
	return func(v *view) string {
		if text := reflectors(n)(v); text != "" {
			return text
		}
		return r.pinFault(context.Background(), v)
	}
}

// arrived wants a topology to be in force.
func arrived(t v1alpha1.Topology) func(*view) string {
	return func(v *view) string {
		if v.policy == nil {
			return "there is no RouteReflectorAutoscaler"
		}
		return standin.Arrived(v.policy, t, v.mesh, v.ids)
	}
}
