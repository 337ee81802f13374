package fabric

import (
	"net/netip"
	"slices"
	"strconv"

	"tapetum.dev/tapetum/internal/calico"
)

// kind is what a protocol is named after. The order is that of the names, in
// which BIRD looks for the protocol of an incoming connection.
type kind uint8

const (
	kindGlobal kind = iota
	kindMesh
	kindNode
)

// options is everything of a protocol whose change restarts its session. Equal
// options are one pointer.
type options struct {
	local, remote netip.Addr
	localAS       uint32
	remoteAS      uint32
	remotePort    uint16 // as configured, 0 for BGP's
	listenPort    uint16 // this node's
	client        bool
	clusterID     string // only where client: rendered beside it
	passive       bool
	password      string
	maxRestart    int64
	keepalive     int64
	ttl           int32 // -1 off
	anySource     bool
	nextHop       string
	keepNextHop   bool
	allowedLocal  int32
	reachableBy   string
}

// protocol is one BGP protocol in a node's BIRD configuration.
type protocol struct {
	kind kind
	port uint16 // in the name, 0 for none
	opt  *options
	// rules of its filters: a change of them sends the routes anew and restarts
	// nothing.
	rules *ruleset
}

// same: BIRD goes on with the session where one replaces the other.
func (p protocol) same(o protocol) bool {
	return p.kind == o.kind && p.port == o.port && p.opt == o.opt
}

// before orders protocols to the same neighbor by their names.
func (p protocol) before(o protocol) bool {
	if p.kind != o.kind {
		return p.kind < o.kind
	}
	return portSuffix(p.port) < portSuffix(o.port)
}

func portSuffix(port uint16) string {
	if port == 0 {
		return ""
	}
	return "_port_" + strconv.Itoa(int(port))
}

// version is the state of the API after one write, solved.
type version struct {
	hosts    []host
	byName   map[string]*host
	as       uint32
	mesh     *mesh
	peerings map[string][]peering
	filters  map[string]*calico.BGPFilterSpec
	rules    map[rulesKey]*ruleset
}

func (f *Fabric) newVersion(hosts []host, c *cluster) *version {
	v := &version{
		hosts: hosts, as: c.as, byName: make(map[string]*host, len(hosts)),
		filters: map[string]*calico.BGPFilterSpec{}, rules: map[rulesKey]*ruleset{},
	}
	for i := range f.filters {
		v.filters[f.filters[i].Name] = &f.filters[i].Spec
	}
	for i := range hosts {
		v.byName[hosts[i].name] = &hosts[i]
	}
	v.mesh = meshOf(c, hosts)
	if f.current != nil && f.current.mesh.equal(v.mesh) {
		v.mesh = f.current.mesh
	}
	v.peerings = solve(hosts, f.peers, c.as, f.rng)
	return v
}

// renderPeerings returns the Global_ and Node_ protocols of a node, by
// neighbor. ok is false where BIRD would refuse the whole configuration.
func (f *Fabric) renderPeerings(v *version, h *host) (out []protocol, ok bool) {
	if h.broken {
		return nil, false
	}
	for _, part := range []struct {
		node string
		kind kind
	}{{"", kindGlobal}, {h.name, kindNode}} {
		for i := range v.peerings[part.node] {
			p := &v.peerings[part.node][i]
			own := h.addr[familyOf(p.addr)]
			if p.addr == own || !own.IsValid() {
				continue
			}
			if p.as == 0 {
				return nil, false // "as 0": Remote AS number must be set
			}
			o := peeringOptions(p, h, own, part.kind)
			rules := f.rulesOf(v, rulesKey{p.spec, familyOf(p.addr), o.localAS == o.remoteAS, h.old})
			out = append(out, protocol{part.kind, p.port, f.intern(o), rules})
		}
	}
	slices.SortFunc(out, compareProtocols)
	return out, true
}

func peeringOptions(p *peering, h *host, own netip.Addr, k kind) options {
	o := options{
		local: own, remote: p.addr, localAS: h.as, remoteAS: p.as, remotePort: p.port, listenPort: h.port,
		password: secretOf(p.spec.Password), ttl: -1, anySource: p.spec.SourceAddress == "None",
		nextHop: p.spec.NextHopMode, keepNextHop: p.spec.KeepOriginalNextHop, reachableBy: p.spec.ReachableBy,
	}
	if p.spec.LocalASNumber != nil {
		o.localAS = *p.spec.LocalASNumber
	}
	if p.spec.MaxRestartTime != nil {
		o.maxRestart = int64(p.spec.MaxRestartTime.Duration)
	}
	if p.spec.KeepaliveTime != nil {
		o.keepalive = int64(p.spec.KeepaliveTime.Duration)
	}
	if p.spec.TTLSecurity != nil {
		o.ttl = *p.spec.TTLSecurity
	}
	if p.spec.NumAllowedLocalASNumber != nil {
		o.allowedLocal = *p.spec.NumAllowedLocalASNumber
	}
	// The neighbor is a client of a reflector unless it is known to have the
	// same cluster ID.
	if p.as == o.localAS && h.clusterID != "" && p.clusterID != h.clusterID {
		o.client, o.clusterID = true, h.clusterID
	}
	o.passive = k == kindGlobal && p.calicoNode && p.addr.String() > own.String()
	return o
}

// compareProtocols orders by neighbor, then by name.
func compareProtocols(a, b protocol) int {
	if c := a.opt.remote.Compare(b.opt.remote); c != 0 {
		return c
	}
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}

func (f *Fabric) intern(o options) *options {
	if p, ok := f.options[o]; ok {
		return p
	}
	p := &o
	f.options[o] = p
	return p
}
