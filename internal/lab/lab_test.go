package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
	"tapetum.dev/tapetum/internal/inventory"
)

// patience bounds every wait; what is waited for takes seconds.
const patience = 2 * time.Minute

func startLab(t *testing.T, change func(*Options)) *Cluster {
	t.Helper()
	controlplanetest.Require(t, controlplane.Options{})
	dir, err := os.MkdirTemp("", "lab-test-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Nodes, o.Dir, o.NotReadyAfter, o.Timing.TailPerMille = 12, dir, time.Second, 0
	o.Timing.Hold = 3 * time.Second
	change(&o)
	c, err := Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return c
}

// await polls the lab until it is as wanted.
func await(t *testing.T, c *Cluster, what string, want func(*State) bool) State {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		s, err := c.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want(&s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s; the lab is at %+v", what, patience, s)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func quiet(sessions int) func(*State) bool {
	return func(s *State) bool {
		return !s.Busy && s.MissingPairs == 0 && s.SessionsUp == sessions && s.SessionsConfigured == sessions
	}
}

func mustWrite(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func patchNode(t *testing.T, c *Cluster, name, patch string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	mustWrite(t, c.Client().Patch(t.Context(), node, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// From the mesh to one reflector by hand, against both API groups, with what
// calico-node and kubelet report on the way.
func TestLab(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"v1", "v3"} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			c := startLab(t, func(o *Options) {
				o.DualStack = true
				if group == "v1" {
					o.Group = calico.GroupV1
				}
			})
			const mesh = 12 * 11 / 2 * 2 // of both families
			s := await(t, c, "mesh", quiet(mesh))
			if zones := zonesOf(&s); len(zones) != 3 || zones["zone-a"] != 4 {
				t.Fatalf("nodes by zone: %v, want 4 in each of three", zones)
			}
			t.Run("objects", func(t *testing.T) { checkObjects(t, c) })
			t.Run("reflector", func(t *testing.T) { checkReflector(t, c) })
			t.Run("failure", func(t *testing.T) { checkFailure(t, c) })
			t.Run("API server away", func(t *testing.T) { checkAway(t, c) })
			t.Run("writes", func(t *testing.T) { checkWrites(t, c) })
		})
	}
}

func zonesOf(s *State) map[string]int {
	zones := map[string]int{}
	for i := range s.Nodes {
		zones[s.Nodes[i].Zone]++
	}
	return zones
}

// Control-plane nodes own no address block and run no pods of the pod network.
func checkObjects(t *testing.T, c *Cluster) {
	var blocks calico.BlockAffinityList
	mustWrite(t, c.Client().List(t.Context(), &blocks))
	var pods corev1.PodList
	mustWrite(t, c.Client().List(t.Context(), &pods, client.InNamespace("default")))
	if len(blocks.Items) != 9 || len(pods.Items) != 9 {
		t.Fatalf("%d address blocks and %d pods, want one of each for the 9 workers", len(blocks.Items), len(pods.Items))
	}
	for i := range blocks.Items {
		if strings.HasPrefix(blocks.Items[i].Spec.Node, "control-") {
			t.Fatalf("control-plane node %s owns an address block", blocks.Items[i].Spec.Node)
		}
	}
	mustWrite(t, c.Client().List(t.Context(), &pods, client.InNamespace("kube-system"), client.MatchingLabels{"k8s-app": "calico-node"}))
	if len(pods.Items) != 12 {
		t.Fatalf("%d pods of calico-node, want one on each of the 12 nodes", len(pods.Items))
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; !p.Spec.HostNetwork || p.Spec.Containers[0].Image != "calico/node:v3.33.0" {
			t.Fatalf("calico-node runs as %+v", p.Spec)
		}
	}
	var node corev1.Node
	mustWrite(t, c.Client().Get(t.Context(), client.ObjectKey{Name: "control-1"}, &node))
	n := inventory.FromKubernetes(&node)
	if !n.Ready || !n.IPv4.IsValid() || !n.IPv6.IsValid() || n.OS != "linux" {
		t.Fatalf("node %+v, want a ready Linux node with both addresses", n)
	}
}

func checkReflector(t *testing.T, c *Cluster) {
	ctx := t.Context()
	mustWrite(t, c.Client().Create(ctx, &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "clients"},
		Spec:       calico.BGPPeerSpec{NodeSelector: "!has(reflector)", PeerSelector: "has(reflector)"},
	}))
	period := uint32(1)
	mustWrite(t, c.Client().Create(ctx, &calico.CalicoNodeStatus{
		ObjectMeta: metav1.ObjectMeta{Name: "watched"},
		Spec:       calico.NodeStatusSpec{Node: "control-1", Classes: []string{calico.ClassBGP}, UpdatePeriodSeconds: &period},
	}))
	awaitReport(t, c, calico.PeerTypeMesh, 11)
	c.ResetAccount()
	patchNode(t, c, "control-1", fmt.Sprintf(`{"metadata":{"labels":{"reflector":"1"},"annotations":{%q:"224.0.0.1"}}}`, v1alpha1.ClusterIDAnnotation))
	awaitReport(t, c, calico.PeerTypeNode, 11)
	s := await(t, c, "one reflector beside the mesh", quiet((11*10/2+11)*2))
	if s.Lost.Ordinary.Pairs != 0 || s.Lost.Changing.Pairs != 2*11*2 {
		t.Fatalf("lost %+v, want the reflector's own 44 pairs only", s.Lost)
	}
	off := false
	mustWrite(t, c.Client().Create(ctx, &calico.BGPConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off},
	}))
	s = await(t, c, "one reflector", func(s *State) bool { return !s.MeshOn && quiet(11*2)(s) })
	if s.Lost.Ordinary.Pairs != 0 {
		t.Fatalf("lost %+v, want nothing of ordinary nodes", s.Lost)
	}
}

