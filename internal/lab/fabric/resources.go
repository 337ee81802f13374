package fabric

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Resources are the objects of the API from which Calico derives its sessions.
type Resources struct {
	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	// WithoutCommunities names the nodes whose calico-node is older than v3.32: it
	// ignores communities and operations in a filter and obeys the rest.
	WithoutCommunities map[string]bool
}

// Address families, as indexes.
const (
	v4 = iota
	v6
	families
)

func familyOf(a netip.Addr) int {
	if a.Is4() || a.Is4In6() {
		return v4
	}
	return v6
}

// Calico's defaults.
const (
	defaultAS   = 64512
	defaultPort = 179
)

// host is a node as confd knows it.
type host struct {
	name, uid string
	addr      [families]netip.Addr
	as        uint32
	ownAS     bool   // the node itself says which
	port      uint16 // listenPort, 0 where none is configured
	clusterID string // "" where the annotation is absent or no IPv4 address
	labels    map[string]string
	// broken: the cluster ID passes Calico's validation but not BIRD's parser,
	// so this node's BIRD goes on with the configuration it has.
	broken bool
	old    bool // see Resources.WithoutCommunities
}

func (h *host) equal(o *host) bool {
	return h.name == o.name && h.uid == o.uid && h.addr == o.addr && h.as == o.as && h.ownAS == o.ownAS && h.port == o.port &&
		h.clusterID == o.clusterID && h.broken == o.broken && h.old == o.old && maps.Equal(h.labels, o.labels)
}

// mesh is what the node-to-node mesh consists of.
type mesh struct {
	on         bool
	password   string
	maxRestart int64
	members    []meshMember // only when on
}

type meshMember struct {
	name string
	addr [families]netip.Addr
	as   uint32 // 0 where the node says none
	port uint16
}

func (m *mesh) equal(o *mesh) bool {
	return m.on == o.on && m.password == o.password && m.maxRestart == o.maxRestart && slices.Equal(m.members, o.members)
}

// cluster is what Calico's configuration says of the cluster as a whole.
type cluster struct {
	as    uint32
	port  uint16
	ports map[string]uint16 // node.<name>
	mesh  mesh
}

func readConfigurations(list []calico.BGPConfiguration) cluster {
	c := cluster{as: defaultAS, ports: map[string]uint16{}, mesh: mesh{on: true}}
	for i := range list {
		spec := &list[i].Spec
		if list[i].Name != "default" {
			if node, ok := cutNode(list[i].Name); ok && spec.ListenPort != 0 {
				c.ports[node] = spec.ListenPort
			}
			continue
		}
		if spec.NodeToNodeMeshEnabled != nil {
			c.mesh.on = *spec.NodeToNodeMeshEnabled
		}
		if spec.ASNumber != nil {
			c.as = *spec.ASNumber
		}
		c.port = spec.ListenPort
		c.mesh.password = secretOf(spec.NodeMeshPassword)
		if spec.NodeMeshMaxRestartTime != nil {
			c.mesh.maxRestart = int64(spec.NodeMeshMaxRestartTime.Duration)
		}
	}
	return c
}

func cutNode(name string) (string, bool) {
	const prefix = "node."
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return "", false
	}
	return name[len(prefix):], true
}

func secretOf(p *calico.BGPPassword) string {
	if p == nil || p.SecretKeyRef == nil {
		return ""
	}
	return p.SecretKeyRef.Name + "/" + p.SecretKeyRef.Key
}

func readHosts(r *Resources, c *cluster) []host {
	hosts := make([]host, 0, len(r.Nodes))
	for i := range r.Nodes {
		n := &r.Nodes[i]
		h := host{name: n.Name, uid: n.UID, as: n.ASNumber, port: c.port, labels: n.Labels, old: r.WithoutCommunities[n.Name]}
		h.addr[v4], h.addr[v6] = n.IPv4, n.IPv6
		if h.ownAS = h.as != 0; !h.ownAS {
			h.as = c.as
		}
		if p, ok := c.ports[n.Name]; ok {
			h.port = p
		}
		h.clusterID, h.broken = readClusterID(n.ClusterID)
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b host) int { return cmp.Compare(a.name, b.name) })
	return hosts
}

// readClusterID follows Calico's validation, which takes an IPv4 network as
// well as an address.
func readClusterID(raw string) (id string, broken bool) {
	if a, err := netip.ParseAddr(raw); err == nil && a.Is4() {
		return raw, false
	}
	if p, err := netip.ParsePrefix(raw); err == nil && p.Addr().Is4() {
		return raw, true
	}
	return "", false
}

func meshOf(c *cluster, hosts []host) *mesh {
	m := c.mesh
	if !m.on {
		return &m
	}
	for i := range hosts {
		h := &hosts[i]
		// A node with a cluster ID is out of the mesh on both sides.
		if h.clusterID == "" && (h.addr[v4].IsValid() || h.addr[v6].IsValid()) {
			as := uint32(0)
			if h.ownAS {
				as = h.as
			}
			m.members = append(m.members, meshMember{h.name, h.addr, as, h.port})
		}
	}
	return &m
}
