package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// replacedWithin is by when the replacement of a dead reflector must work: the first
// route was measured to be lost 170 s after a death.
const replacedWithin = 150 * time.Second

// stormy are the faults of a storm that leave the API server there: after one without an
// answer nothing changes for a minute (the brake APIBack), and a webhook that has said no is
// asked again after a minute.
var stormy = map[bool][]Fault{
	true:  {CrashBefore, CrashAfter, Conflict, TooMany},
	false: {CrashBefore, TooMany, Expire},
}

// TestSilentDeath lets a reflector die in each way, also while requests to the API server
// fail and the controller crashes.
func TestSilentDeath(t *testing.T) {
	for _, how := range []death{powerless, wedged, birdless} {
		for _, topology := range []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyMulti} {
			for _, storm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, storm %v", how, topology, storm), func(t *testing.T) {
					t.Parallel()
					for _, seed := range seeds(2, 20) {
						silentDeath(t, how, topology, storm, seed)
					}
				})
			}
		}
	}
}

func silentDeath(t *testing.T, how death, topology v1alpha1.Topology, storm bool, seed uint64) {
	c := begin(seed)
	c.From, c.Verbose = standing(t, topology), true
	w := New(c)
	defer w.Close()
	w.Run(time.Minute)
	if storm {
		r := seeded(seed, how.String()+string(topology))
		w.Inject = func(_ *World, request *Request) Fault {
			if r.IntN(20) > 0 {
				return None
			}
			return pick(stormy[request.Writes()], r)
		}
	}
	before := w.Reflectors()
	dead := before[int(seed)%len(before)]
	w.Die(dead, how)
	died := w.Now()
	for !w.replaced(before) && w.Now().Sub(died) < replacedWithin && len(w.violations) == 0 {
		w.Run(time.Second)
	}
	took := w.Now().Sub(died)
	if !w.replaced(before) {
		t.Fatalf("seed %d: %s is not replaced after %v: %s\n%s", seed, dead, took, w.conditions(), w.Log())
	}
	w.Run(10 * time.Minute) // the hold time of BGP is long over
	w.Inject = nil
	w.Settle(limit)
	w.Revive(dead)
	w.Settle(limit)
	w.CheckComplete()
	sound(t, w)
	t.Logf("seed %d: replaced after %v", seed, took)
}

// replaced: there is a reflector that was none before, and its sessions are up but for
// that with the dead.
func (w *World) replaced(before []string) bool {
	w.fabric.Advance(w.now)
	return slices.ContainsFunc(w.Reflectors(), func(name string) bool {
		bgp := w.fabric.Status(name)
		return !slices.Contains(before, name) && bgp.NumberEstablishedV4 > 0 && bgp.NumberNotEstablishedV4 <= 1
	})
}

// TestRollOfCalicoNode replaces the calico-node of every node, one after the other, and
// the controller dies in between: nothing is written for that.
func TestRollOfCalicoNode(t *testing.T) {
	for _, topology := range []v1alpha1.Topology{v1alpha1.TopologySingle, v1alpha1.TopologyMulti} {
		t.Run(string(topology), func(t *testing.T) {
			t.Parallel()
			c := begin(1)
			c.From, c.Verbose = standing(t, topology), true
			w := New(c)
			defer w.Close()
			w.Run(time.Minute)
			before := w.Writes // the look around at the beginning
			for i, name := range w.NodeNames() {
				w.RollAgent(name)
				if i%4 == 0 {
					w.In(5*time.Second, func() { w.Kill(leaderName(0), nil) })
				}
				w.Run(15 * time.Second)
			}
			w.Run(5 * time.Minute)
			sound(t, w)
			if n := w.Writes - before; n > 0 {
				t.Errorf("%d writes, in all %v\n%s", n, w.Steps, w.Log())
			}
		})
	}
}

// TestLatePulse has the kubelet of a reflector renew no Lease for a while, and then that of
// everybody: it costs reports, and no role.
func TestLatePulse(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all %v", all), func(t *testing.T) {
			t.Parallel()
			c := begin(1)
			c.From, c.Verbose = standing(t, v1alpha1.TopologySingle), true
			w := New(c)
			defer w.Close()
			w.Run(time.Minute)
			before := w.Writes
			clear(w.Steps)
			w.holdLeases(!all, 2*time.Minute, seeded(1, "pulse"))
			w.Run(4 * time.Minute)
			w.Settle(limit)
			w.Rest(2 * time.Minute)
			sound(t, w)
			reports := w.reportWrites()
			if w.Writes-before != reports || all && reports > 0 || !all && reports == 0 {
				t.Errorf("writes: %v\n%s", w.Steps, w.Log())
			}
		})
	}
}
