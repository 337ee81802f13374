package conformance

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
)

// restarts is what an edit does to the sessions that are there before and after it.
type restarts struct {
	// ends are those whose own definition changes, as "node > neighbour by protocol".
	ends map[string]bool
	// pairs are the sessions that go down, as "node, node" in order.
	pairs map[string]bool
	// lost are the ordered pairs of nodes that lose a route which they have before
	// and after.
	lost map[bgp.Pair]bool
}

func newRestarts() restarts {
	return restarts{ends: map[string]bool{}, pairs: map[string]bool{}, lost: map[bgp.Pair]bool{}}
}

func pairKey(a, b string) string { return min(a, b) + ", " + max(a, b) }

// predictRestarts asks the model.
func predictRestarts(before, after bgp.Input) restarts {
	out := newRestarts()
	for _, r := range bgp.RestartedSessions(before, after) {
		out.ends[sessionKey(r.Local, r.Remote, r.Name)] = true
		out.pairs[pairKey(r.Local, r.Remote)] = true
	}
	return out
}

// carrying returns the protocol that is up for each neighbour of each node.
func (c *cluster) carrying() (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for name, d := range c.daemons {
		out[name] = map[string]string{}
		states, err := d.protocols()
		if err != nil {
			return nil, err
		}
		for protocol, state := range states {
			if state == "up" {
				out[name][c.neighbour(protocol)] = protocol
			}
		}
	}
	return out, nil
}

// edit gives the daemons the configurations of other resources for the same nodes,
// and returns what has restarted.
func (c *cluster) edit(after bgp.Input, want picture) (restarts, error) {
	out := newRestarts()
	had, err := c.observe()
	if err != nil {
		return out, err
	}
	before, err := c.carrying()
	if err != nil {
		return out, err
	}
	watch, err := c.watchRoutes(had.paths)
	if err != nil {
		return out, err
	}
	offsets, failed := c.reconfigure(after)
	if failed == nil {
		failed = c.settle(want)
	}
	lost, err := watch.end()
	if err = errors.Join(failed, err); err != nil {
		return out, err
	}
	for pair := range lost {
		if want.paths[pair] > 0 {
			out.lost[pair] = true
		}
	}
	return out, c.readLogs(before, offsets, &out)
}

// readLogs finds what has restarted since the logs were as long as offsets.
func (c *cluster) readLogs(before map[string]map[string]string, offsets map[string]int64, out *restarts) error {
	now, err := c.carrying()
	if err != nil {
		return err
	}
	for name, d := range c.daemons {
		lines, err := d.log(offsets[name])
		if err != nil {
			return err
		}
		for neighbour, protocol := range before[name] {
			if now[name][neighbour] == "" {
				continue // gone for good
			}
			if logged(lines, "Restarting protocol "+protocol) || logged(lines, "Removing protocol "+protocol) {
				out.ends[sessionKey(name, neighbour, protocol)] = true
			}
			if wentDown(lines, protocol) {
				out.pairs[pairKey(name, neighbour)] = true
			}
		}
	}
	return nil
}

// wentDown tells whether a protocol has left the states in which it has a session.
// Filters that change only take it from up to feed and back.
func wentDown(lines []string, protocol string) bool {
	return slices.ContainsFunc(lines, func(l string) bool {
		_, state, ok := strings.Cut(l, " "+protocol+": State changed to ")
		return ok && state != "feed" && state != "up"
	})
}

func logged(lines []string, message string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "> "+message) })
}

// reconfigure changes the daemons whose configuration differs and waits until they
// run it. It returns how long all logs were before.
func (c *cluster) reconfigure(after bgp.Input) (map[string]int64, error) {
	offsets, changed := map[string]int64{}, []*daemon{}
	protocols, _ := derive(after)
	for i := range after.Nodes {
		n := &after.Nodes[i]
		d := c.daemons[n.Name]
		size, err := d.logSize()
		if err != nil {
			return nil, err
		}
		offsets[n.Name] = size
		text := render(after, n, protocols[n.Name], d.logFile())
		if text == d.config {
			continue // as confd, which then does not bother BIRD
		}
		if err := d.reconfigure(text); err != nil {
			return nil, err
		}
		changed = append(changed, d)
	}
	for _, d := range changed {
		if err := d.awaitReconfigured(offsets[d.name]); err != nil {
			return nil, err
		}
	}
	c.in = after
	return offsets, nil
}

