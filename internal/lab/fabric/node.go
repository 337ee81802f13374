package fabric

import (
	"net/netip"
	"slices"
)

// node is one calico-node with its BIRD.
type node struct {
	name, uid string
	slot      int
	// powered: false after a power loss. gone: it has no Node object any more.
	powered, gone bool
	boot          uint32
	lastApply     int64  // when the last version scheduled for it arrives
	wantedID      string // its cluster ID in the API

	// What its BIRD runs.
	mesh      *mesh // nil: nothing yet
	self      host
	peerings  []protocol
	meshPart  meshPart
	addr      [families]netip.Addr
	clusterID string
	neigh     [families]map[netip.Addr]*neighbor

	// settled: it has had all its sessions up at once since it booted. Until
	// then it is joining, and its pairs are in no account.
	settled bool
	// roleChanged: its cluster ID changed since the last ResetAccount.
	roleChanged bool

	rr     [families]int // index among the reflectors, -1 for none
	idBit  int
	frozen [families]map[*node][]path // what it had when its power went
}

// neighbor is what a node has configured towards one address. The protocols
// wait in line for the lock on the address: the first one has it.
type neighbor struct {
	addr netip.Addr
	line []protocol
	sess *session
	seen uint64
}

func (nb *neighbor) holder() protocol { return nb.line[0] }

// firstByName is the protocol to which BIRD gives an incoming connection,
// whether or not it has the lock.
func (nb *neighbor) firstByName() protocol {
	first := nb.line[0]
	for _, p := range nb.line[1:] {
		if p.before(first) {
			first = p
		}
	}
	return first
}

// replace takes a new configuration over: unchanged protocols keep their place
// in line, changed and new ones go to its end. It tells whether anything
// changed, and whether the holder of the lock did. New filters are no change
// here.
func (nb *neighbor) replace(want []protocol) (changed, holder bool) {
	nb.refilter(want)
	if len(nb.line) == len(want) && sameSet(nb.line, want) {
		return false, false
	}
	old := nb.line[0]
	var line []protocol
	for _, p := range nb.line {
		if find(want, p) >= 0 {
			line = append(line, p)
		}
	}
	for _, p := range want {
		if find(line, p) < 0 {
			line = append(line, p)
		}
	}
	nb.line = line
	return true, find(want, old) < 0
}

// refilter gives the protocols that stay their new filters.
func (nb *neighbor) refilter(want []protocol) {
	for i := range nb.line {
		if j := find(want, nb.line[i]); j >= 0 {
			nb.line[i].rules = want[j].rules
		}
	}
}

// find returns the place of a protocol, whatever its filters, or -1.
func find(list []protocol, p protocol) int { return slices.IndexFunc(list, p.same) }

func sameSet(a, b []protocol) bool {
	for _, p := range a {
		if find(b, p) < 0 {
			return false
		}
	}
	return true
}

// release lets the next protocol in line have the lock: a session that goes
// down gives it back before it tries again.
func (nb *neighbor) release() {
	if len(nb.line) > 1 {
		nb.line = append(nb.line[1:], nb.line[0])
	}
}

// neighbors of a family, sorted by address.
func (n *node) neighbors(family int) []*neighbor {
	out := make([]*neighbor, 0, len(n.neigh[family]))
	for _, nb := range n.neigh[family] {
		out = append(out, nb)
	}
	slices.SortFunc(out, func(a, b *neighbor) int { return a.addr.Compare(b.addr) })
	return out
}

// apply makes a node run a version. A configuration that BIRD refuses changes
// nothing.
func (f *Fabric) apply(n *node, v *version) {
	h := v.byName[n.name]
	if h == nil || !n.powered || n.gone {
		return
	}
	peerings, ok := f.renderPeerings(v, h)
	if !ok {
		return
	}
	same := n.mesh != nil && n.mesh == v.mesh && sameSelf(&n.self, h) && slices.Equal(peerings, n.peerings)
	// Not the version itself: all that was ever run would stay in memory.
	n.mesh, n.self, n.peerings = v.mesh, *h, peerings
	if same {
		return
	}
	all := append(f.renderMesh(n, v, h), peerings...)
	slices.SortFunc(all, compareProtocols)
	if n.clusterID != h.clusterID {
		n.clusterID = h.clusterID
		f.planes[v4].dirty, f.planes[v6].dirty = true, true
	}
	for family := range families {
		f.reconfigure(n, family, h.addr[family], all)
	}
}

func sameSelf(a, b *host) bool {
	return a.addr == b.addr && a.as == b.as && a.port == b.port && a.clusterID == b.clusterID
}

// reconfigure is what BIRD does with a new configuration of one family.
func (f *Fabric) reconfigure(n *node, family int, own netip.Addr, want []protocol) {
	f.mark++
	if n.addr[family] != own {
		f.moveAddress(n, family, own)
	}
	if n.neigh[family] == nil {
		n.neigh[family] = map[netip.Addr]*neighbor{}
	}
	var touched []*neighbor
	left := 0
	for len(want) > 0 {
		addr, end := want[0].opt.remote, 1
		for end < len(want) && want[end].opt.remote == addr {
			end++
		}
		if familyOf(addr) == family {
			left++
			if nb := f.configure(n, family, addr, want[:end]); nb != nil {
				touched = append(touched, nb)
			}
		}
		want = want[end:]
	}
	if len(n.neigh[family]) > left {
		f.removeNeighbors(n, family)
	}
	for _, nb := range touched {
		f.consider(n, family, nb)
	}
}

// removeNeighbors: those that the last configuration did not name.
func (f *Fabric) removeNeighbors(n *node, family int) {
	for _, nb := range n.neighbors(family) {
		if nb.seen == f.mark {
			continue
		}
		delete(n.neigh[family], nb.addr)
		if nb.sess != nil {
			f.closeBy(nb.sess, n)
		}
	}
}

// configure gives a node its protocols towards one neighbor, and returns that if
// anything changed.
func (f *Fabric) configure(n *node, family int, addr netip.Addr, group []protocol) *neighbor {
	nb := n.neigh[family][addr]
	if nb == nil {
		nb = &neighbor{addr: addr, line: slices.Clone(group), seen: f.mark}
		n.neigh[family][addr] = nb
		return nb
	}
	nb.seen = f.mark
	changed, holder := nb.replace(group)
	if nb.sess != nil && !holder {
		f.refilter(nb.sess, n, nb.holder().rules)
	}
	if !changed {
		return nil
	}
	if holder && nb.sess != nil {
		f.closeBy(nb.sess, n)
	}
	return nb
}

// moveAddress: a node has got, lost or changed its address.
func (f *Fabric) moveAddress(n *node, family int, own netip.Addr) {
	if f.owner[family][n.addr[family]] == n {
		delete(f.owner[family], n.addr[family])
	}
	n.addr[family] = own
	if own.IsValid() {
		f.owner[family][own] = n
	}
	f.planes[family].reset(f, n)
}
