package fabric

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"tapetum.dev/tapetum/internal/calico"
)

// Fabric is the simulation. It is not safe for concurrent use.
type Fabric struct {
	timing  Timing
	rng     *rand.Rand
	now     int64
	queue   eventQueue
	seq     uint64
	mark    uint64
	options map[options]*options

	communities map[string]int
	rulesets    map[string]*ruleset

	current *version
	peers   []calico.BGPPeer
	filters []calico.BGPFilter

	slots   []*node // nil: free
	byName  map[string]*node
	leaving []*node // without Node object, but peers still know them
	owner   [families]map[netip.Addr]*node
	planes  [families]*plane

	changing func(node string) bool
	folded   Account // losses of pairs that no longer are
}

// New returns an empty cluster. Runs with the same seed and the same calls are
// the same.
func New(seed uint64, t Timing) *Fabric {
	f := &Fabric{
		timing: t, rng: rand.New(rand.NewPCG(seed, 0x7461706574756d)), //nolint:gosec // a simulation wants a seed
		options: map[options]*options{}, byName: map[string]*node{},
		communities: map[string]int{}, rulesets: map[string]*ruleset{},
	}
	for family := range families {
		f.owner[family] = map[netip.Addr]*node{}
		f.planes[family] = &plane{family: family}
	}
	return f
}

// Set tells what the API holds since now. Every node sees it after its own lag.
// Nodes that are no longer there have been taken away with their machine. r must
// not be changed afterwards.
func (f *Fabric) Set(now time.Time, r Resources) {
	f.Advance(now)
	c := readConfigurations(r.Configurations)
	hosts := readHosts(&r, &c)
	peers := slices.SortedFunc(slices.Values(r.Peers), func(a, b calico.BGPPeer) int { return cmp.Compare(a.Name, b.Name) })
	filters := slices.SortedFunc(slices.Values(r.Filters), func(a, b calico.BGPFilter) int { return cmp.Compare(a.Name, b.Name) })
	if f.unchanged(hosts, &c, peers) && f.sameFilters(filters) {
		return
	}
	f.peers, f.filters = peers, filters
	f.current = f.newVersion(hosts, &c)
	f.takeNodes()
	for _, n := range f.slots {
		if n != nil && n.powered && !n.gone {
			f.sendVersion(n)
		}
	}
	f.settle()
}

// unchanged: nothing that confd would act on.
func (f *Fabric) unchanged(hosts []host, c *cluster, peers []calico.BGPPeer) bool {
	v := f.current
	if v == nil || len(hosts) != len(v.hosts) || len(peers) != len(f.peers) || v.as != c.as {
		return false
	}
	for i := range hosts {
		if !hosts[i].equal(&v.hosts[i]) {
			return false
		}
	}
	for i := range peers {
		if peers[i].Name != f.peers[i].Name || !reflect.DeepEqual(peers[i].Spec, f.peers[i].Spec) {
			return false
		}
	}
	return v.mesh.equal(meshOf(c, hosts))
}

func (f *Fabric) sameFilters(filters []calico.BGPFilter) bool {
	return slices.EqualFunc(filters, f.filters, func(a, b calico.BGPFilter) bool {
		return a.Name == b.Name && reflect.DeepEqual(a.Spec, b.Spec)
	})
}

// takeNodes brings the nodes in line with the Node objects.
func (f *Fabric) takeNodes() {
	for _, n := range slices.Clone(f.slots) {
		if n == nil || n.gone {
			continue
		}
		h := f.current.byName[n.name]
		if h == nil || h.uid != n.uid {
			f.retire(n)
			continue
		}
		if n.wantedID != h.clusterID {
			n.wantedID, n.roleChanged = h.clusterID, true
		}
	}
	for i := range f.current.hosts {
		h := &f.current.hosts[i]
		if f.byName[h.name] != nil {
			continue
		}
		n := &node{name: h.name, uid: h.uid, powered: true, wantedID: h.clusterID, rr: [families]int{-1, -1}}
		n.slot = slices.Index(f.slots, nil)
		if n.slot < 0 {
			n.slot = len(f.slots)
			f.slots = append(f.slots, nil)
		}
		f.slots[n.slot] = n
		f.byName[h.name] = n
	}
}

// sendVersion lets a node see the current version after its lag, but never
// before an older one.
func (f *Fabric) sendVersion(n *node) {
	n.lastApply = max(f.now+draw(f.rng, f.timing.Lag), n.lastApply)
	f.push(event{at: n.lastApply, kind: evApply, node: n, boot: n.boot, ver: f.current})
}

func (f *Fabric) push(e event) {
	f.seq++
	e.seq = f.seq
	heap.Push(&f.queue, e)
}

// Advance runs everything that happens up to now. Time does not go backwards: an
// earlier now is taken as the latest one seen.
func (f *Fabric) Advance(now time.Time) {
	until := now.UnixNano()
	for len(f.queue) > 0 && f.queue[0].at <= until {
		at := f.queue[0].at
		f.now = max(f.now, at)
		for len(f.queue) > 0 && f.queue[0].at == at {
			f.run(heap.Pop(&f.queue).(event))
		}
		f.settle()
	}
	f.now = max(f.now, (until+tick-1)/tick*tick)
}

// settle works the routes out after what has just happened.
func (f *Fabric) settle() {
	for _, p := range f.planes {
		p.flush(f)
	}
	f.settleNodes()
	f.leaving = slices.DeleteFunc(f.leaving, func(n *node) bool {
		if n.inUse() {
			return false
		}
		for family := range families {
			if f.owner[family][n.addr[family]] == n {
				delete(f.owner[family], n.addr[family])
			}
			f.planes[family].forget(n)
		}
		f.slots[n.slot] = nil
		return true
	})
}

func (f *Fabric) run(e event) {
	if e.kind != evApply {
		f.onSession(e)
		return
	}
	if e.boot == e.node.boot {
		f.apply(e.node, e.ver)
	}
}

// NextEvent returns the time of the next thing to happen; false when nothing
// will.
func (f *Fabric) NextEvent() (time.Time, bool) {
	for len(f.queue) > 0 {
		e := f.queue[0]
		stale := e.sess != nil && e.sess.gen != e.gen || e.node != nil && e.node.boot != e.boot
		if !stale {
			return time.Unix(0, e.at).UTC(), true
		}
		heap.Pop(&f.queue)
	}
	return time.Time{}, false
}