// awaitReport waits until the CalicoNodeStatus counts n sessions of a type, all up.
func awaitReport(t *testing.T, c *Cluster, kind string, n int) {
	t.Helper()
	var status calico.CalicoNodeStatus
	await(t, c, "report of "+kind, func(*State) bool {
		mustWrite(t, c.Client().Get(t.Context(), client.ObjectKey{Name: "watched"}, &status))
		bgp := status.Status.BGP
		if bgp.NumberEstablishedV4 != n || bgp.NumberEstablishedV6 != n || len(bgp.PeersV4) != n || bgp.NumberNotEstablishedV4 != 0 {
			return false
		}
		for _, p := range bgp.PeersV4 {
			if p.Type != kind || p.State != calico.StateEstablished {
				return false
			}
		}
		return true
	})
}

func checkFailure(t *testing.T, c *Cluster) {
	c.ResetAccount()
	mustWrite(t, c.Kill("node-001"))
	await(t, c, "NotReady", func(s *State) bool {
		return len(s.Names(func(n *NodeState) bool { return !n.Ready && !n.Powered && n.Name == "node-001" })) == 1
	})
	var node corev1.Node
	await(t, c, "taints", func(*State) bool {
		mustWrite(t, c.Client().Get(t.Context(), client.ObjectKey{Name: "node-001"}, &node))
		return len(node.Spec.Taints) == 2
	})
	mustWrite(t, c.Revive("node-001"))
	s := await(t, c, "back again", func(s *State) bool {
		return quiet(11*2)(s) && len(s.Names(func(n *NodeState) bool { return !n.Ready })) == 0
	})
	if s.Lost.Ordinary.Pairs+s.Lost.Changing.Pairs != 0 {
		t.Fatalf("lost %+v: pairs with a dead node do not count", s.Lost)
	}
	mustWrite(t, c.Cordon(t.Context(), true, "node-002"))
	await(t, c, "cordon", func(s *State) bool {
		return len(s.Names(func(n *NodeState) bool { return n.Cordoned })) == 1
	})
	since := readySince(t, c)
	hit, err := c.Storm(50, 2*time.Second)
	mustWrite(t, err)
	if len(hit) != 6 {
		t.Fatalf("a storm of half hit %d of 12 nodes", len(hit))
	}
	// It may be over before anybody looks: what it leaves behind are times.
	await(t, c, "storm and calm", func(*State) bool {
		now := readySince(t, c)
		return !slices.ContainsFunc(hit, func(name string) bool { return !now[name].After(since[name]) })
	})
	added, err := c.Add(t.Context(), 2)
	mustWrite(t, err)
	await(t, c, "two more", quiet(13*2))
	mustWrite(t, c.Delete(t.Context(), append(added, "node-002")...))
	s = await(t, c, "three fewer", quiet(10*2))
	if len(s.Nodes) != 11 || s.Lost.Ordinary.Pairs != 0 {
		t.Fatalf("%d nodes, lost %+v; want 11 and nothing", len(s.Nodes), s.Lost)
	}
	if err := c.Kill("node-002"); err == nil || !strings.Contains(err.Error(), "node-002") {
		t.Fatalf("killing a node that is gone: %v, want an error that names it", err)
	}
}

