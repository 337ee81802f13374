package render

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Names of our objects.
const (
	// ClientsName is the BGPPeer between all clients and all reflectors.
	ClientsName = "tapetum-clients"
	pinPrefix   = "tapetum-pin-"
	// maxName is what Kubernetes allows for an object's name.
	maxName = 253
)

// Options are what all our sessions share. They are taken over from the mesh when
// the BGPPeers are created, so that the sessions are as protected as before.
type Options struct {
	Password       *calico.BGPPassword
	MaxRestartTime *metav1.Duration
	KeepaliveTime  *metav1.Duration
}

// OptionsOf reads the options back out of a BGPPeer.
func OptionsOf(peer *calico.BGPPeer) Options {
	return Options{
		Password: peer.Spec.Password, MaxRestartTime: peer.Spec.MaxRestartTime, KeepaliveTime: peer.Spec.KeepaliveTime,
	}
}

// Set puts the options into a BGPPeer.
func (o Options) Set(peer *calico.BGPPeer) {
	peer.Spec.Password, peer.Spec.MaxRestartTime, peer.Spec.KeepaliveTime = o.Password, o.MaxRestartTime, o.KeepaliveTime
}

// Ours are the labels on everything that we create.
func Ours() map[string]string {
	return map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}
}

// RoleLabels are the node labels of a reflector.
func RoleLabels(tier string, serves []string) map[string]string {
	out := map[string]string{v1alpha1.ReflectorLabel: tier}
	for _, group := range serves {
		out[v1alpha1.ServesLabelPrefix+group] = "true"
	}
	return out
}

// IsRoleLabel tells the labels that make the role. Other keys under our prefix do
// not.
func IsRoleLabel(key string) bool {
	return key == v1alpha1.ReflectorLabel || key == v1alpha1.RenewedLabel || strings.HasPrefix(key, v1alpha1.ServesLabelPrefix)
}

// IsNodeLabel tells the labels of nodes that are written: the role, and the group of
// a client. A complete list of them is applied at once.
func IsNodeLabel(key string) bool {
	return IsRoleLabel(key) || key == v1alpha1.HomeLabel || key == v1alpha1.SettledLabel
}

// Clients is the BGPPeer that makes every node without the role a client of the
// reflectors that serve the group. One object, whatever the number of nodes, for
// both address families.
func Clients(group string, options Options) *calico.BGPPeer {
	return &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: ClientsName, Labels: Ours()},
		Spec: calico.BGPPeerSpec{
			NodeSelector:   "!has(" + v1alpha1.ReflectorLabel + ")",
			PeerSelector:   "has(" + v1alpha1.ServesLabelPrefix + group + ")",
			Password:       options.Password,
			MaxRestartTime: options.MaxRestartTime,
			KeepaliveTime:  options.KeepaliveTime,
		},
	}
}

// Families returns the addresses over which two nodes can peer: those of each
// family that both have.
func Families(a, b *inventory.Node) []netip.Addr {
	var out []netip.Addr
	if a.IPv4.IsValid() && b.IPv4.IsValid() {
		out = append(out, b.IPv4)
	}
	if a.IPv6.IsValid() && b.IPv6.IsValid() {
		out = append(out, b.IPv6)
	}
	return out
}

// Pin is the peering of one reflector with a more junior one, over one address of
// the junior's. Because it names an address, Calico does not look at the junior's
// cluster ID: the senior treats it as its client before, while and after it has
// the role, so that no session restarts when the role comes or goes.
func Pin(senior, junior *inventory.Node, address netip.Addr, clusterAS uint32, options Options) *calico.BGPPeer {
	as := junior.ASNumber
	if as == 0 {
		as = clusterAS
	}
	return &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: pinName(senior.Name, junior.Name, address), Labels: Ours()},
		Spec: calico.BGPPeerSpec{
			Node: senior.Name, PeerIP: address.String(), ASNumber: as,
			Password: options.Password, MaxRestartTime: options.MaxRestartTime, KeepaliveTime: options.KeepaliveTime,
		},
	}
}

// pinName does not depend on the direction: a pin is turned round in place.
func pinName(a, b string, address netip.Addr) string {
	family := "-v4"
	if address.Is6() {
		family = "-v6"
	}
	names := []string{a, b}
	slices.Sort(names)
	pair, sum := names[0]+"."+names[1], digest(names[0]+"/"+names[1])
	if strings.Contains(a+b, ".") {
		// Names with dots in them can be cut in two at several places: "a.b" with
		// "c", and "a" with "b.c".
		pair += "-" + sum[:8]
	}
	if len(pinPrefix)+len(pair)+len(family) > maxName {
		pair = sum
	}
	return pinPrefix + pair + family
}

// digest stands for a pair of names that is too long or not clear.
func digest(pair string) string {
	sum := sha256.Sum256([]byte(pair))
	return hex.EncodeToString(sum[:16])
}
