package controller

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/topology"
)

// tagFilter gathers what decides whether Calico can do the tag filter.
type tagFilter struct {
	schema *filterSchema
	agents *agentWatch
}

// newTagFilter adds what watches the facts to a manager.
func newTagFilter(mgr manager.Manager, o Options, finding Finding, change func(), log logr.Logger) (*tagFilter, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("discovery client: %w", err)
	}
	facts := &tagFilter{
		schema: &filterSchema{client: client.OpenAPIV3WithContext(context.Background()), group: finding.Group, now: time.Now},
		agents: newAgentWatch(mgr.GetCache(), mgr.GetAPIReader(), change),
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		facts.watch(ctx, cmp.Or(o.LookInterval, lookInterval), change, log)
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("watch the description of BGPFilters: %w", err)
	}
	return facts, nil
}

// tagFilterSupport tells whether the tag filter can be relied on. It looks only
// where the policy leaves room for it: nothing is watched for the others. An error
// means that it is not known yet; to conclude from that would move a whole topology.
func (r *Reconciler) tagFilterSupport(ctx context.Context, in *rollout.Input) (topology.TagFilterSupport, error) {
	if in.Frozen != "" {
		return r.lastSupport, nil // Calico's API may not answer, and nothing is written
	}
	support, err := r.findTagFilterSupport(ctx, in)
	if err == nil {
		r.lastSupport = support
	}
	return support, err
}

func (r *Reconciler) findTagFilterSupport(ctx context.Context, in *rollout.Input) (topology.TagFilterSupport, error) {
	switch in.Autoscaler.Spec.WithDefaults().Topology {
	case v1alpha1.TopologyAuto, v1alpha1.TopologyMulti:
	default:
		return topology.TagFilterSupport{Why: "the topology asked for does without"}, nil
	}
	if r.TagFilter == nil || !r.Kinds.Filters {
		return topology.TagFilterSupport{Why: "this Calico has no BGPFilters"}, nil
	}
	problem, version, err := r.TagFilter.schema.state(ctx)
	if err != nil {
		return topology.TagFilterSupport{}, err
	}
	facts := tagfilter.Facts{Problem: problem}
	if facts.CalicoVersion, err = calicoVersion(ctx, r.Cached, r.Kinds); err != nil {
		return topology.TagFilterSupport{}, err
	}
	if dropped := r.filterDropped; dropped.why != "" && facts.Problem == "" {
		if dropped.schema == version && dropped.calico == facts.CalicoVersion {
			facts.Problem = dropped.why
		} else {
			r.filterDropped = droppedFilter{} // something is new: it may be tried again
		}
	}
	if why := facts.Against(); why != "" {
		return topology.TagFilterSupport{Why: why}, nil // the pods need not be looked at
	}
	if facts.Agents, facts.Problem, err = r.TagFilter.agents.read(ctx, in.Nodes); err != nil {
		return topology.TagFilterSupport{}, err
	}
	return tagfilter.Support(facts), nil
}

// calicoVersion is what ClusterInformation says; "" where there is none.
func calicoVersion(ctx context.Context, from client.Reader, kinds Kinds) (string, error) {
	if !kinds.Information {
		return "", nil
	}
	var information calico.ClusterInformation
	err := from.Get(ctx, client.ObjectKey{Name: clusterInformation}, &information)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read ClusterInformation %s: %w", clusterInformation, err)
	}
	return information.Spec.CalicoVersion, nil
}

// watch asks for a pass when the API server describes BGPFilters in another way.
func (f *tagFilter) watch(ctx context.Context, interval time.Duration, change func(), log logr.Logger) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		switch changed, err := f.schema.look(ctx); {
		case err != nil:
			log.V(1).Info("the description of BGPFilters cannot be read", "reason", err.Error())
		case changed:
			change()
		}
	}
}
