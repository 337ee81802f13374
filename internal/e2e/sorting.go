package e2e

import (
	"cmp"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// sortInput makes inputs of the same content equal.
func sortInput(in *birdconf.Input) {
	slices.SortFunc(in.Nodes, func(a, b inventory.Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(in.Peers, func(a, b calico.BGPPeer) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(in.Configurations, func(a, b calico.BGPConfiguration) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(in.Filters, func(a, b calico.BGPFilter) int { return cmp.Compare(a.Name, b.Name) })
	for _, blocks := range in.Blocks {
		slices.SortFunc(blocks, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	}
}
