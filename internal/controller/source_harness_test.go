package controller

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

// seedFiles is where users find what they are to apply.
const seedFiles = "../../deploy/seed/"

func readJSON(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(seedFiles + name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sources is the cluster's KubeControllersConfiguration as users handle it.
type sources struct {
	*cluster
	definition *unstructured.Unstructured
	object     *unstructured.Unstructured
}

// newSources makes the object, as Calico does, without the section and without a
// place for it.
func newSources(c *cluster) *sources {
	c.t.Helper()
	s := &sources{cluster: c, object: newSourceObject(c.group), definition: &unstructured.Unstructured{}}
	s.definition.SetAPIVersion("apiextensions.k8s.io/v1")
	s.definition.SetKind("CustomResourceDefinition")
	s.definition.SetName("kubecontrollersconfigurations." + c.group.Group)
	s.clean()
	c.t.Cleanup(s.clean)
	s.object.Object["spec"] = map[string]any{"controllers": map[string]any{"node": map[string]any{"reconcilerPeriod": "5m"}}}
	c.must(c.client.Create(c.t.Context(), s.object))
	return s
}

// clean also takes the place for the section away again: others use the cluster too.
func (s *sources) clean() {
	s.t.Helper()
	s.must(client.IgnoreNotFound(s.client.Delete(context.Background(), newSourceObject(s.group))))
	s.upgradeCalico()
}

const schemaPath = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/controllers/properties/routereflector"

// upgradeCalico does to the definition what applying Calico's manifests does.
func (s *sources) upgradeCalico() {
	s.t.Helper()
	remove := []byte(`[{"op":"remove","path":"` + schemaPath + `"}]`)
	err := s.client.Patch(context.Background(), s.definition.DeepCopy(), client.RawPatch("application/json-patch+json", remove))
	if err != nil && !apierrors.IsInvalid(err) { // invalid: there is nothing to remove
		s.t.Fatal(err)
	}
}

// makePlace applies the patch of the definition.
func (s *sources) makePlace() {
	s.t.Helper()
	patch := client.RawPatch("application/json-patch+json", readJSON(s.t, "kubecontrollersconfigurations.patch.yaml"))
	s.must(s.client.Patch(s.t.Context(), s.definition.DeepCopy(), patch))
}

// write sends a merge patch as kubectl does.
func (s *sources) write(body []byte, validation string) error {
	return s.client.Patch(s.t.Context(), newSourceObject(s.group), client.RawPatch("application/merge-patch+json", body),
		client.FieldOwner("kubectl-edit"), client.FieldValidation(validation))
}

// writeSection sets the section, as soon as the API server takes it; null removes it.
func (s *sources) writeSection(section string) {
	s.t.Helper()
	data, err := yaml.YAMLToJSON([]byte(section))
	s.must(err)
	s.writeStrictly([]byte(`{"spec":{"controllers":{"routereflector":` + string(data) + `}}}`))
}

func (s *sources) writeStrictly(body []byte) {
	s.t.Helper()
	s.eventually("the API server to take the section", func() (bool, string) {
		err := s.write(body, metav1.FieldValidationStrict)
		return err == nil, fmt.Sprint(err)
	})
}

// wanted is what a section asks for, told over a specification.
func (s *sources) wanted(section string, spec v1alpha1.RouteReflectorAutoscalerSpec) v1alpha1.RouteReflectorAutoscalerSpec {
	s.t.Helper()
	var fields map[string]any
	s.must(yaml.Unmarshal([]byte(section), &fields))
	seed.Convert(fields).Keep(&spec)
	return spec.WithDefaults()
}

// follows waits until the policy says what a section asks for.
func (s *sources) follows(section string) *v1alpha1.RouteReflectorAutoscaler {
	s.t.Helper()
	policy := newPolicy()
	s.eventually("the policy to follow "+section, func() (bool, string) {
		*policy = *newPolicy()
		if !s.get(policy) {
			return false, "not there"
		}
		diff := cmp.Diff(s.wanted(section, policy.Spec), policy.Spec.WithDefaults())
		return diff == "", diff
	})
	return policy
}

// says waits for the condition of the source.
func (s *sources) says(reason string, parts ...string) {
	s.t.Helper()
	s.eventually("condition "+reason, func() (bool, string) {
		condition := meta.FindStatusCondition(s.policy().Status.Conditions, v1alpha1.ConditionSource)
		if condition == nil || condition.Reason != reason {
			return false, fmt.Sprintf("%+v", condition)
		}
		for _, part := range parts {
			if !strings.Contains(condition.Message, part) {
				return false, condition.Message
			}
		}
		return true, ""
	})
}

// toPolicy counts the writes to the policy beside its status.
func (w *writes) toPolicy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[strings.TrimSuffix(statusPatch, "/status")]
}

// hears waits for an event about the source.
func (s *sources) hears(part string) {
	s.t.Helper()
	s.eventually("an event with "+part, func() (bool, string) {
		var list eventsv1.EventList
		s.must(s.client.List(s.t.Context(), &list, client.InNamespace("default")))
		for _, event := range list.Items {
			if event.Regarding.Kind == seed.Kind && event.Regarding.UID == s.object.GetUID() && strings.Contains(event.Note, part) {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%d events", len(list.Items))
	})
}

// hasSeen waits until the controller has dealt with all that was written so far: one
// that begins anew has seen it when it is asked.
func (s *sources) hasSeen() {
	s.t.Helper()
	keeps, err := schemaKeeps(s.plane.Config())
	s.must(err)
	k := &sourceKeeper{
		sourceReader: sourceReader{live: s.client, groups: Sources{V3: s.group == calico.GroupV3, V1: s.group == calico.GroupV1}.groups(), keeps: keeps},
		cached:       s.client, writer: s.newClient(s.config()), log: testLog(s.t),
	}
	_, err = k.Reconcile(s.t.Context(), policyRequest())
	s.must(err)
}
