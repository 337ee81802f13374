package controller

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/rollout"
	"tapetum.dev/tapetum/internal/sessions"
	"tapetum.dev/tapetum/internal/topology"
)

// BenchmarkPass is one pass of the controller against the real API server, with
// caches as in production, in a cluster of 5,000 nodes in which what Auto chooses
// is in force and reported up, so that nothing is left to do. "no-change" is the
// whole pass, "gather" and "decide" are its parts; "fresh-look" is what a pass reads on
// top of that before it writes a step. Beside it the live heap with all caches, in MB (10^6 bytes).
func BenchmarkPass(b *testing.B) {
	if testing.Short() {
		b.Skip("5,000 nodes take too long for -short")
	}
	const nodes = 5000
	c := ownV3(b)
	c.createNodes(nodes)
	c.createAgents(nodes)
	c.inForce(b)
	r := c.cachedReconciler(b)
	c.answerOnce(b.Context())
	c.steady(b, r)

	b.Run(fmt.Sprintf("no-change/nodes=%d", nodes), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Reconcile(b.Context(), policyRequest()); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapAlloc)/1e6, "heap-MB")
	})
	in, err := r.gather(b.Context())
	c.must(err)
	b.Run(fmt.Sprintf("gather/nodes=%d", nodes), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.gather(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprintf("decide/nodes=%d", nodes), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out := r.Decide(in); out.Step != nil {
				b.Fatal(out.Step)
			}
		}
	})
	b.Run(fmt.Sprintf("fresh-look/nodes=%d", nodes), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fresh := in
			c.must(readCalico(b.Context(), r.Live, r.Kinds, &fresh))
			if _, err := r.freshNodes(b.Context(), in.Nodes, &rollout.Step{Subtractive: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// createAgents creates a calico-node of today on each node.
func (c *cluster) createAgents(count int) {
	c.t.Helper()
	c.create(&calico.ClusterInformation{
		ObjectMeta: metav1.ObjectMeta{Name: clusterInformation}, Spec: calico.ClusterInformationSpec{CalicoVersion: "v3.32.0"},
	})
	c.parallel(count, func(n int) error {
		node := largeNode(n).Name
		return c.client.Create(c.t.Context(), agentPod("kube-system", fmt.Sprintf("calico-node-%d", n), node, newAgent))
	})
}

// inForce writes what a plan for the nodes comes to, all at once, and a policy that
// has led there.
func (c *cluster) inForce(b *testing.B) {
	b.Helper()
	nodes, err := readNodes(b.Context(), c.client)
	c.must(err)
	policy := newPolicy()
	policy.Finalizers = []string{v1alpha1.Finalizer}
	policy.Annotations = map[string]string{v1alpha1.MeshAnnotation: `{"existed":false}`}
	plan := topology.Make(topology.Request{
		Spec: policy.Spec.WithDefaults(), Nodes: nodes, ClusterAS: calico.DefaultASNumber, Now: time.Now(),
		TagFilter: topology.TagFilterSupport{Cluster: true}, Load: map[string]int{},
	})
	goal := render.GoalOf(&plan, nodes, calico.DefaultASNumber, render.Options{})
	b.Logf("%s: %d reflectors, %d BGPPeers, %d homes", plan.Topology, len(plan.Reflectors), len(goal.Peers), len(plan.Homes))

	r := c.reconciler()
	c.parallel(len(goal.Nodes), func(n int) error {
		node := &goal.Nodes[n]
		role := rollout.NodeRole{Node: node.Name, UID: node.UID, ClusterID: node.ClusterID, Labels: map[string]string{}}
		for key, value := range node.Labels {
			if render.IsNodeLabel(key) {
				role.Labels[key] = value
			}
		}
		if len(role.Labels) == 0 {
			return nil
		}
		_, err := r.writeRole(b.Context(), nil, &role)
		return err
	})
	for i := range goal.Peers {
		c.create(&goal.Peers[i])
	}
	for i := range goal.Filters {
		c.create(&goal.Filters[i])
	}
	for _, reflector := range plan.Reflectors {
		c.create(sessions.New(reflector.Node))
	}
	c.create(policy, &calico.BGPConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration},
		Spec:       calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: ptr.To(false)},
	})
}

// cachedReconciler reads from caches as the controller does. Its passes are made by
// the benchmark alone.
func (c *cluster) cachedReconciler(b *testing.B) *Reconciler {
	b.Helper()
	o := Options{Config: c.config(), Log: logr.Discard()}
	discoverer, err := NewDiscoverer(o.Config)
	c.must(err)
	finding, err := discoverer.Find(b.Context())
	c.must(err)
	scheme, err := newScheme(finding)
	c.must(err)
	mgr, err := manager.New(o.Config, managerOptions(o, finding, scheme, o.Log))
	c.must(err)
	tagFilter, err := newTagFilter(mgr, o, finding, func() {}, o.Log)
	c.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	for _, object := range append(watched(finding.Kinds), client.Object(&v1alpha1.RouteReflectorAutoscaler{})) {
		_, err := mgr.GetCache().GetInformer(ctx, object)
		c.must(err)
	}
	return newReconciler(mgr, o, finding, tagFilter, o.Log)
}

// steady makes passes until nothing is written any more.
func (c *cluster) steady(b *testing.B, r *Reconciler) {
	b.Helper()
	steps := 0
	c.eventually("a pass that writes nothing", func() (bool, string) {
		var step *rollout.Step
		r.Decide = func(in rollout.Input) rollout.Output {
			out := rollout.Next(in)
			step = out.Step
			return out
		}
		_, err := r.Reconcile(b.Context(), policyRequest())
		c.must(err)
		if step != nil {
			steps++
			if steps > 50 {
				b.Fatalf("no end of steps: %s", step.String())
			}
			return false, step.String()
		}
		return len(r.unseen) == 0, c.policy().Status.NextStep
	})
	r.Decide = rollout.Next
	b.Logf("after %d steps: %s", steps, c.policy().Status.NextStep)
}
