package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/calico"
)

// pinMark is in the name of every pin.
const pinMark = "-pin-"

// pinFault says what is wrong with the pins of reflectors that share a cluster ID; ""
// when every two of them have one, in each family that the addresses are of, and
// these make an order: the first pins all others, the last none. owners are the nodes
// by address.
func pinFault(peers []calico.BGPPeer, owners map[netip.Addr]string, reflectors []string) string {
	for _, is4 := range []bool{true, false} {
		juniors, known := map[string][]string{}, map[string]bool{}
		for address, owner := range owners {
			known[owner] = known[owner] || address.Is4() == is4
		}
		for i := range peers {
			p := &peers[i]
			address, err := netip.ParseAddr(p.Spec.PeerIP)
			if !strings.Contains(p.Name, pinMark) || err == nil && address.Is4() != is4 {
				continue
			}
			junior := owners[address]
			if !slices.Contains(reflectors, p.Spec.Node) || !slices.Contains(reflectors, junior) {
				return fmt.Sprintf("pin %s is from %s to %s: not both are reflectors", p.Name, p.Spec.Node, junior)
			}
			juniors[p.Spec.Node] = append(juniors[p.Spec.Node], junior)
		}
		if text := orderFault(juniors, slices.DeleteFunc(slices.Clone(reflectors), func(r string) bool { return !known[r] })); text != "" {
			return text
		}
	}
	return ""
}

// orderFault: in an order of n, the i-th has n-i below it.
func orderFault(juniors map[string][]string, reflectors []string) string {
	seen := map[[2]string]bool{}
	ranks := map[int]string{}
	for _, senior := range reflectors {
		for _, junior := range juniors[senior] {
			if senior == junior || seen[[2]string{senior, junior}] || seen[[2]string{junior, senior}] {
				return fmt.Sprintf("%s and %s are pinned twice", senior, junior)
			}
			seen[[2]string{senior, junior}] = true
		}
		if other, taken := ranks[len(juniors[senior])]; taken {
			return fmt.Sprintf("%s and %s both pin %d others: the pins make no order", other, senior, len(juniors[senior]))
		}
		ranks[len(juniors[senior])] = senior
	}
	if want := len(reflectors) * (len(reflectors) - 1) / 2; len(seen) != want {
		return fmt.Sprintf("%d pins of %d reflectors, want %d", len(seen), len(reflectors), want)
	}
	return ""
}
