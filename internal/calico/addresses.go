package calico

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrClusterIDNetwork tells of a cluster ID like 10.0.0.0/8. Calico takes it and
// makes the node a reflector, but BIRD refuses the configuration with it, so the
// node's sessions stay as they were for ever.
var ErrClusterIDNetwork = errors.New("a network where an IPv4 address is needed: Calico takes it, BIRD refuses it")

// ParseClusterID reads the annotation that makes a node a route reflector.
// valid: it is a plain IPv4 address. Without the annotation ("") there is no
// error. An IPv4 network gives ErrClusterIDNetwork; anything else is an error
// too, and Calico ignores it silently: the node is not a reflector.
//
// 0.0.0.0 is valid, but BIRD then uses the node's own router ID.
func ParseClusterID(annotation string) (id netip.Addr, valid bool, err error) {
	if annotation == "" {
		return netip.Addr{}, false, nil
	}
	if addr, err := netip.ParseAddr(annotation); err == nil && addr.Is4() {
		return addr, true, nil
	}
	if prefix, err := netip.ParsePrefix(annotation); err == nil && prefix.Addr().Is4() {
		return netip.Addr{}, false, fmt.Errorf("cluster ID %q is %w", annotation, ErrClusterIDNetwork)
	}
	return netip.Addr{}, false, fmt.Errorf("cluster ID %q is not an IPv4 address: Calico ignores it", annotation)
}

// ParsePeerIP reads the peerIP of a BGPPeer: "192.0.2.1", "192.0.2.1:1790",
// "2001:db8::1" or "[2001:db8::1]:1790". The port is 0 where none is given.
func ParsePeerIP(peerIP string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(peerIP); err == nil {
		return checkPeer(peerIP, addr, 0)
	}
	// netip also takes IPv4 addresses in brackets, which Calico does not.
	if ap, err := netip.ParseAddrPort(peerIP); err == nil && ap.Addr().Is4() != strings.HasPrefix(peerIP, "[") {
		if ap.Port() == 0 {
			return netip.AddrPort{}, fmt.Errorf("peerIP %q: port 0 cannot be peered with", peerIP)
		}
		return checkPeer(peerIP, ap.Addr(), ap.Port())
	}
	return netip.AddrPort{}, fmt.Errorf("peerIP %q is not an address, IPv4:port or [IPv6]:port", peerIP)
}

func checkPeer(peerIP string, addr netip.Addr, port uint16) (netip.AddrPort, error) {
	if addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("peerIP %q: an address with a zone cannot be peered with", peerIP)
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}
