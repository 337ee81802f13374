package e2e

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// lossFrom is how long a route must be away to count as lost, whatever the reason.
// BIRD deletes and adds a route where it replaces it; such gaps are shorter.
const lossFrom = 100 * time.Millisecond

// nearby is how far apart BIRD's own word of a removal and the kernel's may be read.
const nearby = 100 * time.Millisecond

// pair is a node, and a network that is another node's.
type pair struct {
	node    string
	network netip.Prefix
}

// gap is a time in which a node's kernel had no route to a network.
type gap struct {
	pair
	from, to time.Time // to is zero while it lasts
	// pathless: BIRD itself had no path, so it was no replacement.
	pathless bool
}

func (g *gap) length(now time.Time) time.Duration {
	if g.to.IsZero() {
		return now.Sub(g.from)
	}
	return g.to.Sub(g.from)
}

// lost tells a loss from the replacement of a route.
func (g *gap) lost(now time.Time) bool { return g.pathless || g.length(now) >= lossFrom }

// ledger keeps, for every pair, whether the kernel has a route, and all gaps. A
// pair counts from the first route on.
type ledger struct {
	mu       sync.Mutex
	routes   map[pair]map[uint32]bool // by metric: a kernel may have several
	open     map[pair]*gap
	gaps     []*gap
	removals map[pair][]time.Time
}

func newLedger() *ledger {
	return &ledger{routes: map[pair]map[uint32]bool{}, open: map[pair]*gap{}, removals: map[pair][]time.Time{}}
}

// added: the kernel has a route.
func (l *ledger) added(p pair, metric uint32, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes[p] == nil {
		l.routes[p] = map[uint32]bool{}
	}
	l.routes[p][metric] = true
	if g := l.open[p]; g != nil {
		g.to = at
		delete(l.open, p)
	}
}

// deleted: the kernel has a route no more.
func (l *ledger) deleted(p pair, metric uint32, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.routes[p][metric] {
		return
	}
	delete(l.routes[p], metric)
	if len(l.routes[p]) == 0 {
		g := &gap{pair: p, from: at}
		l.open[p], l.gaps = g, append(l.gaps, g)
	}
}

// removed: BIRD has no path any more.
func (l *ledger) removed(p pair, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removals[p] = append(l.removals[p], at)
}

// has tells whether the kernel has a route now.
func (l *ledger) has(p pair) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.routes[p]) > 0
}

// pairs are all that have had a route, on machines that are there.
func (l *ledger) pairs() []pair {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.routes))
}

// forget drops all that is known of a node's kernel: it is gone.
func (l *ledger) forget(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.routes {
		if p.node == node {
			delete(l.routes, p)
		}
	}
	for p := range l.open {
		if p.node == node {
			delete(l.open, p)
		}
	}
	l.gaps = slices.DeleteFunc(l.gaps, func(g *gap) bool { return g.node == node && g.to.IsZero() })
}

// since returns the gaps that touch the time from then on, in order.
func (l *ledger) since(then time.Time) []gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []gap
	for _, g := range l.gaps {
		if !g.to.IsZero() && g.to.Before(then) {
			continue
		}
		copied := *g
		copied.pathless = slices.ContainsFunc(l.removals[g.pair], func(at time.Time) bool {
			return at.After(g.from.Add(-nearby)) && (g.to.IsZero() || at.Before(g.to.Add(nearby)))
		})
		out = append(out, copied)
	}
	slices.SortStableFunc(out, func(a, b gap) int {
		return cmp.Or(a.from.Compare(b.from), cmp.Compare(a.node, b.node), a.network.Addr().Compare(b.network.Addr()))
	})
	return out
}
