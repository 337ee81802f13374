package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

const blog = `{min: 2, ratio: 0.5, zoneLabel: kubernetes.io/arch}`

func TestSourceIsFollowed(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		t.Parallel()
		s := newSources(c)
		s.makePlace()
		s.makePlace() // twice is once
		var w writes
		c.start(Options{Config: w.watch(c.config()), Decide: (&script{}).decide})
		s.writeStrictly(readJSON(t, "blog.yaml"))

		policy := s.follows(blog)
		if policy.Annotations[v1alpha1.SourceAnnotation] != "KubeControllersConfiguration/default" || policy.Spec.Topology != v1alpha1.TopologyMulti {
			t.Errorf("annotations %v, topology %s", policy.Annotations, policy.Spec.Topology)
		}
		s.says("InStep", c.group.Version)
		s.hears("made RouteReflectorAutoscaler default")
		c.eventually("the Reconciler to answer too", c.ready)
		s.says("InStep")

		// What the section has no word for is a person's; what it has is its own.
		c.patch(c.policy(), "kubectl-edit", `{"spec":{"mode":"DryRun","placement":{"pinned":["n1"]},"scaling":{"max":77}}}`)
		policy = s.follows(blog)
		if policy.Spec.Mode != v1alpha1.ModeDryRun || len(policy.Spec.Placement.Pinned) != 1 {
			t.Errorf("a person's fields were changed: %+v", policy.Spec)
		}

		const other = `{topologyType: single, min: 4, max: 6, incompatibleLabels: "gpu,pool=spot,edge=", clusterId: 10.0.0.9, hostnameLabel: h}`
		s.writeSection(`{topologyType: single, min: 4, max: 6, incompatibleLabels: "gpu,pool=spot,edge=", clusterId: 10.0.0.9, hostnameLabel: h, ratio: null, zoneLabel: null}`)
		s.follows(other)
		s.says("InStepWithNotes", "hostnameLabel")

		before := w.toPolicy()
		c.patch(newSourceObject(c.group), "kube-controllers", `{"spec":{"controllers":{"node":{"reconcilerPeriod":"6m"}}}}`)
		c.patch(newSourceObject(c.group), "somebody", `{"metadata":{"labels":{"a":"b"}}}`)

		s.writeSection(`null`)
		s.says("SectionGone", "stays as it is", v1alpha1.SourceAnnotation)
		s.follows(other)
		if after := w.toPolicy(); after != before {
			t.Errorf("the policy was written without a section: %v", &w)
		}
		s.writeSection(blog)
		s.follows(blog)
		s.says("InStep")

		// Who removes the annotation takes over.
		c.patch(c.policy(), "kubectl-annotate", `{"metadata":{"annotations":{"`+v1alpha1.SourceAnnotation+`":null}}}`)
		c.eventually("the condition to go", func() (bool, string) {
			conditions := c.policy().Status.Conditions
			return meta.FindStatusCondition(conditions, v1alpha1.ConditionSource) == nil, fmt.Sprint(conditions)
		})
		c.patch(c.policy(), "kubectl-edit", `{"spec":{"topology":"Mesh"}}`)
		s.writeSection(`{min: 7}`)
		s.hasSeen()
		if policy := c.policy(); policy.Spec.Topology != v1alpha1.TopologyMesh || policy.Spec.Scaling.Min != 2 {
			t.Errorf("a person's own was changed: %+v", policy.Spec)
		}

		// Deleted with the section in place, it comes back. Section first, and it is gone.
		gone := c.policy()
		c.must(c.client.Delete(t.Context(), gone))
		if policy := s.follows(`{min: 7, ratio: 0.5, zoneLabel: kubernetes.io/arch}`); policy.UID == gone.UID {
			t.Error("it was not made anew")
		}
		s.writeSection(`null`)
		c.must(c.client.Delete(t.Context(), c.policy()))
		s.hasSeen()
		if policy := newPolicy(); c.get(policy) {
			t.Errorf("made without a section: %+v", policy)
		}
	})
}

