package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// errForeign: an object or value turned out to be somebody else's. It is never
// overwritten.
var errForeign = errors.New("belongs to somebody else")

// errStep: a step lacks what its action needs.
var errStep = errors.New("step cannot be carried out")

// writeStep carries out one step, tells everyone about it, and remembers what the
// cache must show before the next pass. Any error but a refusal leaves it open
// whether the write has happened, so the object is looked at again first. It
// returns true when the policy itself is gone thereby.
func (r *Reconciler) writeStep(ctx context.Context, in *rollout.Input, step *rollout.Step) (bool, error) {
	write, err := r.carryOut(ctx, in, step)
	kind, _, _ := strings.Cut(step.Object, "/")
	if step.Action != rollout.SetHomes { // which counts them one by one
		countWrite(kind, err)
	}
	if write.object != nil && (err == nil || !refused(err)) {
		r.remember(write)
	}
	if err != nil {
		r.suspect(err)
		return false, fmt.Errorf("%s %s: %w", step.Action, step.Object, err)
	}
	r.report(in.Autoscaler, step)
	_, isPolicy := write.object.(*v1alpha1.RouteReflectorAutoscaler)
	return isPolicy && write.gone, nil
}

func (r *Reconciler) carryOut(ctx context.Context, in *rollout.Input, step *rollout.Step) (pending, error) {
	if what := lacks(step); what != "" {
		return pending{}, fmt.Errorf("%w: it names no %s", errStep, what)
	}
	switch step.Action {
	case rollout.CreatePeer, rollout.PatchPeer, rollout.DeletePeer:
		return r.writeOwn(ctx, step.Action, step.Peer.DeepCopy(), find(in.Peers, step.Peer.Name))
	case rollout.CreateFilter, rollout.PatchFilter, rollout.DeleteFilter:
		return r.writeFilter(ctx, in.Autoscaler, step, find(in.Filters, step.Filter.Name))
	case rollout.CreateStatus, rollout.PatchStatus, rollout.DeleteStatus:
		return r.writeOwn(ctx, step.Action, step.NodeStatus.DeepCopy(), find(in.Statuses, step.NodeStatus.Name))
	case rollout.SetRole, rollout.ClearRole:
		return r.writeRole(ctx, in.Autoscaler, step.Role)
	case rollout.SetHomes:
		return pending{}, r.writeHomes(ctx, step.Homes)
	case rollout.MeshOff, rollout.MeshOn:
		return r.writeMesh(ctx, step.Action == rollout.MeshOff, step.Mesh, find(in.Configurations, calico.DefaultConfiguration))
	case rollout.SaveMesh, rollout.ForgetMesh, rollout.AddFinalizer, rollout.RemoveFinalizer:
		return r.writePolicy(ctx, in.Autoscaler, step)
	}
	return pending{}, fmt.Errorf("%w: unknown action", errStep)
}

// lacks names what the action of a step needs and the step does not have; "" when
// it is complete.
func lacks(step *rollout.Step) string {
	for _, need := range []struct {
		actions []rollout.Action
		missing bool
		what    string
	}{
		{[]rollout.Action{rollout.CreatePeer, rollout.PatchPeer, rollout.DeletePeer}, step.Peer == nil, "BGPPeer"},
		{[]rollout.Action{rollout.CreateFilter, rollout.PatchFilter, rollout.DeleteFilter}, step.Filter == nil, "BGPFilter"},
		{[]rollout.Action{rollout.CreateStatus, rollout.PatchStatus, rollout.DeleteStatus}, step.NodeStatus == nil, "CalicoNodeStatus"},
		{[]rollout.Action{rollout.SetRole, rollout.ClearRole}, step.Role == nil, "node"},
		{[]rollout.Action{rollout.SetHomes}, len(step.Homes) == 0, "node"},
		{[]rollout.Action{rollout.MeshOff, rollout.MeshOn, rollout.SaveMesh}, step.Mesh == nil, "mesh fields"},
	} {
		if need.missing && slices.Contains(need.actions, step.Action) {
			return need.what
		}
	}
	return ""
}

// refused tells whether the API server has said no, so that nothing was written.
func refused(err error) bool {
	return errors.Is(err, errForeign) || errors.Is(err, errStep) ||
		apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) ||
		apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err)
}

// final tells whether writing the same again would be refused again, until a
// person changes something.
func final(err error) bool {
	return errors.Is(err, errForeign) || errors.Is(err, errStep) ||
		apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}

// suspect makes discovery look again when an error may mean that the API group
// has changed.
func (r *Reconciler) suspect(err error) {
	if r.Suspect != nil && (apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsMethodNotSupported(err)) {
		r.Suspect()
	}
}

// item is a pointer to an element of a list.
type item[T any] interface {
	*T
	client.Object
}

// find returns the object of that name, nil where there is none. The result is a
// copy.
func find[T any, P item[T]](list []T, name string) client.Object {
	for i := range list {
		if object := P(&list[i]); object.GetName() == name {
			if copied, ok := object.DeepCopyObject().(client.Object); ok {
				return copied
			}
		}
	}
	return nil
}

