package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

// sourceInterval is how often the source is looked at though nothing was heard of
// it: a change of its definition makes no event, but may take the section away.
const sourceInterval = time.Minute

// Reasons of v1alpha1.ConditionSource.
const (
	reasonInStep     = "InStep"
	reasonTranslated = "InStepWithNotes"
	reasonGone       = "SectionGone"
	reasonPruned     = "SectionPruned"
	reasonUnreadable = "SectionUnreadable"
	reasonNotTaken   = "SpecRefused"
)

// sourceKeeper keeps the RouteReflectorAutoscaler in step with the section that the
// seed put into KubeControllersConfiguration, for those who use that. It makes one
// where there is none, and follows the section in those that carry the annotation.
// One without the annotation is a person's and never touched. When the section goes
// the RouteReflectorAutoscaler stays: what routes hangs on it.
type sourceKeeper struct {
	sourceReader
	cached   client.Reader
	writer   client.Client
	recorder events.EventRecorder
	log      logr.Logger
	// said is what was last said while there was no status to say it in.
	said string
}

// Reconcile looks at both objects.
func (k *sourceKeeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	err := k.keep(ctx)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return reconcile.Result{RequeueAfter: settleRetry}, nil // the cache will show it
	}
	return reconcile.Result{RequeueAfter: sourceInterval}, err
}

func (k *sourceKeeper) keep(ctx context.Context) error {
	policy, err := readPolicy(ctx, k.cached)
	switch {
	case err != nil:
		return err
	case policy != nil && !policy.DeletionTimestamp.IsZero():
		return nil
	case policy != nil && policy.Annotations[v1alpha1.SourceAnnotation] != v1alpha1.SourceKubeControllers:
		return k.release(ctx, policy)
	}
	found, err := k.look(ctx)
	switch {
	case err != nil:
		return err
	case policy == nil && found.section != nil:
		return k.create(ctx, found)
	case policy == nil:
		reason, message := k.unkept(ctx, found)
		k.say(found, reason, message)
		return nil
	case found.section != nil:
		return k.follow(ctx, policy, found)
	}
	reason, message := k.missing(ctx, found)
	return k.tell(ctx, policy, metav1.Condition{
		Status: metav1.ConditionFalse, Reason: reason,
		Message: fmt.Sprintf("%s; this RouteReflectorAutoscaler stays as it is: put the section back, or remove the annotation %s to make it your own",
			message, v1alpha1.SourceAnnotation),
	})
}

// create makes the RouteReflectorAutoscaler that a section asks for. It only plans
// while BGPPeers of the seed's own controller stand: that one deletes every BGPPeer
// which it has not made itself.
func (k *sourceKeeper) create(ctx context.Context, found sourceState) error {
	policy := &v1alpha1.RouteReflectorAutoscaler{}
	policy.Name = v1alpha1.SingletonName
	policy.Annotations = map[string]string{v1alpha1.SourceAnnotation: v1alpha1.SourceKubeControllers}
	wish := seed.Convert(found.section)
	policy.Spec = wish.New()
	peer, err := seedsPeer(ctx, k.cached)
	if err != nil {
		return err
	}
	said := "made RouteReflectorAutoscaler default, which is kept in step with " + seed.Path
	if peer != "" {
		policy.Spec.Mode = v1alpha1.ModeDryRun
		said += fmt.Sprintf(", in mode DryRun: BGPPeer %s is of the seed's own controller, which would delete Tapetum's; stop that first, then set mode Apply (docs/seed.md)", peer)
	}
	err = k.writer.Create(ctx, policy, client.FieldOwner(v1alpha1.FieldManager))
	countWrite("RouteReflectorAutoscaler", err)
	if final(err) {
		k.say(found, reasonNotTaken, fmt.Sprintf("the RouteReflectorAutoscaler that %s asks for cannot be made: %v", found, err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the RouteReflectorAutoscaler that %s asks for: %w", found, err)
	}
	k.said = ""
	k.log.Info(said, "source", found.String(), "notes", wish.Notes)
	k.event(found.object, corev1.EventTypeNormal, "Created", said)
	return nil
}

// seedsPeer returns a BGPPeer that the seed's own controller has made, "" if none.
func seedsPeer(ctx context.Context, from client.Reader) (string, error) {
	var peers calico.BGPPeerList
	if err := from.List(ctx, &peers); err != nil {
		return "", fmt.Errorf("list BGPPeers: %w", err)
	}
	for i := range peers.Items {
		if seed.IsPeer(peers.Items[i].Name) && !calico.ManagedByUs(&peers.Items[i]) {
			return peers.Items[i].Name, nil
		}
	}
	return "", nil
}

// follow brings the specification to what the section asks for.
func (k *sourceKeeper) follow(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler, found sourceState) error {
	wish := seed.Convert(found.section)
	changed := policy.DeepCopy()
	wish.Keep(&changed.Spec)
	if !equality.Semantic.DeepEqual(policy.Spec, changed.Spec) {
		patch := client.MergeFromWithOptions(policy.DeepCopy(), client.MergeFromWithOptimisticLock{})
		err := k.writer.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
		countWrite("RouteReflectorAutoscaler", err)
		switch {
		case final(err):
			return k.tell(ctx, policy, metav1.Condition{
				Status: metav1.ConditionFalse, Reason: reasonNotTaken,
				Message: fmt.Sprintf("what %s asks for cannot be taken over: %v", found, err),
			})
		case err != nil:
			return fmt.Errorf("follow %s: %w", found, client.IgnoreNotFound(err))
		}
		k.log.Info("took over what a section asks for", "source", found.String(), "notes", wish.Notes)
		policy = changed
	}
	condition := metav1.Condition{Status: metav1.ConditionTrue, Reason: reasonInStep, Message: "in step with " + found.String()}
	if len(wish.Notes) > 0 {
		condition.Reason = reasonTranslated
		condition.Message += "; " + strings.Join(wish.Notes, "; ")
	}
	return k.tell(ctx, policy, condition)
}

// release takes back what was said of the source: the RouteReflectorAutoscaler is a
// person's.
func (k *sourceKeeper) release(ctx context.Context, policy *v1alpha1.RouteReflectorAutoscaler) error {
	k.said = ""
	return k.writeCondition(ctx, policy, nil)
}

// say logs, and tells by an event, what there is no status for; once.
func (k *sourceKeeper) say(found sourceState, reason, message string) {
	if message == k.said {
		return
	}
	k.said = message
	if message != "" {
		k.log.Info("no RouteReflectorAutoscaler", "reason", message)
		k.event(found.object, corev1.EventTypeWarning, reason, message)
	}
}