func TestSourceThatIsDropped(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		t.Parallel()
		s := newSources(c)
		c.start(Options{Decide: (&script{}).decide})

		// As kubectl edit without validation: nothing tells of it, nothing happens.
		section := []byte(`{"spec":{"controllers":{"routereflector":{"min":2}}}}`)
		s.must(s.write(section, metav1.FieldValidationIgnore))
		if err := s.write(section, metav1.FieldValidationStrict); err == nil {
			t.Error("accepted though there is no place for it")
		}
		// As kubectl apply: it notes what it was given.
		applied, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": string(section),
		}}, "spec": map[string]any{"controllers": map[string]any{"routereflector": map[string]any{"min": 2}}}})
		s.must(err)
		s.must(s.write(applied, metav1.FieldValidationIgnore))
		s.hears("the definition of the kind has no place for it")
		if c.get(newPolicy()) {
			t.Error("a policy was made")
		}

		// With the patch it works; after an upgrade of Calico it says why not any more.
		s.makePlace()
		s.must(s.write([]byte(`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":null}}}`), metav1.FieldValidationStrict))
		s.writeSection(`{min: 2}`)
		s.follows(`{min: 2}`)
		s.says("InStep")

		// Older kube-controllers write back what they know.
		s.get(s.object)
		unstructured.RemoveNestedField(s.object.Object, "spec", "controllers", "routereflector")
		s.object.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(section)})
		s.must(c.client.Update(t.Context(), s.object, client.FieldOwner("kube-controllers")))
		s.says("SectionGone", "kubectl apply has it", "kube-controllers", "set it again", "stays as it is")
		s.must(s.write([]byte(`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":null}}}`), metav1.FieldValidationStrict))
		s.writeSection(`{min: 2}`)
		s.says("InStep")

		s.upgradeCalico()
		s.eventually("the section to be dropped", func() (bool, string) {
			s.get(s.object)
			_, found, _ := seed.Section(s.object.Object)
			return !found, fmt.Sprint(s.object.Object["spec"])
		})
		s.eventually("the schema to be published", func() (bool, string) {
			keeps, err := schemaKeeps(c.plane.Config())
			s.must(err)
			kept, err := keeps(t.Context(), c.group)
			return err == nil && !kept, fmt.Sprint(kept, err)
		})
		// A node's labels are no news to the source; a touch of the policy is.
		c.patch(c.policy(), "somebody", `{"metadata":{"annotations":{"a":"b"}}}`)
		s.says("SectionPruned", `field manager "kubectl-edit" has set it`, "no place for it", "stays as it is")
		s.follows(`{min: 2}`)
	})
}

func TestSourceLeavesAPersonsPolicyAlone(t *testing.T) {
	c := ownV3(t)
	s := newSources(c)
	s.makePlace()
	s.writeSection(blog)
	for name, annotations := range map[string]map[string]string{
		"none": nil, "another source": {v1alpha1.SourceAnnotation: "ConfigMap/x"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := newPolicy()
			policy.Annotations = annotations
			policy.Spec.Topology = v1alpha1.TopologySingle
			c.create(policy)
			s.hasSeen()
			after := c.policy()
			if after.ResourceVersion != policy.ResourceVersion {
				t.Errorf("it was written: %+v", after)
			}
			c.must(c.client.Delete(t.Context(), after))
		})
	}
	// Being deleted, it is not made anew before it is gone.
	policy := newPolicy()
	policy.Finalizers = []string{v1alpha1.Finalizer}
	policy.Annotations = map[string]string{v1alpha1.SourceAnnotation: v1alpha1.SourceKubeControllers}
	c.create(policy)
	c.must(c.client.Delete(t.Context(), policy))
	deleted := c.policy()
	s.hasSeen()
	if after := c.policy(); after.ResourceVersion != deleted.ResourceVersion {
		t.Errorf("written while it is being deleted: %+v", after)
	}
}

