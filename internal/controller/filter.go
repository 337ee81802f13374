package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// droppedFilter is a BGPFilter that the API server did not keep as it was written.
type droppedFilter struct {
	// why, for a person; "" for none.
	why string
	// schema and calico are the versions of the API server's description and of
	// Calico then: with others it is tried again.
	schema, calico string
}

// writeFilter writes a BGPFilter, and reads it back: an API server with an older
// definition behind it drops fields without a word, and a filter without its
// communities rejects every route.
func (r *Reconciler) writeFilter(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, step *rollout.Step, current client.Object) (pending, error) {
	wanted := step.Filter
	write, err := r.writeOwn(ctx, step.Action, wanted.DeepCopy(), current)
	if err != nil || step.Action == rollout.DeleteFilter {
		return write, err
	}
	stands := &calico.BGPFilter{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(wanted), stands); err != nil {
		// Written, but not known how. The next pass looks at what stands, and
		// patches it where it is not equal.
		r.Log.Info("BGPFilter cannot be read back", "name", wanted.Name, "reason", err.Error())
		return write, nil
	}
	if stands.ResourceVersion != write.version || equality.Semantic.DeepEqual(stands.Spec, wanted.Spec) {
		return write, nil
	}
	why := fmt.Sprintf("the API server dropped fields of BGPFilter %s: the definition in which it is stored is older than Calico %s, bring it up to date",
		wanted.Name, calico.TagFilterRelease)
	dropped := droppedFilter{why: why}
	if r.TagFilter != nil {
		// What cannot be read now is "": then it is tried again soon, and found again.
		_, dropped.schema, _ = r.TagFilter.schema.state(ctx)
	}
	dropped.calico, _ = calicoVersion(ctx, r.Cached, r.Kinds)
	r.filterDropped = dropped
	r.Log.Info("tag filter not supported", "reason", why)
	r.event(policy, corev1.EventTypeWarning, "TagFilterDropped", "Report", why)
	return write, nil
}
