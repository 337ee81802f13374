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

	"tapetum.dev/tapetum/internal/bgp"
)

// restarts is what an edit does to the sessions that are there before and after it.
type restarts struct {
	// ends are those whose own definition changes, as "node > neighbor by protocol".
	ends map[string]bool
	// unclear are ends whose session the other end had already closed when their
	// configuration came: BIRD restarts such a protocol whether it changes or not.
	unclear map[string]bool
	// pairs are the sessions that go down, as "node, node" in order.
	pairs map[string]bool
	// lost are the ordered pairs of nodes that lose a route which they have before
	// and after.
	lost map[bgp.Pair]bool
}

func newRestarts() restarts {
	return restarts{ends: map[string]bool{}, unclear: map[string]bool{}, pairs: map[string]bool{}, lost: map[bgp.Pair]bool{}}
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

// carrying returns the protocol that is up for each neighbor of each node.
func (c *cluster) carrying() (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for name, d := range c.daemons {
		out[name] = map[string]string{}
		protocols, err := d.Protocols()
		if err != nil {
			return nil, fmt.Errorf("BIRD of %s: %w", name, err)
		}
		for i := range protocols {
			if p := &protocols[i]; p.Up {
				out[name][c.neighbor(p.Name)] = p.Name
			}
		}
	}
	return out, nil
}

// edit gives the daemons the configurations of other resources for the same nodes,
// and returns what has restarted.
func (c *cluster) edit(after bgp.Input, want picture, lag func() time.Duration) (restarts, error) {
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
	offsets, failed := c.reconfigure(after, lag)
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
		for neighbor, protocol := range before[name] {
			if now[name][neighbor] == "" {
				continue // gone for good
			}
			key := sessionKey(name, neighbor, protocol)
			switch changed := whenChanged(lines, protocol); {
			case changed < 0:
			case wentDown(lines[:changed], protocol):
				out.unclear[key] = true
			default:
				out.ends[key] = true
			}
			if wentDown(lines, protocol) {
				out.pairs[pairKey(name, neighbor)] = true
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

// whenChanged is the line at which BIRD takes a protocol for another one than
// before; -1: it does not.
func whenChanged(lines []string, protocol string) int {
	return slices.IndexFunc(lines, func(l string) bool {
		return strings.HasSuffix(l, "> Restarting protocol "+protocol) || strings.HasSuffix(l, "> Removing protocol "+protocol)
	})
}

func logged(lines []string, message string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "> "+message) })
}

// reconfigure changes the daemons whose configuration differs and waits until they
// run it. It returns how long all logs were before. lag is how much later than the
// last a node is told.
func (c *cluster) reconfigure(after bgp.Input, lag func() time.Duration) (map[string]int64, error) {
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
		time.Sleep(lag())
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
func compareEdit(t *testing.T, c *cluster, after bgp.Input, lag func() time.Duration) bool {
	t.Helper()
	before := c.in
	want := predictRestarts(before, after)
	statistics.add("sessions restarted by edits", len(want.pairs))
	statistics.add("edits", 1)
	routes := predict(t, after)
	got, err := c.edit(after, routes, lag)
	if err != nil {
		t.Errorf("after an edit: %v\nbefore:\n%s\nafter:\n%s", err, describe(before), describe(after))
		return false
	}
	for key := range got.unclear {
		delete(want.ends, key)
	}
	doubtful := overlapping(before)
	differences := append(compareSets("changed end", forget(want.ends, doubtful), forget(got.ends, doubtful), doubtful),
		compareSets("restarted session", want.pairs, got.pairs, doubtful)...)
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

// forget leaves out which protocol carries a doubtful session.
func forget(ends, doubtful map[string]bool) map[string]bool {
	out := map[string]bool{}
	for key := range ends {
		if doubtful[pairOf(key)] {
			key, _, _ = strings.Cut(key, " by ")
		}
		out[key] = true
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
			if seen[p.IP] {
				out[pairKey(node, names[p.IP])] = true
			}
			seen[p.IP] = true
		}
	}
	return out
}