// Where the seed's own controller may still run, nothing is written before a person
// says so: it would delete what Tapetum makes.
func TestSourceBesideTheSeed(t *testing.T) {
	c := ownV3(t)
	s := newSources(c)
	s.makePlace()
	c.create(&calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "rrs-to-rrs"},
		Spec:       calico.BGPPeerSpec{NodeSelector: "has(calico-route-reflector)", PeerSelector: "has(calico-route-reflector)"},
	})
	s.writeSection(blog)
	s.hasSeen()
	if mode := c.policy().Spec.Mode; mode != v1alpha1.ModeDryRun {
		t.Errorf("mode %s, want DryRun", mode)
	}
	c.patch(c.policy(), "kubectl-edit", `{"spec":{"mode":"Apply"}}`)
	s.hasSeen()
	if policy := s.follows(blog); policy.Spec.Mode != v1alpha1.ModeApply {
		t.Errorf("mode %s, which a person has set to Apply", policy.Spec.Mode)
	}
}

// What cannot be taken over is said, and nothing is changed by half.
func TestSourceThatContradictsThePerson(t *testing.T) {
	c := ownV3(t)
	s := newSources(c)
	s.makePlace()
	policy := newPolicy()
	policy.Annotations = map[string]string{v1alpha1.SourceAnnotation: v1alpha1.SourceKubeControllers}
	policy.Spec.ReflectorsPerClient = 3
	policy.Spec.Limits.PathsPerRoute = 9
	c.create(policy)
	s.writeSection(`{min: 5, routeReflectorsPerNode: 4}`)
	s.hasSeen()
	s.says("SpecRefused", "pathsPerRoute")
	if policy := c.policy(); policy.Spec.Scaling.Min == 5 || policy.Spec.ReflectorsPerClient == 4 {
		t.Errorf("taken over by half: %+v", policy.Spec)
	}
	c.patch(c.policy(), "kubectl-edit", `{"spec":{"limits":{"pathsPerRoute":30}}}`)
	s.hasSeen()
	s.follows(`{min: 5, routeReflectorsPerNode: 4}`)
	s.says("InStep")
}

// Without the right to read the source, all else works as before.
func TestRunWithoutRightsToTheSource(t *testing.T) {
	c := ownV3(t)
	role := &unstructured.Unstructured{}
	role.SetAPIVersion("rbac.authorization.k8s.io/v1")
	role.SetKind("ClusterRole")
	role.SetName("tapetum")
	if !c.get(role) {
		t.Fatal("the manifests have no ClusterRole tapetum")
	}
	whole := role.DeepCopy()
	rules, _, err := unstructured.NestedSlice(role.Object, "rules")
	c.must(err)
	var kept []any
	for _, rule := range rules {
		if !strings.Contains(fmt.Sprint(rule), "kubecontrollersconfigurations") {
			kept = append(kept, rule)
		}
	}
	c.must(unstructured.SetNestedSlice(role.Object, kept, "rules"))
	c.must(c.client.Update(t.Context(), role))
	t.Cleanup(func() {
		whole.SetResourceVersion("")
		c.must(c.client.Update(context.Background(), whole))
	})
	c.create(newNode(1), newPolicy())
	s := &script{peers: []string{"tapetum-a"}, roles: []string{"n001"}}
	c.start(Options{Decide: s.decide})
	c.eventually("the script to be done", c.ready)
}

func TestTheSourcesConditionStays(t *testing.T) {
	old := []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: "True", Reason: "A"},
		{Type: v1alpha1.ConditionSource, Status: "True", Reason: "InStep", Message: "m"},
	}
	got := mergeConditions(old, []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: "B"}}, 3)
	if kept := meta.FindStatusCondition(got, v1alpha1.ConditionSource); len(got) != 2 || kept == nil || kept.Reason != "InStep" || kept.Message != "m" {
		t.Errorf("conditions %+v", got)
	}
	if got := mergeConditions(nil, old, 3); len(got) != 2 {
		t.Errorf("conditions %+v", got)
	}
}
