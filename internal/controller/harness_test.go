package controller

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
	"tapetum.dev/tapetum/internal/inventory"
)

// patience is how long a test waits for something before it fails. Nothing is
// measured by it; a busy machine may need long.
const patience = 2 * time.Minute

// planes are the control planes of this test binary, one a set of definitions.
var planes = struct {
	sync.Mutex
	started map[string]*controlplane.ControlPlane
}{started: map[string]*controlplane.ControlPlane{}}

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	code := m.Run()
	for _, plane := range planes.started {
		if err := plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// cluster is a real API server with Calico's kinds in one group and nothing in it.
type cluster struct {
	t      testing.TB
	plane  *controlplane.ControlPlane
	group  schema.GroupVersion
	client client.Client
}

// eachSet runs a test with every set of definitions of both groups.
func eachSet(t *testing.T, test func(t *testing.T, c *cluster)) {
	for _, group := range []schema.GroupVersion{calico.GroupV3, calico.GroupV1} {
		sets, err := controlplane.CalicoCRDs(group.Group)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range sets {
			t.Run(group.Version+"/"+set.Name, func(t *testing.T) { test(t, withSet(t, group, set)) })
		}
	}
}

// ownV3 is a cluster with this repository's definitions in projectcalico.org/v3.
func ownV3(t testing.TB) *cluster {
	t.Helper()
	set, err := controlplane.OwnCalicoCRDs(calico.GroupV3.Group)
	if err != nil {
		t.Fatal(err)
	}
	return withSet(t, calico.GroupV3, set)
}

func withSet(t testing.TB, group schema.GroupVersion, set controlplane.CRDSet) *cluster {
	t.Helper()
	controlplanetest.Require(t, controlplane.Options{})
	planes.Lock()
	defer planes.Unlock()
	key := group.String() + "/" + set.Name
	plane, ok := planes.started[key]
	if !ok {
		var err error
		if plane, err = controlplane.Start(context.Background(), controlplane.Options{}); err != nil {
			t.Fatal(err)
		}
		planes.started[key] = plane
		if err := install(t, plane, set); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster{t: t, plane: plane, group: group}
	c.client = c.newClient(plane.Config())
	c.clean()
	t.Cleanup(c.clean)
	return c
}

// install puts onto the API server what a user would: Calico's kinds, and
// Tapetum's manifests as they are.
func install(t testing.TB, plane *controlplane.ControlPlane, set controlplane.CRDSet) error {
	t.Helper()
	if err := plane.InstallCRDs(t.Context(), set.Files); err != nil {
		return err
	}
	manifests, err := deploy.Manifests()
	if err != nil {
		return err
	}
	objects, err := controlplane.DecodeObjects(manifests)
	if err != nil {
		return err
	}
	return controlplane.Apply(t.Context(), plane.Config(), objects)
}

// config has exactly the rights that the manifests give to the controller.
func (c *cluster) config() *rest.Config {
	c.t.Helper()
	config, err := c.plane.ServiceAccountConfig(context.Background(), namespace, "tapetum")
	c.must(err)
	return config
}

// namespace is where the manifests put the controller.
const namespace = "tapetum-system"

func (c *cluster) newClient(config *rest.Config) client.Client {
	c.t.Helper()
	scheme, err := newScheme(Finding{Group: c.group})
	if err != nil {
		c.t.Fatal(err)
	}
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		c.t.Fatal(err)
	}
	return direct
}

// clean removes everything that tests make. It does not use the test's context,
// which ends before cleanups run.
func (c *cluster) clean() {
	c.t.Helper()
	ctx := context.Background()
	var policies v1alpha1.RouteReflectorAutoscalerList
	c.must(c.client.List(ctx, &policies))
	for i := range policies.Items {
		policy := &policies.Items[i]
		c.must(client.IgnoreNotFound(c.client.Patch(ctx, policy, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))))
		c.must(client.IgnoreNotFound(c.client.Delete(ctx, policy)))
	}
	for _, object := range []client.Object{
		&calico.BGPPeer{}, &calico.BGPConfiguration{}, &calico.BGPFilter{}, &calico.CalicoNodeStatus{},
		&calico.ClusterInformation{}, &calico.BlockAffinity{}, &corev1.Node{},
	} {
		c.must(c.client.DeleteAllOf(ctx, object))
	}
	// A Lease that is left would be that of a dead node for the tests that follow.
	c.must(c.client.DeleteAllOf(ctx, &coordinationv1.Lease{}, client.InNamespace(leaseNamespace)))
	for _, namespace := range []string{"default", "kube-system", "calico-system"} {
		c.must(c.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)))
	}
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) create(objects ...client.Object) {
	c.t.Helper()
	for _, object := range objects {
		status := object.DeepCopyObject()
		c.must(c.client.Create(c.t.Context(), object))
		if node, ok := object.(*corev1.Node); ok {
			node.Status = status.(*corev1.Node).Status
			c.must(c.client.Status().Update(c.t.Context(), node))
		}
	}
}

