package standin

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

// Reports plays the part of every calico-node that answers CalicoNodeStatus: when
// each is due, and that nothing is written while it says nothing new.
type Reports struct {
	API *API
	// Awake tells whether the calico-node of a node can answer, and reach the API.
	Awake func(node string) bool
	// Answer says what calico-node of a node sees, of all classes. It is called in
	// the background and may take its time. With an error nothing is written, as by
	// calico-node where BIRD takes a question and does not answer it.
	Answer func(ctx context.Context, node string) (calico.NodeStatusStatus, error)
	// Start runs something in the background.
	Start func(func())

	mu  sync.Mutex
	all map[string]*report
}

// report is one CalicoNodeStatus, as the calico-node that it asks sees it.
type report struct {
	name string
	uid  string
	spec calico.NodeStatusSpec
	due  time.Time // zero: never again
	// last is what was written last, without the time.
	last *calico.NodeStatusStatus
	busy bool
}

const (
	// answerTimeout bounds one answer, again is when one that failed is tried anew.
	answerTimeout = 10 * time.Second
	again         = time.Second
)

// Meet takes new and changed CalicoNodeStatus objects up: both are answered at
// once.
func (r *Reports) Meet(now time.Time, statuses []calico.CalicoNodeStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]*report{}
	}
	seen := make(map[string]bool, len(statuses))
	for i := range statuses {
		s := &statuses[i]
		seen[s.Name] = true
		known := r.all[s.Name]
		if known == nil || known.uid != string(s.UID) {
			known = &report{name: s.Name, uid: string(s.UID), due: now}
			r.all[s.Name] = known
		} else if !reflect.DeepEqual(known.spec, s.Spec) {
			known.due = now
		}
		known.spec = *s.Spec.DeepCopy()
	}
	for name := range r.all {
		if !seen[name] {
			delete(r.all, name)
		}
	}
}

// Run lets the nodes answer that are due. A node that is not awake does not, and
// what it said last stays.
func (r *Reports) Run(ctx context.Context, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		if !one.asked(now) || !r.Awake(one.spec.Node) {
			continue
		}
		one.busy = true
		spec, last := *one.spec.DeepCopy(), one.last
		r.Start(func() {
			said, err := r.answer(ctx, one, &spec, last)
			r.mu.Lock()
			defer r.mu.Unlock()
			one.busy = false
			if err != nil {
				one.due = time.Now().Add(again) // the next round, or after a conflict
				return
			}
			one.last = said
		})
	}
}

// asked tells whether a report is due, and when the next one is. Without a period
// calico-node ignores the object; 0 means once.
func (r *report) asked(now time.Time) bool {
	if r.busy || r.due.IsZero() || now.Before(r.due) {
		return false
	}
	r.due = time.Time{}
	if r.spec.UpdatePeriodSeconds == nil {
		return false
	}
	if period := time.Duration(*r.spec.UpdatePeriodSeconds) * time.Second; period > 0 {
		r.due = now.Add(period)
	}
	return true
}

// answer writes what the node says, unless it said so before: to the subresource
// where there is one, else the whole object, as calico-node does. What was said of a
// class stays when it is not asked for any more.
func (r *Reports) answer(ctx context.Context, one *report, spec *calico.NodeStatusSpec, last *calico.NodeStatusStatus) (*calico.NodeStatusStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	said, err := r.Answer(ctx, spec.Node)
	if err != nil {
		return last, nil //nolint:nilerr // the next period tells
	}
	if last != nil && reflect.DeepEqual(*last, merge(*last, &said, spec.Classes)) {
		return last, nil
	}
	var object calico.CalicoNodeStatus
	if err := r.API.Client.Get(ctx, client.ObjectKey{Name: one.name}, &object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if string(object.UID) != one.uid {
		return nil, nil
	}
	object.Status = merge(object.Status, &said, spec.Classes)
	written := object.Status
	written.LastUpdated = metav1.Time{}
	object.Status.LastUpdated = metav1.Now()
	if r.API.Subresource {
		return &written, client.IgnoreNotFound(r.API.Client.Status().Update(ctx, &object))
	}
	return &written, client.IgnoreNotFound(r.API.Client.Update(ctx, &object))
}

// merge takes what was said of some classes up.
func merge(status calico.NodeStatusStatus, said *calico.NodeStatusStatus, classes []string) calico.NodeStatusStatus {
	if slices.Contains(classes, calico.ClassBGP) {
		status.BGP = said.BGP
	}
	if slices.Contains(classes, calico.ClassAgent) {
		status.Agent = said.Agent
	}
	return status
}
