package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// lan is all machines, their wire, and what is read from their kernels.
type lan struct {
	options *Options
	network *network
	monitor *monitor
	ledger  *ledger

	mu       sync.Mutex
	machines map[string]*machine
	owners   map[netip.Prefix]string // of the blocks
	outages  []outage
	skew     map[string]Span // nodes that take another time than options.Lag
}

func newLAN(o *Options) (*lan, error) {
	l := &lan{options: o, ledger: newLedger(), machines: map[string]*machine{}, owners: map[netip.Prefix]string{}}
	var err error
	if l.network, err = newNetwork(); err != nil {
		return nil, err
	}
	if l.monitor, err = newMonitor(l.change); err != nil {
		return nil, errors.Join(err, l.network.close())
	}
	return l, nil
}

// change keeps the ledger.
func (l *lan) change(node string, network netip.Prefix, metric uint32, added bool, at time.Time) {
	if p := (pair{node, network}); added {
		l.ledger.added(p, metric, at)
	} else {
		l.ledger.deleted(p, metric, at)
	}
}

// add boots a new machine; its BIRD starts with begin.
func (l *lan) add(p plan) error {
	m := newMachine(l, p)
	l.mu.Lock()
	l.machines[p.name] = m
	for _, block := range p.blocks {
		l.owners[block] = p.name
	}
	l.mu.Unlock()
	return m.powerOn()
}

// set tells all machines what the API holds since now.
func (l *lan) set(in birdconf.Input) {
	v := version{at: time.Now(), input: in}
	for _, m := range l.all() {
		m.versions <- v
	}
}

func (l *lan) machine(name string) (*machine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.machines[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("no such node: %s", name)
}

// all machines, by name.
func (l *lan) all() []*machine {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*machine, 0, len(l.machines))
	for _, m := range l.machines {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *machine) int { return strings.Compare(a.name, b.name) })
	return out
}

// fails notes that a node has no power or no link from now on; recovers ends that.
func (l *lan) fails(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outages = append(l.outages, outage{node: node, from: time.Now()})
}

func (l *lan) recovers(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.outages {
		if o := &l.outages[i]; o.node == node && o.to.IsZero() {
			o.to = time.Now()
		}
	}
}

func (l *lan) allOutages() []outage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.outages)
}

// delay makes nodes take another time for what the API holds; nil undoes it.
func (l *lan) delay(skew map[string]Span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.skew = skew
}

func (l *lan) lag(node string) Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	if span, ok := l.skew[node]; ok {
		return span
	}
	return l.options.Lag
}

// missing are the pairs of machines that work and have no route.
func (l *lan) missing() []pair {
	var out []pair
	all := l.all()
	for _, from := range all {
		for _, to := range all {
			if from == to || !from.works() || !to.works() {
				continue
			}
			for _, family := range []birdconf.Family{birdconf.IPv4, birdconf.IPv6} {
				if block, ok := to.blocks[family]; ok && !l.ledger.has(pair{from.name, block}) {
					out = append(out, pair{from.name, block})
				}
			}
		}
	}
	return out
}

// calm says what is not at rest; "" when all sessions between machines that work are
// up, and all have all routes.
func (l *lan) calm() string {
	if missing := l.missing(); len(missing) > 0 {
		return fmt.Sprintf("%d pairs have no route: %s to %s for one", len(missing), missing[0].node, l.owners[missing[0].network])
	}
	for _, m := range l.all() {
		if text := l.connected(m); text != "" {
			return text
		}
	}
	return ""
}

// connected says which session of a machine with others that work is not up. One
// that does not work itself need not have any.
func (l *lan) connected(m *machine) string {
	if !m.works() {
		return ""
	}
	families, err := m.protocols()
	if err != nil {
		return err.Error()
	}
	dark := l.dark()
	for _, protocols := range families {
		for i := range protocols {
			if p := &protocols[i]; !p.Up && !dark[p.Neighbor] {
				return fmt.Sprintf("session %s of %s is %s", p.Name, m.name, p.State)
			}
		}
	}
	return ""
}

// working is how many machines work.
func (l *lan) working() int {
	n := 0
	for _, m := range l.all() {
		if m.works() {
			n++
		}
	}
	return n
}

// dark are the addresses of the machines that do not work.
func (l *lan) dark() map[string]bool {
	out := map[string]bool{}
	for _, m := range l.all() {
		if !m.works() {
			for _, address := range m.addresses {
				out[address.Addr().String()] = true
			}
		}
	}
	return out
}

// health returns what has broken by itself.
func (l *lan) health() error {
	err := l.monitor.failure()
	for _, m := range l.all() {
		err = errors.Join(err, m.health())
	}
	return err
}

func (l *lan) close() error {
	var errs []error
	for _, m := range l.all() {
		errs = append(errs, m.close())
	}
	return errors.Join(append(errs, l.monitor.close(), l.network.close())...)
}
