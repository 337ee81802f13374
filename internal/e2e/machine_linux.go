package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// version is what the API held at a moment.
type version struct {
	at    time.Time
	input birdconf.Input
}

// machine is one node: a kernel's network, a BIRD a family, and what plays confd.
type machine struct {
	plan
	lan *lan

	versions chan version
	rng      *rand.Rand // of the goroutine that plays confd
	done     sync.WaitGroup

	mu      sync.Mutex // guards all below
	powered bool
	cable   bool // plugged in
	wedged  bool // BIRD stands still
	where   *namespace
	birds   map[birdconf.Family]*bird
	latest  *birdconf.Input // what confd runs with
	refused error           // a configuration that BIRD does not take
}

// versionsAhead is how many writes confd may be behind.
const versionsAhead = 4096

func newMachine(l *lan, p plan) *machine {
	m := &machine{
		plan: p, lan: l, versions: make(chan version, versionsAhead),
		rng: rand.New(rand.NewPCG(l.options.Seed, uint64(p.index))), //nolint:gosec // repeatable, and a plan's index
	}
	m.done.Go(m.confd)
	return m
}

// confd takes one version after the other, each some time after the write. The
// lag was measured on Calico's own.
func (m *machine) confd() {
	for v := range m.versions {
		span := m.lan.lag(m.name)
		lag := span.Min
		if span.Max > span.Min {
			lag += time.Duration(m.rng.Int64N(int64(span.Max - span.Min)))
		}
		time.Sleep(time.Until(v.at.Add(lag)))
		m.run(&v.input)
	}
}

func (m *machine) run(in *birdconf.Input) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest = in
	if m.powered {
		m.refused = m.configure(in)
	}
}

// configure writes the configuration of every BIRD. A node whose object has gone
// keeps what it has.
func (m *machine) configure(in *birdconf.Input) error {
	var self *inventory.Node
	for i := range in.Nodes {
		if in.Nodes[i].Name == m.name {
			self = &in.Nodes[i]
		}
	}
	if self == nil {
		return nil
	}
	var errs []error
	for family, b := range m.birds {
		protocols, _ := birdconf.Derive(in, family, m.rng.Perm)
		errs = append(errs, b.apply(birdconf.Render(in, family, self, protocols[m.name])))
	}
	return errors.Join(errs...)
}

// powerOn boots the machine: a fresh kernel, without a route.
func (m *machine) powerOn() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.powered {
		return nil
	}
	if err := m.wire(); err != nil {
		return err
	}
	m.powered, m.cable, m.wedged = true, true, false
	if m.latest == nil {
		return nil // BIRD starts with the first version
	}
	if err := m.configure(m.latest); err != nil {
		return err
	}
	return m.startBirds()
}

// wire makes the namespace and plugs it in.
func (m *machine) wire() error {
	var err error
	if m.where, err = newNamespace(); err != nil {
		return err
	}
	if err := m.lan.monitor.watch(m.name, m.where); err != nil {
		return err
	}
	var addresses []netip.Prefix
	m.birds = map[birdconf.Family]*bird{}
	for family, address := range m.addresses {
		addresses = append(addresses, address)
		removed := func(network netip.Prefix, at time.Time) { m.lan.ledger.removed(pair{m.name, network}, at) }
		if m.birds[family], err = newBird(m.lan.options.Birds[family], m.lan.options.Dir, m.name, family, m.where, removed); err != nil {
			return err
		}
	}
	return m.lan.network.join(m.where, m.index, addresses...)
}

func (m *machine) startBirds() error {
	var errs []error
	for _, b := range m.birds {
		errs = append(errs, b.start())
	}
	return errors.Join(errs...)
}

// begin starts BIRD, once it has a configuration.
func (m *machine) begin(in *birdconf.Input) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest = in
	if err := m.configure(in); err != nil {
		return err
	}
	return m.startBirds()
}

// powerOff takes the machine away at once, as a power loss does: nobody hears
// anything.
func (m *machine) powerOff() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return nil
	}
	m.powered = false
	m.lan.fails(m.name)
	err := m.lan.network.cut(m.index)
	err = errors.Join(err, m.closeBirds(), m.lan.network.leave(m.index), m.lan.monitor.leave(m.name), m.where.close())
	m.lan.ledger.forget(m.name)
	return err
}

func (m *machine) closeBirds() error {
	var errs []error
	for _, b := range m.birds {
		errs = append(errs, b.close())
	}
	return errors.Join(errs...)
}

// restartBird kills BIRD as the end of its container does; what supervises it
// starts it again after a while.
func (m *machine) restartBird(after time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return fmt.Errorf("%s has no power", m.name)
	}
	for _, b := range m.birds {
		if err := b.kill(); err != nil {
			return err
		}
	}
	time.Sleep(after)
	return m.startBirds()
}

// protocols returns what the BIRDs have, by family; nil without power.
func (m *machine) protocols() (map[birdconf.Family][]birdctl.Protocol, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return nil, nil
	}
	out := map[birdconf.Family][]birdctl.Protocol{}
	var err error
	if m.wedged {
		return nil, fmt.Errorf("BIRD of %s does not answer", m.name)
	}
	for family, b := range m.birds {
		if out[family], err = b.protocols(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// health returns what is wrong with the machine, beyond what was done to it.
func (m *machine) health() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return nil
	}
	err := m.refused
	for _, b := range m.birds {
		err = errors.Join(err, b.running())
	}
	return err
}

// plug takes the machine's cable out, or puts it in again.
func (m *machine) plug(in bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return fmt.Errorf("%s has no power", m.name)
	}
	m.cable = in
	if in {
		return m.lan.network.restore(m.index)
	}
	m.lan.fails(m.name)
	return m.lan.network.cut(m.index)
}

// reachable tells whether the machine can talk to others, the API among them.
func (m *machine) reachable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.powered && m.cable
}

// works tells whether the others can have sessions with the machine.
func (m *machine) works() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.powered && m.cable && !m.wedged
}

// wedge makes BIRD stand still without an end, as one does that waits for a disk or
// turns in a circle: the process is there, the kernel keeps its routes and its
// connections, and nobody hears anything. false: it goes on.
func (m *machine) wedge(still bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered {
		return fmt.Errorf("%s has no power", m.name)
	}
	m.wedged = still
	what := syscall.SIGCONT
	if still {
		m.lan.fails(m.name)
		what = syscall.SIGSTOP
	}
	var errs []error
	for _, b := range m.birds {
		errs = append(errs, b.signal(what))
	}
	return errors.Join(errs...)
}

// birdAnswers is what calico-node's readiness probe finds.
func (m *machine) birdAnswers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.powered && !m.wedged
}

func (m *machine) close() error {
	close(m.versions)
	m.done.Wait()
	return m.powerOff()
}
