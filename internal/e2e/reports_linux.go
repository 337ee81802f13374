package e2e

import (
	"context"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// report is one CalicoNodeStatus, as the calico-node that it asks answers it.
type report struct {
	name string
	uid  string
	spec calico.NodeStatusSpec
	due  time.Time // zero: never again
	// last is what was written last; nothing is written while it is still true.
	last *calico.NodeBGPStatus
	busy bool
}

// meetReports takes new and changed CalicoNodeStatus objects up: both are answered
// at once.
func (c *cluster) meetReports(now time.Time, statuses []calico.CalicoNodeStatus) {
	seen := make(map[string]bool, len(statuses))
	for i := range statuses {
		s := &statuses[i]
		seen[s.Name] = true
		r := c.reports[s.Name]
		if r == nil || r.uid != string(s.UID) {
			r = &report{name: s.Name, uid: string(s.UID), due: now}
			c.reports[s.Name] = r
		} else if !reflect.DeepEqual(r.spec, s.Spec) {
			r.due = now
		}
		r.spec = *s.Spec.DeepCopy()
	}
	for name := range c.reports {
		if !seen[name] {
			delete(c.reports, name)
		}
	}
}

// runReports lets the nodes answer that are due.
func (c *cluster) runReports(ctx context.Context, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.reports {
		if r.busy || r.due.IsZero() || now.Before(r.due) {
			continue
		}
		r.due = time.Time{}
		// Without a period calico-node ignores the object; 0 means once.
		if r.spec.UpdatePeriodSeconds == nil {
			continue
		}
		if period := time.Duration(*r.spec.UpdatePeriodSeconds) * time.Second; period > 0 {
			r.due = now.Add(period)
		}
		m, err := c.lan.machine(r.spec.Node)
		if err != nil || !m.reachable() || !slices.Contains(r.spec.Classes, calico.ClassBGP) {
			continue
		}
		r.busy = true
		name, uid, last := r.name, r.uid, r.last
		c.done.Go(func() {
			said, err := c.answer(ctx, m, name, uid, last)
			c.mu.Lock()
			defer c.mu.Unlock()
			r.busy = false
			if err != nil {
				r.due = time.Now().Add(time.Second) // the next round, or after a conflict
				return
			}
			r.last = said
		})
	}
}

// answer asks BIRD and writes what it says, unless it said so before.
func (c *cluster) answer(ctx context.Context, m *machine, name, uid string, last *calico.NodeBGPStatus) (*calico.NodeBGPStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	families, err := m.protocols()
	if err != nil {
		return nil, err
	}
	status := &calico.NodeBGPStatus{}
	status.PeersV4, status.NumberEstablishedV4, status.NumberNotEstablishedV4 = peerStatus(families[birdconf.IPv4])
	status.PeersV6, status.NumberEstablishedV6, status.NumberNotEstablishedV6 = peerStatus(families[birdconf.IPv6])
	if last != nil && reflect.DeepEqual(last, status) {
		return status, nil
	}
	var object calico.CalicoNodeStatus
	if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if string(object.UID) != uid {
		return nil, nil
	}
	object.Status.BGP, object.Status.LastUpdated = *status, metav1.Now()
	if c.options.Group == calico.GroupV3 {
		return status, client.IgnoreNotFound(c.client.Status().Update(ctx, &object))
	}
	return status, client.IgnoreNotFound(c.client.Update(ctx, &object))
}
