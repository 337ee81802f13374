package render

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// While the options of sessions change, every BGPPeer by selector has a twin with the
// new options. The reflectors that are renewed belong to the twin and the others to
// the BGPPeer itself, so that no pair of nodes is covered by both with different
// options: which one would win is not defined.

const (
	renewedPrefix = "tapetum-renewed-"
	renewed       = " && has(" + v1alpha1.RenewedLabel + ")"
	notRenewed    = " && !has(" + v1alpha1.RenewedLabel + ")"
)

// TwinName is the name of a BGPPeer's twin.
func TwinName(name string) string { return renewedPrefix + strings.TrimPrefix(name, "tapetum-") }

// Twin makes the sessions of a BGPPeer with other options, for renewed reflectors.
// Among reflectors both ends must be renewed.
func Twin(peer *calico.BGPPeer, options Options) *calico.BGPPeer {
	twin := &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: TwinName(peer.Name), Labels: Ours()},
		Spec:       *peer.Spec.DeepCopy(),
	}
	twin.Spec.PeerSelector += renewed
	if peer.Name == ReflectorsName {
		twin.Spec.NodeSelector += renewed
	}
	options.Set(twin)
	return twin
}

// Exclude leaves the sessions of renewed reflectors to the twin. Among reflectors it
// keeps those of which one end is not renewed: the peering is made on both sides, so
// it is enough that the node is not.
func Exclude(peer *calico.BGPPeer) *calico.BGPPeer {
	out := peer.DeepCopy()
	if peer.Name == ReflectorsName {
		out.Spec.NodeSelector += notRenewed
	} else {
		out.Spec.PeerSelector += notRenewed
	}
	return out
}

// Excluded tells whether a BGPPeer leaves renewed reflectors to its twin.
func Excluded(peer *calico.BGPPeer) bool { return withoutExclusion(peer) != nil }

// withoutExclusion undoes Exclude; nil where there is none.
func withoutExclusion(peer *calico.BGPPeer) *calico.BGPPeer {
	node, inNode := strings.CutSuffix(peer.Spec.NodeSelector, notRenewed)
	reflectors, inPeer := strings.CutSuffix(peer.Spec.PeerSelector, notRenewed)
	if !inNode && !inPeer {
		return nil
	}
	out := peer.DeepCopy()
	out.Spec.NodeSelector, out.Spec.PeerSelector = node, reflectors
	return out
}