// writeOwn creates, patches or deletes an object that is Tapetum's. current is
// what the API server has, nil where it has nothing.
func (r *Reconciler) writeOwn(ctx context.Context, action rollout.Action, wanted, current client.Object) (pending, error) {
	if current != nil && !calico.ManagedByUs(current) {
		return pending{}, fmt.Errorf("%w: it does not carry the label %s=%s", errForeign, v1alpha1.ManagedByLabel, v1alpha1.ManagedByValue)
	}
	switch action {
	case rollout.DeletePeer, rollout.DeleteFilter, rollout.DeleteStatus:
		if current == nil {
			return pending{}, nil
		}
		return r.deleteOwn(ctx, action, current)
	case rollout.CreatePeer, rollout.CreateFilter, rollout.CreateStatus:
		return r.createOwn(ctx, wanted)
	}
	if current == nil {
		return r.createOwn(ctx, wanted)
	}
	return r.patchOwn(ctx, wanted, current)
}

func (r *Reconciler) deleteOwn(ctx context.Context, action rollout.Action, current client.Object) (pending, error) {
	uid, version := current.GetUID(), current.GetResourceVersion()
	options := client.Preconditions{UID: &uid}
	if action != rollout.DeleteStatus {
		// A report changes all the time, the others only by somebody's hand.
		options.ResourceVersion = &version
	}
	if err := client.IgnoreNotFound(r.Writer.Delete(ctx, current, options)); err != nil {
		return pending{object: current}, err
	}
	return pending{object: current, gone: true, uid: string(uid)}, nil
}

func (r *Reconciler) createOwn(ctx context.Context, wanted client.Object) (pending, error) {
	mark(wanted)
	wanted.SetResourceVersion("")
	wanted.SetUID("")
	if report, ok := wanted.(*calico.CalicoNodeStatus); ok {
		// It was read before somebody deleted it: an old answer must not pass for a new one.
		report.Status = calico.NodeStatusStatus{}
	}
	if err := r.pack(wanted); err != nil {
		return pending{}, err
	}
	err := r.Writer.Create(ctx, wanted, client.FieldOwner(v1alpha1.FieldManager))
	return pending{object: wanted, version: wanted.GetResourceVersion()}, err
}

// patchOwn brings the specification and Tapetum's label to what is wanted, and
// leaves all other metadata alone.
func (r *Reconciler) patchOwn(ctx context.Context, wanted, current client.Object) (pending, error) {
	changed, ok := current.DeepCopyObject().(client.Object)
	if !ok {
		return pending{}, fmt.Errorf("%w: %T is no object", errStep, current)
	}
	switch changed := changed.(type) {
	case *calico.BGPPeer:
		if peer, ok := wanted.(*calico.BGPPeer); ok {
			changed.Spec = peer.Spec
		}
	case *calico.BGPFilter:
		if filter, ok := wanted.(*calico.BGPFilter); ok {
			changed.Spec = filter.Spec
		}
	case *calico.CalicoNodeStatus:
		if status, ok := wanted.(*calico.CalicoNodeStatus); ok {
			changed.Spec = status.Spec
		}
	}
	mark(changed)
	if err := r.pack(changed); err != nil {
		return pending{}, err
	}
	patch := client.MergeFromWithOptions(current, client.MergeFromWithOptimisticLock{})
	err := r.Writer.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
	return written(changed, err), err
}

// written is what to wait for after a create or patch: after an error the version
// in the object is the one from before.
func written(object client.Object, err error) pending {
	if err != nil {
		return pending{object: object}
	}
	return pending{object: object, version: object.GetResourceVersion()}
}

func mark(object client.Object) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.ManagedByLabel] = v1alpha1.ManagedByValue
	object.SetLabels(labels)
}

// pack makes the metadata of an object of group crd.projectcalico.org/v1 visible
// to those who read it through projectcalico.org/v3.
func (r *Reconciler) pack(object client.Object) error {
	if !r.PackMetadata {
		return nil
	}
	return calico.PackMetadata(object)
}

// readModifier returns the field manager that has last changed the object of a
// step, other than Tapetum; "" where it cannot be told.
func (r *Reconciler) readModifier(ctx context.Context, step *rollout.Step) string {
	var object client.Object
	switch {
	case step.Role != nil:
		object = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: step.Role.Node}}
	case step.Peer != nil:
		object = &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: step.Peer.Name}}
	case step.Filter != nil:
		object = &calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: step.Filter.Name}}
	case step.NodeStatus != nil:
		object = &calico.CalicoNodeStatus{ObjectMeta: metav1.ObjectMeta{Name: step.NodeStatus.Name}}
	case step.Mesh != nil:
		object = &calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration}}
	default:
		return ""
	}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return "" // deleted, most likely; the API server does not keep who did it
	}
	return lastModifier(object.GetManagedFields())
}
