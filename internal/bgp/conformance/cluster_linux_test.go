package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// picture is what is compared: what the model predicts, or what the daemons hold.
type picture struct {
	// sessions are those that are up, by sessionKey.
	sessions map[string]bool
	// paths are how many paths a node holds to another's block; pairs without one
	// are left out.
	paths map[bgp.Pair]int
}

// sessionKey names a session and all protocols that one end has for it: which of
// them carries it depends on which was there first.
func sessionKey(node, neighbor string, protocols ...string) string {
	slices.Sort(protocols)
	return node + " > " + neighbor + " by " + strings.Join(protocols, ", ")
}

func newPicture() picture {
	return picture{sessions: map[string]bool{}, paths: map[bgp.Pair]int{}}
}

func (p picture) equal(other picture) bool {
	return maps.Equal(p.sessions, other.sessions) && maps.Equal(p.paths, other.paths)
}

// diff says where two pictures differ, the first few places in words.
func (p picture) diff(got picture) string {
	var out []string
	for s := range p.sessions {
		if !got.sessions[s] {
			out = append(out, "session "+s+" is predicted, not up in BIRD")
		}
	}
	for s := range got.sessions {
		if !p.sessions[s] {
			out = append(out, "session "+s+" is up in BIRD, not predicted")
		}
	}
	pairs := maps.Clone(p.paths)
	maps.Copy(pairs, got.paths)
	for pair := range pairs {
		if p.paths[pair] != got.paths[pair] {
			out = append(out, fmt.Sprintf("paths of %s to %s: predicted %d, BIRD has %d", pair.From, pair.To, p.paths[pair], got.paths[pair]))
		}
	}
	slices.Sort(out)
	if len(out) > 12 {
		out = append(out[:12], fmt.Sprintf("and %d more", len(out)-12))
	}
	return strings.Join(out, "\n")
}

// cluster is a set of daemons that run the configurations of an input.
type cluster struct {
	bird    string
	folder  string
	in      bgp.Input
	daemons map[string]*daemon
	owners  map[netip.Prefix]string
	names   map[netip.Addr]string
}

// block is the address block of the i-th node, and address its BGP address.
func block(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), 0}), 26)
}

func address(network netip.Addr, i int) netip.Addr {
	a := network.As4()
	a[3] = byte(i + 1)
	return netip.AddrFrom4(a)
}

// inNetwork calls do with a network of loopback addresses of its own.
func inNetwork(t *testing.T, do func(network netip.Addr)) {
	t.Helper()
	network, err := networks.take()
	if err != nil {
		t.Fatal(err)
	}
	defer networks.giveBack(network)
	do(network)
}

// startCluster starts a daemon for every node with an address.
func startCluster(t *testing.T, bird string, in bgp.Input) *cluster {
	t.Helper()
	folder, err := os.MkdirTemp("", "bgp")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		bird: bird, folder: folder, in: in,
		daemons: map[string]*daemon{}, owners: map[netip.Prefix]string{}, names: map[netip.Addr]string{},
	}
	protocols, _ := derive(in)
	for i := range in.Nodes {
		n := &in.Nodes[i]
		files := filepath.Join(folder, n.Name)
		d, err := startDaemon(bird, n.Name, files, render(in, n, protocols[n.Name], files+".log"))
		if err != nil {
			c.stop(t)
			t.Fatal(err)
		}
		c.daemons[n.Name] = d
		c.names[n.IPv4] = n.Name
		for _, b := range in.Blocks[n.Name] {
			c.owners[b] = n.Name
		}
	}
	return c
}

// stop ends the daemons. Their files are kept when the test has failed.
func (c *cluster) stop(t *testing.T) {
	t.Helper()
	for _, d := range c.daemons {
		d.kill()
	}
	if t.Failed() {
		t.Logf("configurations and logs are in %s", c.folder)
		return
	}
	if err := os.RemoveAll(c.folder); err != nil {
		t.Errorf("remove the daemons' files: %v", err)
	}
}

// kill ends one daemon.
func (c *cluster) kill(node string) {
	c.daemons[node].kill()
	delete(c.daemons, node)
}

// observe reads all daemons.
func (c *cluster) observe() (picture, error) {
	out := newPicture()
	for name, d := range c.daemons {
		protocols, err := d.Protocols()
		if err != nil {
			return out, fmt.Errorf("BIRD of %s: %w", name, err)
		}
		byNeighbor, up := map[string][]string{}, map[string]bool{}
		for i := range protocols {
			neighbor := c.neighbor(protocols[i].Name)
			byNeighbor[neighbor] = append(byNeighbor[neighbor], protocols[i].Name)
			up[neighbor] = up[neighbor] || protocols[i].Up
		}
		for neighbor, all := range byNeighbor {
			if up[neighbor] {
				out.sessions[sessionKey(name, neighbor, all...)] = true
			}
		}
		paths, err := d.Paths()
		if err != nil {
			return out, fmt.Errorf("BIRD of %s: %w", name, err)
		}
		for prefix, n := range paths {
			out.paths[bgp.Pair{From: name, To: c.owners[prefix]}] = n
		}
	}
	return out, nil
}

// neighbor reads the node from a protocol's name, like Node_127_20_0_1_port_179.
func (c *cluster) neighbor(protocol string) string {
	parts := strings.Split(protocol, "_")
	if len(parts) < 5 {
		return protocol
	}
	ip, err := netip.ParseAddr(strings.Join(parts[1:5], "."))
	if err != nil {
		return protocol
	}
	return cmp.Or(c.names[ip], protocol)
}

// Convergence takes some seconds. Only a picture that differs from the prediction
// is waited for longer, so a slow machine makes the test slower, not red.
const (
	pollEvery   = 200 * time.Millisecond
	samePolls   = 3   // polls without a change that confirm a match
	patience    = 150 // polls without a change that confirm a difference
	pollsAtMost = 1200
)

// settle waits until the daemons hold what is wanted and stay so, or until they
// have held something else for long.
func (c *cluster) settle(want picture) error {
	var last picture
	same := 0
	for range pollsAtMost {
		got, err := c.observe()
		if err != nil {
			return err
		}
		if got.equal(last) {
			same++
		} else {
			same = 0
		}
		last = got
		match := got.equal(want)
		if match && same >= samePolls {
			return nil
		}
		if !match && same >= patience {
			break
		}
		time.Sleep(pollEvery)
	}
	return errors.New(want.diff(last))
}

// describe writes an input down, to be read where a comparison fails.
func describe(in bgp.Input) string {
	var b strings.Builder
	for i := range in.Nodes {
		n := &in.Nodes[i]
		fmt.Fprintf(&b, "node %s %s cluster ID %q AS %d labels %v\n", n.Name, n.IPv4, n.ClusterID, n.ASNumber, n.Labels)
	}
	for i := range in.Peers {
		fmt.Fprintf(&b, "BGPPeer %s %+v\n", in.Peers[i].Name, in.Peers[i].Spec)
	}
	for i := range in.Configurations {
		s := &in.Configurations[i].Spec
		fmt.Fprintf(&b, "BGPConfiguration %s mesh %v port %d\n", in.Configurations[i].Name, s.NodeToNodeMeshEnabled == nil || *s.NodeToNodeMeshEnabled, s.ListenPort)
	}
	b.WriteString(birdconf.FilterFunctions(in.Filters, birdconf.IPv4))
	return b.String()
}

func without(in bgp.Input, node string) bgp.Input {
	in.Nodes = slices.DeleteFunc(slices.Clone(in.Nodes), func(n inventory.Node) bool { return n.Name == node })
	return in
}
