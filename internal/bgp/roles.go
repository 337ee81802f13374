package bgp

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
)

// roles divides the nodes into classes of equal role: any two nodes of a class
// have the same sessions, but for whom exactly they have them with. Everything
// that follows works on classes, so its cost does not grow with the nodes.
//
// Reflectors, and nodes whose address a BGPPeer names, are classes of their own.
type roles struct {
	names   []string
	classOf []int32
	// members of class c are order[start[c]:start[c+1]], by name.
	order []int32
	start []int32
	// matches[n] are the selectors (bits) that match node n, for each view.
	words   int
	matches [][]uint64
}

func (r *roles) count() int              { return len(r.start) - 1 }
func (r *roles) members(c int32) []int32 { return r.order[r.start[c]:r.start[c+1]] }
func (r *roles) size(c int32) int32      { return r.start[c+1] - r.start[c] }
func (r *roles) first(c int32) int32     { return r.order[r.start[c]] }

// selected tells whether a selector matches the nodes of a class in a view.
func (r *roles) selected(view int, c, selector int32) bool {
	at := int(r.first(c))*r.words + int(selector>>6)
	return r.matches[view][at]&(1<<(uint(selector)&63)) != 0
}

// ebgpSingletons is up to how many nodes a cluster with several ASes is modeled
// node by node. Above it, nodes of one role that pass on routes between ASes are
// taken together, which is exact unless a route visits an AS twice.
const ebgpSingletons = 256

// divide finds the classes. extra adds what else tells nodes apart (may be nil).
func divide(views []*view, names []string, extra func(dst []byte, node int32) []byte) *roles {
	r := &roles{names: names, classOf: make([]int32, len(names))}
	r.evaluate(views)
	alone := len(names) <= views[0].tables.ebgpSingletons && severalASes(views)
	index := map[string]int32{}
	var counts []int32
	var key []byte
	for i := range names {
		n := int32(i)
		if !alone && !standsAlone(views, n) {
			key = r.signature(key[:0], views, n)
			if extra != nil {
				key = extra(key, n)
			}
			if c, ok := index[string(key)]; ok {
				r.classOf[n] = c
				counts[c]++
				continue
			}
			index[string(key)] = int32(len(counts))
		}
		r.classOf[n] = int32(len(counts))
		counts = append(counts, 1)
	}
	r.collect(counts)
	return r
}

func (r *roles) collect(counts []int32) {
	r.start = make([]int32, len(counts)+1)
	for c, n := range counts {
		r.start[c+1] = r.start[c] + n
	}
	next := slices.Clone(r.start)
	r.order = make([]int32, len(r.names))
	for i := range r.names {
		c := r.classOf[i]
		r.order[next[c]] = int32(i)
		next[c]++
	}
}

// standsAlone is true of reflectors, and of nodes whose address a BGPPeer names.
func standsAlone(views []*view, n int32) bool {
	for _, v := range views {
		if v.nodes[n].cluster != nowhere && v.nodes[n].present || v.named[n] {
			return true
		}
	}
	return false
}

func severalASes(views []*view) bool {
	for _, v := range views {
		as := v.globalAS
		for i := range v.nodes {
			if v.nodes[i].present && v.nodes[i].as != as {
				return true
			}
		}
		for i := range v.peers {
			if v.peers[i].localAS != 0 {
				return true
			}
		}
	}
	return false
}

func (r *roles) signature(key []byte, views []*view, n int32) []byte {
	for i, v := range views {
		node := &v.nodes[n]
		bits := flag(node.present) | flag(node.addr[IPv4].IsValid())<<1 | flag(node.addr[IPv6].IsValid())<<2 | flag(node.ownAS)<<3
		key = append(key, bits)
		key = binary.LittleEndian.AppendUint32(key, node.as)
		key = binary.LittleEndian.AppendUint16(key, node.port)
		if i > 0 && node.addr != views[0].nodes[n].addr {
			key = append(key, 'a') // moved: its sessions restart
			key = appendAddrs(key, node.addr)
		}
		for f := range node.routes {
			key = append(key, byte(len(node.routes[f])))
			for _, kind := range node.routes[f] {
				key = binary.LittleEndian.AppendUint64(key, kind)
			}
		}
		key = v.appendPassive(key, node)
		for _, p := range v.ofNode[n] {
			key = v.peers[p].appendRole(key)
		}
		at := int(n) * r.words
		for _, w := range r.matches[i][at : at+r.words] {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
	}
	return key
}

// appendRole says what a BGPPeer of one node makes of that node: another node with
// the same BGPPeers but for their names has the same role. Where they stand among
// the others counts, as the first by name wins.
func (p *peer) appendRole(key []byte) []byte {
	key = append(key, 'p', flag(p.hasAddr), flag(p.exact), flag(p.manual), flag(p.matchNothing))
	for _, n := range [...]int32{p.shared, p.remoteSelector, p.opts, p.allowLocalAS,
		p.chains[IPv4].imports, p.chains[IPv4].exports, p.chains[IPv6].imports, p.chains[IPv6].exports} {
		key = binary.LittleEndian.AppendUint32(key, uint32(n))
	}
	key = binary.LittleEndian.AppendUint32(key, p.as)
	key = binary.LittleEndian.AppendUint32(key, p.localAS)
	key = binary.LittleEndian.AppendUint16(key, p.port)
	return appendAddrs(key, [families]netip.Addr{p.addr})
}

// appendPassive tells nodes apart by which global peerings with nodes by address
// are passive on them: those with an address greater than the node's own.
func (v *view) appendPassive(key []byte, n *node) []byte {
	for _, i := range v.globalByAddr {
		key = append(key, flag(v.peers[i].passiveOn(n)))
	}
	return key
}

// passiveOn tells whether a global peering by address leaves it to the other node
// to connect. Calico compares the addresses as strings.
func (p *peer) passiveOn(n *node) bool {
	return p.exact && p.addrNode != nowhere && p.addr.String() > n.addr[familyOf(p.addr.Is4())].String()
}

func appendAddrs(key []byte, addrs [families]netip.Addr) []byte {
	for _, a := range addrs {
		b := a.As16()
		key = append(key, b[:]...)
	}
	return key
}

// evaluate runs every distinct selector once for every node. Nodes that agree in
// the labels that selectors look at share the result.
func (r *roles) evaluate(views []*view) {
	selectors := views[0].tables.selectors
	r.words = (len(selectors) + 63) / 64
	r.matches = make([][]uint64, len(views))
	if r.words == 0 {
		for i := range views {
			r.matches[i] = []uint64{}
		}
		return
	}
	memo := newProjection(selectors)
	for i, v := range views {
		r.matches[i] = make([]uint64, r.words*len(r.names))
		for n := range v.nodes {
			switch {
			case !v.nodes[n].present:
			case i > 0 && sameMap(v.nodes[n].labels, views[0].nodes[n].labels):
				copy(r.matches[i][n*r.words:(n+1)*r.words], r.matches[0][n*r.words:])
			default:
				memo.evaluate(v.nodes[n].labels, r.matches[i][n*r.words:(n+1)*r.words])
			}
		}
	}
}

// sameMap tells whether two maps are one, as are the labels of a node that a step
// does not touch.
func sameMap(a, b map[string]string) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer()
}