func (d *daemon) awaitReconfigured(offset int64) error {
	for range 3000 {
		lines, err := d.log(offset)
		if err != nil {
			return err
		}
		if logged(lines, "Reconfigured") {
			return nil
		}
		for _, l := range lines {
			if strings.Contains(l, "<ERR> "+d.configFile()) {
				return fmt.Errorf("BIRD of %s refuses its configuration: %s", d.name, l)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("BIRD of %s does not take its configuration", d.name)
}

// compareEdit applies an edit to a running cluster and compares routes and
// restarts with the prediction. Where a node has two protocols for another, the
// model may say restart where there is none: which of them carries the session
// depends on history.
func compareEdit(t *testing.T, c *cluster, after bgp.Input) bool {
	t.Helper()
	before := c.in
	want := predictRestarts(before, after)
	statistics.add("sessions restarted by edits", len(want.pairs))
	statistics.add("edits", 1)
	routes := predict(t, after)
	got, err := c.edit(after, routes)
	if err != nil {
		t.Errorf("after an edit: %v\nbefore:\n%s\nafter:\n%s", err, describe(before), describe(after))
		return false
	}
	doubtful := overlapping(before)
	differences := append(compareSets("changed end", want.ends, got.ends, doubtful), compareSets("restarted session", want.pairs, got.pairs, doubtful)...)
	differences = append(differences, compareProof(before, after, want, got, routes)...)
	if len(differences) > 0 {
		t.Errorf("%s\nbefore:\n%s\nafter:\n%s", strings.Join(differences, "\n"), describe(before), describe(after))
	}
	return len(differences) == 0
}

// compareProof holds the proof of a step, of all nodes, against what was seen. The
// proof is meant to be cautious: a pair that it lets lose its route may keep it.
func compareProof(before, after bgp.Input, want, got restarts, routes picture) []string {
	proof := bgp.Prove(before, after, bgp.Observed{AssumeUnobserved: true, AssumeMesh: true}, nil)
	var out []string
	if proof.RestartCount != len(want.pairs) {
		out = append(out, fmt.Sprintf("the proof counts %d sessions that restart, RestartedSessions %d", proof.RestartCount, len(want.pairs)))
	}
	if proof.LostDuring.Count > len(proof.LostDuring.Sample) {
		return out // not all are named
	}
	for _, pair := range proof.LostDuring.Sample {
		if routes.paths[pair] > 0 {
			statistics.add("pairs that lose a route for a moment, predicted", 1)
		}
	}
	statistics.add("pairs that lose a route for a moment, seen", len(got.lost))
	for pair := range got.lost {
		if !slices.Contains(proof.LostDuring.Sample, pair) {
			out = append(out, fmt.Sprintf("%s loses its route to %s for a moment in BIRD, the proof says that it keeps it", pair.From, pair.To))
		}
	}
	return out
}

func compareSets(what string, want, got, doubtful map[string]bool) []string {
	var out []string
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		switch {
		case want[key] == got[key]:
		case got[key]:
			out = append(out, what+" "+key+": in BIRD, not predicted")
		case !doubtful[pairOf(key)]:
			out = append(out, what+" "+key+": predicted, not in BIRD")
		}
	}
	return out
}

// pairOf reads the pair of nodes from a key of either kind.
func pairOf(key string) string {
	end, _, _ := strings.Cut(key, " by ")
	if a, b, ok := strings.Cut(end, " > "); ok {
		return pairKey(a, b)
	}
	return end
}

// overlapping are the pairs of nodes for which one of them has two protocols.
func overlapping(in bgp.Input) map[string]bool {
	out := map[string]bool{}
	names := map[netip.Addr]string{}
	for i := range in.Nodes {
		names[in.Nodes[i].IPv4] = in.Nodes[i].Name
	}
	protocols, _ := derive(in)
	for node, list := range protocols {
		seen := map[netip.Addr]bool{}
		for _, p := range list {
			if seen[p.ip] {
				out[pairKey(node, names[p.ip])] = true
			}
			seen[p.ip] = true
		}
	}
	return out
}

// TestEdits applies random edits to running clusters.
func TestEdits(t *testing.T) {
	t.Parallel()
	bird := birdPath(t)
	t.Logf("seed %d, run again with -seed", *seed)
	concurrently(t, "cluster", scaled(*edited), func(t *testing.T, i int) {
		t.Helper()
		inNetwork(t, func(network netip.Addr) {
			r := newChance(*seed + 1_000_000 + uint64(i))
			c := startCluster(t, bird, randomInput(r, network))
			defer c.stop(t)
			if err := c.settle(predict(t, c.in)); err != nil {
				t.Errorf("%v\n%s", err, describe(c.in))
				return
			}
			for range 5 {
				if !compareEdit(t, c, randomEdit(r, c.in)) {
					return
				}
			}
		})
	})
}

// randomEdit draws an edit that changes something and leaves nothing to chance.
func randomEdit(r chance, in bgp.Input) bgp.Input {
	for {
		out := clone(in)
		for range 1 + r.IntN(2) {
			drawEdit(r, &out)
		}
		if describe(out) != describe(in) && settled(out) && !blocked(in, out) {
			return out
		}
	}
}

// blocked: the mesh would be turned on for nodes that have a session already. The
// mesh's protocol then waits, but takes the connections that come in, so the
// session may never come up again once it goes down.
func blocked(before, after bgp.Input) bool {
	if calico.MeshEnabled(before.Configurations) || !calico.MeshEnabled(after.Configurations) {
		return false
	}
	return len(overlapping(after)) > 0
}

func clone(in bgp.Input) bgp.Input {
	in.Nodes = slices.Clone(in.Nodes)
	for i := range in.Nodes {
		in.Nodes[i].Labels = maps.Clone(in.Nodes[i].Labels)
	}
	in.Peers = slices.Clone(in.Peers)
	for i := range in.Peers {
		in.Peers[i] = *in.Peers[i].DeepCopy()
	}
	in.Configurations = slices.Clone(in.Configurations)
	for i := range in.Configurations {
		in.Configurations[i] = *in.Configurations[i].DeepCopy()
	}
	in.Filters = slices.Clone(in.Filters)
	for i := range in.Filters {
		in.Filters[i] = *in.Filters[i].DeepCopy()
	}
	return in
}

func drawEdit(r chance, in *bgp.Input) {
	pick(r, editRole, editRole, editLabel, editPeer, editPeer, addPeer, removePeer, addPin, editFilter, editMesh)(r, in)
}

// editRole is what a promotion, a demotion or another cluster ID is.
func editRole(r chance, in *bgp.Input) {
	n := &in.Nodes[r.IntN(len(in.Nodes))]
	n.Labels, n.ClusterID = drawRole(r)
}

func editLabel(r chance, in *bgp.Input) {
	n := &in.Nodes[r.IntN(len(in.Nodes))]
	n.Labels["zone"] = pick(r, zones...)
}

func editPeer(r chance, in *bgp.Input) {
	if len(in.Peers) == 0 {
		return
	}
	i := r.IntN(len(in.Peers))
	p := &in.Peers[i].Spec
	fresh := drawPeer(r, in, in.Peers[i].Name).Spec
	switch r.IntN(5) {
	case 0:
		in.Peers[i].Spec = fresh
	case 1:
		p.Filters = fresh.Filters
	case 2:
		p.MaxRestartTime = &metav1.Duration{Duration: time.Duration(1+r.IntN(2)) * time.Second}
	case 3:
		p.Node, p.NodeSelector = fresh.Node, fresh.NodeSelector
	default:
		p.PeerIP, p.ASNumber, p.PeerSelector = fresh.PeerIP, fresh.ASNumber, fresh.PeerSelector
	}
}

func addPeer(r chance, in *bgp.Input) {
	in.Peers = append(in.Peers, drawPeer(r, in, freeName(in)))
}

// addPin names both ends of a session, one of them by its address, which hides
// that node's cluster ID.
func addPin(r chance, in *bgp.Input) {
	in.Peers = append(in.Peers, pin(freeName(in), pick(r, in.Nodes...).Name, pick(r, in.Nodes...).IPv4))
}

func pin(name, node string, ip netip.Addr) calico.BGPPeer {
	return calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       calico.BGPPeerSpec{Node: node, PeerIP: ip.String(), ASNumber: calico.DefaultASNumber},
	}
}

func freeName(in *bgp.Input) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("p%d", i)
		if !slices.ContainsFunc(in.Peers, func(p calico.BGPPeer) bool { return p.Name == name }) {
			return name
		}
	}
}

func removePeer(r chance, in *bgp.Input) {
	if len(in.Peers) > 0 {
		i := r.IntN(len(in.Peers))
		in.Peers = slices.Delete(in.Peers, i, i+1)
	}
}

func editFilter(r chance, in *bgp.Input) {
	if len(in.Filters) > 0 {
		i := r.IntN(len(in.Filters))
		in.Filters[i] = drawFilter(r, in.Filters[i].Name)
	}
}

func editMesh(_ chance, in *bgp.Input) {
	on := !calico.MeshEnabled(in.Configurations)
	in.Configurations[0].Spec.NodeToNodeMeshEnabled = &on
}