// readySince is since when nodes are Ready; those that are not are left out.
func readySince(t *testing.T, c *Cluster) map[string]time.Time {
	t.Helper()
	var nodes corev1.NodeList
	mustWrite(t, c.Client().List(t.Context(), &nodes))
	since := map[string]time.Time{}
	for i := range nodes.Items {
		if node := inventory.FromKubernetes(&nodes.Items[i]); node.Ready {
			since[node.Name] = node.ReadySince
		}
	}
	return since
}

func checkAway(t *testing.T, c *Cluster) {
	mustWrite(t, c.StopAPI(t.Context(), 100*time.Millisecond))
	s := await(t, c, "sessions untouched", quiet(10*2))
	if s.Lost.Ordinary.Pairs+s.Lost.Changing.Pairs != 0 {
		t.Fatalf("lost %+v while the API server was away, want nothing", s.Lost)
	}
	added, err := c.Add(t.Context(), 1)
	mustWrite(t, err)
	await(t, c, "watches go on", quiet(11*2))
	mustWrite(t, c.Delete(t.Context(), added...))
	await(t, c, "as before", quiet(10*2))
}

// Only writes of the controller's account count, by kind.
func checkWrites(t *testing.T, c *Cluster) {
	config, err := clientcmd.BuildConfigFromFlags("", c.ControllerKubeconfig())
	mustWrite(t, err)
	as, err := client.New(config, client.Options{Scheme: c.Client().Scheme()})
	mustWrite(t, err)
	_, err = c.Writes()
	mustWrite(t, err)
	policy := &v1alpha1.RouteReflectorAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SingletonName}}
	mustWrite(t, c.Client().Create(t.Context(), policy))
	merge := func(text string) client.Patch { return client.RawPatch("application/merge-patch+json", []byte(text)) }
	mustWrite(t, as.Patch(t.Context(), policy, merge(fmt.Sprintf(`{"metadata":{"annotations":{%q:"{}"}}}`, v1alpha1.MeshAnnotation))))
	mustWrite(t, as.Status().Patch(t.Context(), policy, merge(`{"status":{"nextStep":"none"}}`)))
	if err := as.Patch(t.Context(), policy, merge(`{"metadata":{"resourceVersion":"1"}}`)); err == nil {
		t.Fatal("a stale patch was taken")
	}
	mustWrite(t, as.Patch(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "control-1"}}, merge(fmt.Sprintf(`{"metadata":{"labels":{%q:"g"}}}`, v1alpha1.HomeLabel))))
	if err := as.Delete(t.Context(), policy); err == nil {
		t.Fatal("the controller's account may delete the policy")
	}
	mustWrite(t, c.Client().Delete(t.Context(), policy))
	got, err := c.Writes()
	mustWrite(t, err)
	if want := (Writes{Objects: 2, Nodes: 1, Status: 1, Refused: 2}); got != want {
		t.Fatalf("counted %+v, want %+v", got, want)
	}
}

