package faults

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/fabric"
	"tapetum.dev/tapetum/internal/rollout"
)

// checker holds what the invariants need to know.
type checker struct {
	// missing are the pairs without a route by configuration, as of the last look.
	missing map[bgp.Pair]bool
	// stale: somebody other than a controller has changed something since.
	stale bool
	// changed are nodes whose role changed since the account began: their own routes
	// may pause.
	changed map[string]bool
	writes  int
	// lost sums up accounts that have been closed, byHand those of what a hand broke.
	lost   fabric.Account
	byHand fabric.Loss
	// handAt is when a hand broke something that is not whole again yet; zero: all is.
	handAt time.Time
}

// count numbers a request.
func (w *World) count(p *process, verb, kind, name string) *Request {
	w.requests++
	r := &Request{Number: w.requests, Process: p.name, Verb: verb, Kind: kind, Name: name}
	if r.Writes() {
		w.check.writes++
		r.Write = w.check.writes
	}
	r.Step = actionOf(r, p)
	return r
}

func (w *World) fault(r *Request) Fault {
	if w.Inject == nil {
		return None
	}
	return w.Inject(w, r)
}

// written carries out a write of a controller and looks at what it has done.
func (w *World) written(r *Request, p *process, carryOut func() error) error {
	look := w.looksAt(r)
	if look && (w.check.stale || w.ProveEach > 1) {
		w.check.missing, w.check.stale = w.missingPairs(), false
	}
	if p.step != nil && r.Step != "" {
		w.exempt(p.step)
	}
	before, policy := w.store.version, w.policy()
	err := carryOut()
	w.tellWrite(r, p, err)
	switch {
	case w.store.version == before:
	case r.Step == "":
		w.StatusWrites++
		w.lastStatus = changedFields(policy, w.policy())
	default:
		w.Writes++
		w.lastWrite = w.now
		action, _, _ := strings.Cut(r.Step, " ")
		w.Steps[action]++
		if look {
			w.proveVisibility(r)
		}
	}
	return err
}

// looksAt tells whether the oracle is asked what a write has done.
func (w *World) looksAt(r *Request) bool {
	switch r.Kind {
	case "Node", "BGPPeer", "BGPConfiguration", "BGPFilter":
		return w.ProveEach <= 1 || r.Write%w.ProveEach == 0
	}
	return false
}

// exempt notes the nodes whose own routes a step may interrupt.
func (w *World) exempt(step *rollout.Step) {
	for _, node := range step.Costs {
		w.check.changed[node] = true
	}
	if step.Role != nil {
		w.check.changed[step.Role.Node] = true
	}
}

// changedFields names the fields of a status in which two differ.
func changedFields(before, after *v1alpha1.RouteReflectorAutoscaler) []string {
	if before == nil || after == nil {
		return nil
	}
	var out []string
	a, b := reflect.ValueOf(before.Status), reflect.ValueOf(after.Status)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			out = append(out, a.Type().Field(i).Name)
		}
	}
	return out
}

func (w *World) tellWrite(r *Request, p *process, err error) {
	if !w.Verbose {
		return
	}
	what := r.Step
	switch policy := w.policy(); {
	case what != "" && p.step != nil && p.step.Repair:
		what += " (repair)"
	case what == "" && policy != nil:
		what = policy.Status.NextStep
	}
	if err != nil {
		what += ": " + err.Error()
	}
	w.tell("%s: %s", r, what)
}

// proveVisibility: a write of a controller leaves every pair a way by configuration
// that had one before it.
func (w *World) proveVisibility(r *Request) {
	after := w.missingPairs()
	var lost []string
	for pair := range after {
		if !w.check.missing[pair] && !w.check.changed[pair.From] && !w.check.changed[pair.To] {
			lost = append(lost, pair.From+" to "+pair.To)
		}
	}
	w.check.missing = after
	if len(lost) > 0 {
		slices.Sort(lost)
		w.violate("after %s (%s) %d pairs have no way any more, first %s", r, r.Step, len(lost), lost[0])
	}
}

