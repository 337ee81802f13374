package controller

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/render"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/rollout"
)

// filterStep writes our filter.
func (c *cluster) filterStep(r *Reconciler, action rollout.Action) error {
	c.t.Helper()
	in := rollout.Input{Autoscaler: newPolicy()}
	c.must(readCalico(c.t.Context(), c.client, r.Kinds, &in))
	_, err := r.writeStep(c.t.Context(), &in, &rollout.Step{Action: action, Object: "BGPFilter/" + render.FilterName, Filter: render.Filter()})
	return err
}

func TestWriteFilter(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		r := c.reconciler()
		filter := &calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: render.FilterName}}
		stands := func() {
			t.Helper()
			filter = &calico.BGPFilter{ObjectMeta: filter.ObjectMeta}
			if !c.get(filter) {
				t.Fatal("the BGPFilter is not there")
			}
			if diff := cmp.Diff(render.Filter().Spec, filter.Spec); diff != "" {
				t.Errorf("specification (-want +got):\n%s", diff)
			}
			if !calico.ManagedByUs(filter) {
				t.Errorf("the BGPFilter does not say whose it is: %v", filter.Labels)
			}
			if r.filterDropped.why != "" {
				t.Errorf("taken for dropped: %s", r.filterDropped.why)
			}
		}
		c.must(c.filterStep(r, rollout.CreateFilter))
		stands()
		if _, packed := filter.Annotations[calico.MetadataAnnotation]; packed != (c.group == calico.GroupV1) {
			t.Errorf("metadata packed: %v in group %v", packed, c.group)
		}
		c.patch(filter, "kubectl-edit", `{"metadata":{"annotations":{"example.com/note":"kept"}},"spec":{"exportV4":null,"importV6":[{"action":"Accept"}]}}`)
		c.must(c.filterStep(r, rollout.PatchFilter))
		stands()
		if filter.Annotations["example.com/note"] != "kept" {
			t.Errorf("annotations of the user: %v", filter.Annotations)
		}

		stale := rollout.Input{Autoscaler: newPolicy()}
		c.must(readCalico(t.Context(), c.client, r.Kinds, &stale))
		c.patch(filter, "kubectl-edit", `{"spec":{"exportV4":null}}`)
		for _, action := range []rollout.Action{rollout.PatchFilter, rollout.DeleteFilter} {
			_, err := r.writeStep(t.Context(), &stale, &rollout.Step{Action: action, Object: "BGPFilter/x", Filter: render.Filter()})
			if !apierrors.IsConflict(err) {
				t.Errorf("%s of a BGPFilter that has changed since: error %v, want a conflict", action, err)
			}
		}
		c.must(c.filterStep(r, rollout.DeleteFilter))
		if c.get(filter) {
			t.Error("the BGPFilter is still there")
		}
		c.create(&calico.BGPFilter{ObjectMeta: metav1.ObjectMeta{Name: render.FilterName}})
		for _, action := range []rollout.Action{rollout.CreateFilter, rollout.PatchFilter, rollout.DeleteFilter} {
			if err := c.filterStep(r, action); !errors.Is(err, errForeign) {
				t.Errorf("%s over somebody's BGPFilter: error %v, want %v", action, err, errForeign)
			}
		}
	})
}

// older is the definitions with a BGPFilter as it was before Calico v3.32.
func older(t *testing.T, set controlplane.CRDSet) controlplane.CRDSet {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(set.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(set.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "bgpfilters") {
			objects, err := controlplane.DecodeObjects(data)
			if err != nil || len(objects) != 1 {
				t.Fatalf("%s: %d objects, error %v", name, len(objects), err)
			}
			prune(objects[0])
			if data, err = objects[0].MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	return controlplane.CRDSet{Name: "older", Files: files}
}

// prune removes what is new in Calico v3.32 from the definition of BGPFilter.
func prune(definition *unstructured.Unstructured) {
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			delete(value, "communities")
			delete(value, "operations")
			delete(value, "x-kubernetes-preserve-unknown-fields")
			delete(value, "x-kubernetes-validations")
			for _, v := range value {
				walk(v)
			}
		case []any:
			for _, v := range value {
				walk(v)
			}
		}
	}
	walk(definition.Object)
}

// An API server that knows no communities yet: it is seen in its description, and
// in what comes back of a filter; and it is seen when that has been mended.
func TestOlderDefinition(t *testing.T) {
	set, err := controlplane.OwnCalicoCRDs(calico.GroupV3.Group)
	if err != nil {
		t.Fatal(err)
	}
	c := withSet(t, calico.GroupV3, older(t, set))
	client, err := discovery.NewDiscoveryClientForConfig(c.config())
	c.must(err)
	r := c.reconciler()
	recorder := events.NewFakeRecorder(10)
	r.Recorder = recorder
	schema := &filterSchema{client: client.OpenAPIV3WithContext(t.Context()), group: c.group, now: time.Now}
	r.TagFilter = &tagFilter{schema: schema, agents: &agentWatch{started: true}}
	c.create(&calico.ClusterInformation{ObjectMeta: metav1.ObjectMeta{Name: clusterInformation}, Spec: calico.ClusterInformationSpec{CalicoVersion: "v3.32.0"}})
	support := func() (why string) {
		got, err := r.tagFilterSupport(t.Context(), &rollout.Input{Autoscaler: newPolicy()})
		if err != nil {
			return err.Error() // not described yet
		}
		return got.Why
	}
	c.eventually("the missing field to be named", func() (bool, string) {
		why := support()
		return strings.Contains(why, "communities"), why
	})

	c.must(c.filterStep(r, rollout.CreateFilter))
	if !strings.Contains(r.filterDropped.why, render.FilterName) || len(recorder.Events) != 2 {
		t.Errorf("the filter came back without its communities, and Tapetum says %q and %d events", r.filterDropped.why, len(recorder.Events))
	}

	// The same where the description promises more than is kept.
	schema.problem = ""
	if why := support(); why != r.filterDropped.why || why == "" {
		t.Errorf("why not: %q, want that it was dropped", why)
	}

	// While all is frozen nobody is asked: it is as it was.
	frozen := &filterSchema{client: schema.client, group: schema.group, now: func() time.Time { t.Error("somebody was asked"); return time.Time{} }}
	r.TagFilter.schema = frozen
	last, err := r.tagFilterSupport(t.Context(), &rollout.Input{Autoscaler: newPolicy(), Frozen: "away"})
	if err != nil || last.Why != r.filterDropped.why {
		t.Errorf("while frozen: %+v, error %v", last, err)
	}
	r.TagFilter.schema = schema

	objects, err := controlplane.ReadObjects(set.Files)
	c.must(err)
	c.must(controlplane.Apply(t.Context(), c.plane.Config(), objects))
	c.eventually("the new description", func() (bool, string) {
		changed, err := schema.look(t.Context())
		return err == nil && changed && schema.problem == "", schema.problem
	})
	if why := support(); strings.Contains(why, "BGPFilter") || r.filterDropped.why != "" {
		t.Errorf("why not: %q; dropped: %q", why, r.filterDropped.why)
	}
	c.eventually("the filter to be kept", func() (bool, string) {
		c.must(c.filterStep(r, rollout.PatchFilter))
		return r.filterDropped.why == "", r.filterDropped.why
	})
	if calls, err := schema.look(t.Context()); calls || err != nil {
		t.Errorf("the same description: changed %v, error %v", calls, err)
	}
}