func TestControlSocket(t *testing.T) {
	t.Parallel()
	c := startLab(t, func(o *Options) { o.Nodes, o.ControlPlanes, o.Zones = 3, 1, 1 })
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	mustWrite(t, c.Serve(ctx))
	await(t, c, "mesh", quiet(3))
	ask := func(r Request) (string, error) { return Ask(t.Context(), c.options.Dir, r) }
	for _, tc := range []struct {
		request    Request
		want, fail string
	}{
		{request: Request{Command: "status"}, want: "sessions     3 of 3 up"},
		{request: Request{Command: "add", Count: 1}, want: "node-003: registered"},
		{request: Request{Command: "add"}, fail: "at least one"},
		{request: Request{Command: "kill", Nodes: []string{"node-001"}}, want: "power is cut"},
		{request: Request{Command: "kill", Nodes: []string{"nobody"}}, fail: "no such node: nobody"},
		{request: Request{Command: "revive", Nodes: []string{"node-001"}}, want: "power is back"},
		{request: Request{Command: "cordon", Nodes: []string{"node-001"}}, want: "cordoned"},
		{request: Request{Command: "uncordon", Nodes: []string{"node-001"}}, want: "schedulable"},
		{request: Request{Command: "delete", Nodes: []string{"node-001"}}, want: "deleted"},
		{request: Request{Command: "storm", Percent: 40, Duration: time.Millisecond}, want: "1 nodes"},
		{request: Request{Command: "storm", Percent: 400, Duration: time.Second}, fail: "1 to 100"},
		{request: Request{Command: "storm", Percent: 40}, fail: "for a while"},
		{request: Request{Command: "stop-api"}, fail: "for a while"},
		{request: Request{Command: "calico-version", Version: "v3.31.0", Nodes: []string{"node-002"}}, want: "node-002: now v3.31.0"},
		{request: Request{Command: "status"}, want: "v3.33.0 on 2, v3.31.0 on 1"},
		{request: Request{Command: "calico-version", Version: "v3.32.1"}, want: "all of Calico"},
		{request: Request{Command: "calico-version", Version: "latest"}, fail: "no version of Calico"},
		{request: Request{Command: "calico-version", Version: "v3.31.0", Nodes: []string{"nobody"}}, fail: "no such node"},
		{request: Request{Command: "sing"}, fail: "no command"},
	} {
		text, err := ask(tc.request)
		if tc.fail == "" && (err != nil || !strings.Contains(text, tc.want)) {
			t.Errorf("%+v: %q, %v; want %q", tc.request, text, err, tc.want)
		}
		if tc.fail != "" && (err == nil || !strings.Contains(err.Error(), tc.fail)) {
			t.Errorf("%+v: %q, %v; want an error with %q", tc.request, text, err, tc.fail)
		}
	}
	if _, err := Ask(t.Context(), filepath.Join(c.options.Dir, "elsewhere"), Request{Command: "status"}); err == nil {
		t.Error("a lab answered where there is none")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, spoil := range map[string]func(*Options){
		"1 to 5000 nodes": func(o *Options) { o.Nodes = 0 },
		"1 to 26 zones":   func(o *Options) { o.Zones = 27 },
		"3 to 999 racks":  func(o *Options) { o.Racks = 2 },
		"no version":      func(o *Options) { o.CalicoVersion = "latest" },
		"control-plane":   func(o *Options) { o.ControlPlanes = 500 },
		"folder":          func(o *Options) { o.Dir = "" },
		"API group":       func(o *Options) { o.Group = v1alpha1.GroupVersion },
	} {
		o := DefaultOptions()
		o.Dir = filepath.Join(t.TempDir(), "somewhere")
		spoil(&o)
		if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