// missingPairs asks the oracle which living nodes have no way to which, as
// configured.
func (w *World) missingPairs() map[bgp.Pair]bool {
	r := w.resources()
	network := bgp.Build(bgp.Input{Nodes: r.Nodes, Peers: r.Peers, Configurations: r.Configurations, Filters: r.Filters})
	lost := func(node string) bool { return w.dead(node) }
	if network.Visibility(lost).Complete {
		return nil
	}
	missing := map[bgp.Pair]bool{}
	for i := range r.Nodes {
		origin := &r.Nodes[i]
		if w.dead(origin.Name) || !origin.IPv4.IsValid() {
			continue
		}
		paths, _ := network.PathsTo(origin.Name, bgp.IPv4, lost)
		for j := range r.Nodes {
			holder := r.Nodes[j].Name
			if i != j && !w.dead(holder) && r.Nodes[j].IPv4.IsValid() && paths[holder] == 0 {
				missing[bgp.Pair{From: holder, To: origin.Name}] = true
			}
		}
	}
	return missing
}

// resetAccount closes the account of lost routes and begins a new one.
func (w *World) resetAccount() {
	w.newAccount()
	clear(w.check.changed)
}

func addLoss(sum *fabric.Loss, l fabric.Loss) {
	sum.RouteTime = fabric.Sum(sum.RouteTime, l.RouteTime)
	sum.Pairs += l.Pairs
	sum.Longest = max(sum.Longest, l.Longest)
}

// Lost is what nodes have lost since the story began.
func (w *World) Lost() fabric.Account {
	sum, account := w.check.lost, w.running()
	addLoss(&sum.Ordinary, account.Ordinary)
	addLoss(&sum.Changing, account.Changing)
	return sum
}

// CheckRoutes breaks an invariant if an ordinary node has lost a route.
func (w *World) CheckRoutes() {
	if lost := w.Lost().Ordinary; lost.RouteTime > 0 && len(w.violations) == 0 {
		w.violate("ordinary nodes lost %v of routes (%d pairs, longest %v)", lost.RouteTime.Round(time.Millisecond), lost.Pairs, lost.Longest)
	}
}

// CheckComplete breaks an invariant if a living node has no route to another.
func (w *World) CheckComplete() {
	w.fabric.Advance(w.now)
	if n, sample := w.fabric.MissingPairs(); n > 0 && len(w.violations) == 0 {
		w.violate("%d pairs have no route in the end, first %v", n, sample[0])
	}
}

// Outcome is what a history comes to, without what may differ between equal ends.
type Outcome struct {
	Topology string
	Mesh     bool
	// Tiers counts reflectors by tier, Objects BGPPeers and others by kind and sort.
	Tiers, Objects map[string]int
	// Exact is everything: two runs with the same Exact ended the same in every name.
	Exact string
}

// Outcome returns what stands.
func (w *World) Outcome() Outcome {
	o := Outcome{Mesh: calico.MeshEnabled(w.resources().Configurations), Tiers: map[string]int{}, Objects: map[string]int{}}
	if policy := w.policy(); policy != nil {
		o.Topology = string(policy.Status.Topology)
	}
	var exact []string
	for _, node := range w.nodes() {
		exact = append(exact, w.roleOf(&node, &o))
	}
	each(w, "BGPPeer", func(peer *calico.BGPPeer) {
		sort := "pin"
		if peer.Spec.PeerIP == "" {
			sort = peer.Name
		}
		o.Objects["BGPPeer/"+sort]++
		spec, err := json.Marshal(peer.Spec)
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		exact = append(exact, peer.Name+" "+string(spec))
	})
	each(w, "BGPFilter", func(filter *calico.BGPFilter) { o.Objects["BGPFilter/"+filter.Name]++ })
	each(w, "CalicoNodeStatus", func(status *calico.CalicoNodeStatus) {
		o.Objects["CalicoNodeStatus"]++
		exact = append(exact, status.Name)
	})
	o.Exact = strings.Join(exact, "\n")
	return o
}

// Same tells whether two histories ended alike.
func (o Outcome) Same(other Outcome) bool {
	return o.Topology == other.Topology && o.Mesh == other.Mesh && maps.Equal(o.Tiers, other.Tiers) && maps.Equal(o.Objects, other.Objects)
}
