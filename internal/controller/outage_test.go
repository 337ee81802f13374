package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/api/v1alpha1"
)

func TestOutage(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	nodes := schema.GroupResource{Resource: "nodes"}
	for name, test := range map[string]struct {
		err  error
		away bool
	}{
		"nothing":             {nil, false},
		"refused connection":  {fmt.Errorf("list nodes: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}), true},
		"no answer in time":   {context.DeadlineExceeded, true},
		"stopping":            {context.Canceled, false},
		"conflict":            {apierrors.NewConflict(nodes, "a", errors.New("changed")), false},
		"forbidden":           {apierrors.NewForbidden(nodes, "a", errors.New("no")), false},
		"too many requests":   {apierrors.NewTooManyRequests("later", 1), false},
		"service unavailable": {apierrors.NewServiceUnavailable("starting"), true},
		"etcd has no leader":  {fmt.Errorf("write: %w", apierrors.NewInternalError(errors.New("etcdserver: no leader"))), true},
		"timeout":             {apierrors.NewTimeoutError("etcd", 1), true},
		"somebody else's":     {fmt.Errorf("BGPPeer: %w", errForeign), false},
	} {
		t.Run(name, func(t *testing.T) {
			var o outage
			o.note(test.err, noon)
			if o.away != test.away || !o.backSince.IsZero() {
				t.Errorf("%+v", o)
			}
			o.note(nil, noon.Add(time.Minute))
			if back := !o.backSince.IsZero(); o.away || back != test.away {
				t.Errorf("after a pass that went through: %+v", o)
			}
			o.note(nil, noon.Add(time.Hour))
			if test.away && !o.backSince.Equal(noon.Add(time.Minute)) {
				t.Errorf("it was back a minute later, not %v", o.backSince)
			}
		})
	}
}

// TestUnspent: a step that was refused used nothing up.
func TestUnspent(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	taken := metav1.NewMicroTime(at.Time)
	before := &v1alpha1.BrakesStatus{RoleChanges: []v1alpha1.RoleChanges{{Minute: at, Count: 1}}}
	for _, old := range []*v1alpha1.BrakesStatus{nil, before} {
		status := &v1alpha1.RouteReflectorAutoscalerStatus{Brakes: &v1alpha1.BrakesStatus{
			RoleChanges: []v1alpha1.RoleChanges{{Minute: at, Count: 2}},
			Force:       &v1alpha1.ForceStatus{ID: "0123456789", Taken: &taken},
			HeldStep:    &v1alpha1.HeldStep{ID: "0123456789"},
		}}
		unspent(status, old)
		if status.Brakes.Force != nil || status.Brakes.HeldStep == nil {
			t.Errorf("%+v", status.Brakes)
		}
		if got := status.Brakes.RoleChanges; len(got) != 0 && (old == nil || got[0].Count != 1) || old != nil && len(got) != 1 {
			t.Errorf("role changes %v", got)
		}
	}
}
