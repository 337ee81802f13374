package birdconf

import (
	"cmp"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Protocol is one BGP protocol of a node's BIRD configuration, before it becomes
// text. Facts: buildPeerFromData in Calico's confd/pkg/backends/calico.
type Protocol struct {
	Name string
	IP   netip.Addr
	Port uint16 // 0: BGP's own
	AS   uint32
	// ClusterID makes the neighbor a client (rr client) of this cluster ID.
	ClusterID string
	// Passive: the neighbor dials.
	Passive bool
	// Source: the node's own address is the connection's.
	Source    bool
	Restart   *metav1.Duration
	Keepalive *metav1.Duration
	Password  string
	Filters   []string
}

// protocols are those of one node: the mesh's, those of every node, its own.
func (s *solver) protocols(n *inventory.Node) []Protocol {
	own := s.family.Of(n)
	if !own.IsValid() {
		return nil
	}
	out := s.mesh(n)
	for key, p := range s.peerings {
		switch {
		case p.ip == own:
		case key.node == "":
			out = append(out, s.protocol("Global", n, &p))
		case key.node == n.Name:
			out = append(out, s.protocol("Node", n, &p))
		}
	}
	slices.SortFunc(out, func(a, b Protocol) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// mesh: a node with a cluster ID is out of it on both sides.
func (s *solver) mesh(n *inventory.Node) []Protocol {
	if ClusterID(n) != "" || !calico.MeshEnabled(s.in.Configurations) {
		return nil
	}
	var out []Protocol
	for i := range s.in.Nodes {
		other := &s.in.Nodes[i]
		ip := s.family.Of(other)
		if other.Name == n.Name || !ip.IsValid() || ClusterID(other) != "" {
			continue
		}
		as := other.ASNumber
		if as == 0 {
			as = s.in.asNumber(n)
		}
		p := Protocol{
			Name: protocolName("Mesh", ip, 0), IP: ip, Port: calico.ListenPort(s.in.Configurations, other.Name),
			AS: as, Source: true, Passive: ip.String() > s.family.Of(n).String(),
		}
		if d := calico.Default(s.in.Configurations); d != nil {
			p.Restart, p.Password = d.Spec.NodeMeshMaxRestartTime, passwordOf(d.Spec.NodeMeshPassword)
		}
		out = append(out, p)
	}
	return out
}

func (s *solver) protocol(kind string, n *inventory.Node, p *peering) Protocol {
	out := Protocol{
		Name: protocolName(kind, p.ip, p.port), IP: p.ip, Port: p.port, AS: p.as, Source: sourceOf(p.spec) == "UseNodeIP",
		Restart: p.spec.MaxRestartTime, Keepalive: p.spec.KeepaliveTime, Password: passwordOf(p.spec.Password), Filters: p.spec.Filters,
	}
	// The neighbor is a client of a reflector unless it is known to have the same
	// cluster ID.
	if id := ClusterID(n); id != "" && p.as == s.in.asNumber(n) && p.clusterID != id {
		out.ClusterID = id
	}
	out.Passive = kind == "Global" && p.calicoNode && p.ip.String() > s.family.Of(n).String()
	return out
}

func sourceOf(s *calico.BGPPeerSpec) string {
	if s.SourceAddress == "" {
		return "UseNodeIP"
	}
	return s.SourceAddress
}

// passwordOf makes a password out of the name of the secret that has it: nobody
// here reads secrets, and both sides do it the same way.
func passwordOf(p *calico.BGPPassword) string {
	if p == nil || p.SecretKeyRef == nil {
		return ""
	}
	return p.SecretKeyRef.Name + "/" + p.SecretKeyRef.Key
}