// get reads an object again; false when it is not there.
func (c *cluster) get(object client.Object) bool {
	c.t.Helper()
	err := c.client.Get(c.t.Context(), client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) {
		return false
	}
	c.must(err)
	return true
}

func (c *cluster) node(name string) *corev1.Node {
	c.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if !c.get(node) {
		c.t.Fatalf("node %s is not there", name)
	}
	return node
}

func (c *cluster) policy() *v1alpha1.RouteReflectorAutoscaler {
	c.t.Helper()
	policy := &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName}}
	if !c.get(policy) {
		c.t.Fatal("the policy is not there")
	}
	return policy
}

// patch sends a merge patch by a user's hand.
func (c *cluster) patch(object client.Object, manager, body string) {
	c.t.Helper()
	c.must(c.client.Patch(c.t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(body)), client.FieldOwner(manager)))
}

// eventually waits until a condition holds; what describes what is waited for.
func (c *cluster) eventually(what string, holds func() (bool, string)) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited %v for: %s; last seen: %s", patience, what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// newNode is a ready Linux node with a BGP address, number n of its cluster.
func newNode(n int) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("n%03d", n),
			Labels: map[string]string{
				corev1.LabelTopologyZone: fmt.Sprintf("z%d", n%3),
				corev1.LabelOSStable:     "linux",
			},
			Annotations: map[string]string{
				inventory.AnnotationIPv4: fmt.Sprintf("10.0.%d.%d/16", n/250, n%250+1),
			},
		},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour)),
			}},
			NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", KubeletVersion: "v1.37.2", OSImage: "Debian"},
		},
	}
}

// reconciler works on the API server directly, without a cache.
func (c *cluster) reconciler() *Reconciler {
	return &Reconciler{
		Cached: c.client, Live: c.client, Writer: c.client,
		Log: testLog(c.t), Now: time.Now,
		Kinds:        Kinds{Filters: true, Statuses: true, Information: true},
		PackMetadata: c.group == calico.GroupV1,
	}
}

// writes counts requests that change something, by "METHOD resource"; events and
// leases are not counted.
type writes struct {
	mu    sync.Mutex
	count map[string]int
}

func (w *writes) watch(config *rest.Config) *rest.Config {
	w.count = map[string]int{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return roundTripper{next: next, writes: w} })
	return config
}

func (w *writes) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := 0
	for _, n := range w.count {
		sum += n
	}
	return sum
}

// objects are the writes beside those of the policy's status.
func (w *writes) objects() int {
	w.mu.Lock()
	status := w.count[statusPatch]
	w.mu.Unlock()
	return w.total() - status
}

func (w *writes) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprint(w.count)
}

type roundTripper struct {
	next   http.RoundTripper
	writes *writes
}

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	path := request.URL.Path
	if request.Method != http.MethodGet && !strings.Contains(path, "/leases") && !strings.Contains(path, "/events") {
		r.writes.mu.Lock()
		r.writes.count[request.Method+" "+path]++
		r.writes.mu.Unlock()
	}
	return r.next.RoundTrip(request)
}

// start runs the controller until the test ends or stop is called.
func (c *cluster) start(o Options) (stop func()) {
	c.t.Helper()
	if o.Config == nil {
		o.Config = c.config()
	}
	if o.Log.GetSink() == nil {
		o.Log = testLog(c.t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				c.t.Error(err)
			}
		case <-time.After(patience):
			c.t.Error("the controller does not stop")
		}
	})
	c.t.Cleanup(stop)
	return stop
}

// testLog logs to the test as long as it runs.
func testLog(t testing.TB) logr.Logger {
	if !testing.Verbose() {
		return logr.Discard()
	}
	return testr.NewWithInterface(t, testr.Options{})
}
