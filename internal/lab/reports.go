package lab

import (
	"context"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

// report is one CalicoNodeStatus, as the calico-node that it asks sees it.
type report struct {
	name string
	uid  string
	spec calico.NodeStatusSpec
	due  time.Time // zero: never again
	// last is what was written last; nothing is written while it is still true.
	last    *calico.NodeBGPStatus
	writing bool
}

// meetReports takes new and changed CalicoNodeStatus objects up: both are
// answered at once.
func (c *Cluster) meetReports(now time.Time, statuses []calico.CalicoNodeStatus) {
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

// runReports lets the nodes answer that are due. A node without power does not.
func (c *Cluster) runReports(ctx context.Context, now time.Time) {
	for _, r := range c.reports {
		if r.writing || r.due.IsZero() || now.Before(r.due) {
			continue
		}
		// Without a period calico-node ignores the object.
		if r.spec.UpdatePeriodSeconds == nil {
			r.due = time.Time{}
			continue
		}
		period := time.Duration(*r.spec.UpdatePeriodSeconds) * time.Second
		r.due = time.Time{}
		if period > 0 {
			r.due = now.Add(period)
		}
		m := c.machines[r.spec.Node]
		if m == nil || !m.powered || !slices.Contains(r.spec.Classes, calico.ClassBGP) {
			continue
		}
		status := c.fabric.Status(r.spec.Node)
		if r.last != nil && reflect.DeepEqual(*r.last, status) {
			continue
		}
		c.writeReport(ctx, r, status)
	}
}

func (c *Cluster) writeReport(ctx context.Context, r *report, status calico.NodeBGPStatus) {
	r.writing = true
	name, uid := r.name, r.uid
	c.done.Go(func() {
		err := c.putReport(ctx, name, uid, status)
		c.mu.Lock()
		defer c.mu.Unlock()
		r.writing = false
		if err != nil {
			r.due = time.Now().Add(time.Second) // the next round, or after a conflict
			return
		}
		r.last = &status
	})
}

// putReport writes as calico-node does: the subresource where there is one, else
// the whole object.
func (c *Cluster) putReport(ctx context.Context, name, uid string, status calico.NodeBGPStatus) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var object calico.CalicoNodeStatus
	if err := c.client.Get(ctx, client.ObjectKey{Name: name}, &object); err != nil {
		return client.IgnoreNotFound(err)
	}
	if string(object.UID) != uid {
		return nil
	}
	object.Status.BGP = status
	object.Status.LastUpdated = metav1.Now()
	if c.statusSubresource {
		return client.IgnoreNotFound(c.client.Status().Update(ctx, &object))
	}
	return client.IgnoreNotFound(c.client.Update(ctx, &object))
}
