package controller

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/sessions"
)

// fullNode is a node with about everything that a real one carries.
func fullNode() *corev1.Node {
	node := newNode(7)
	node.UID, node.ResourceVersion = "uid-7", "42"
	node.CreationTimestamp = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	node.Annotations[v1alpha1.ScaleDownDisabledAnnotation] = "true"
	node.Annotations[v1alpha1.DoNotDisruptAnnotation] = "false"
	node.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)},
		{Manager: v1alpha1.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(
			`{"f:metadata":{"f:annotations":{"f:` + v1alpha1.ScaleDownDisabledAnnotation + `":{}},"f:labels":{"f:` + v1alpha1.ReflectorLabel + `":{}}}}`)},
	}
	node.Annotations[inventory.AnnotationIPv6] = "2001:db8::7/64"
	node.Annotations[inventory.AnnotationASNumber] = "64999"
	node.Annotations[v1alpha1.ClusterIDAnnotation] = "224.0.0.1"
	node.Annotations[v1alpha1.CordonedAnnotation] = "yes"
	node.Annotations["volumes.kubernetes.io/controller-managed-attach-detach"] = "true"
	node.Spec = corev1.NodeSpec{
		Unschedulable: true, PodCIDR: "10.1.0.0/24", ProviderID: "cloud:///7",
		Taints: []corev1.Taint{{Key: "b", Value: "x", Effect: corev1.TaintEffectNoSchedule}, {Key: "a", Effect: corev1.TaintEffectNoExecute}},
	}
	node.Status.Conditions = append(node.Status.Conditions,
		corev1.NodeCondition{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Message: "kubelet has sufficient memory available"})
	node.Status.Conditions[0].LastHeartbeatTime = metav1.Now()
	node.Status.Conditions[0].Message = "kubelet is posting ready status"
	node.Status.NodeInfo.KernelVersion = "6.12"
	node.Status.NodeInfo.MachineID = "0123456789abcdef"
	for range 50 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{Names: []string{"registry.example.com/some/image@sha256:0123456789abcdef0123456789abcdef"}})
	}
	return node
}

func TestTrimNodeKeepsWhatIsReadAndNothingElse(t *testing.T) {
	node := fullNode()
	before := inventory.FromKubernetes(node.DeepCopy())
	whole, err := json.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	trimmedObject, err := trimNode(node)
	if err != nil {
		t.Fatal(err)
	}
	trimmed, ok := trimmedObject.(*corev1.Node)
	if !ok {
		t.Fatalf("trimmed to a %T", trimmedObject)
	}
	after := inventory.FromKubernetes(trimmed)
	if diff := cmp.Diff(before, after, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("inventory reads another node after trimming (-before +after):\n%s", diff)
	}
	if trimmed.ResourceVersion != "42" || trimmed.UID != "uid-7" {
		t.Errorf("version %q and UID %q must stay", trimmed.ResourceVersion, trimmed.UID)
	}
	small, err := json.Marshal(trimmed)
	if err != nil {
		t.Fatal(err)
	}
	if len(small) > 1300 || len(small) > len(whole)/4 {
		t.Errorf("%d of %d bytes are left:\n%s", len(small), len(whole), small)
	}
}

func TestTrimLetsTombstonesPass(t *testing.T) {
	tombstone := cache.DeletedFinalStateUnknown{Key: "n"}
	for name, trim := range map[string]cache.TransformFunc{"node": trimNode, "status": trimStatus, "metadata": trimMetadata} {
		if got, err := trim(tombstone); err != nil || !cmp.Equal(got, tombstone) {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
}

func TestTrimStatusForgetsForeignReports(t *testing.T) {
	report := calico.NodeStatusStatus{LastUpdated: metav1.Now(), BGP: calico.NodeBGPStatus{NumberEstablishedV4: 3}}
	ours, foreign := sessions.New("n1"), sessions.New("n1")
	ours.Status, foreign.Status = report, report
	foreign.Labels = nil
	for object, kept := range map[*calico.CalicoNodeStatus]bool{ours: true, foreign: false} {
		if _, err := trimStatus(object); err != nil {
			t.Fatal(err)
		}
		if got := object.Status.BGP.NumberEstablishedV4 == 3; got != kept {
			t.Errorf("labels %v: report kept %v, want %v", object.Labels, got, kept)
		}
	}
}

func TestChangedDropsHeartbeats(t *testing.T) {
	update := func(edit func(*corev1.Node)) bool {
		before := fullNode()
		after := before.DeepCopy()
		after.ResourceVersion = "43"
		edit(after)
		a, _ := trimNode(before)
		b, _ := trimNode(after)
		return changed().Update(event.UpdateEvent{ObjectOld: a.(client.Object), ObjectNew: b.(client.Object)})
	}
	tests := map[string]struct {
		edit func(*corev1.Node)
		want bool
	}{
		"heartbeat": {func(n *corev1.Node) {
			n.Status.Conditions[0].LastHeartbeatTime = metav1.NewTime(time.Now().Add(time.Hour))
		}, false},
		"images":          {func(n *corev1.Node) { n.Status.Images = nil }, false},
		"other condition": {func(n *corev1.Node) { n.Status.Conditions[1].Status = corev1.ConditionTrue }, false},
		"other note":      {func(n *corev1.Node) { n.Annotations["example.com/note"] = "new" }, false},
		"not ready":       {func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }, true},
		"ready anew":      {func(n *corev1.Node) { n.Status.Conditions[0].LastTransitionTime = metav1.NewTime(time.Now()) }, true},
		"label":           {func(n *corev1.Node) { n.Labels["pool"] = "x" }, true},
		"address":         {func(n *corev1.Node) { n.Annotations[inventory.AnnotationIPv4] = "10.0.0.9" }, true},
		"cluster ID":      {func(n *corev1.Node) { delete(n.Annotations, v1alpha1.ClusterIDAnnotation) }, true},
		"cordon":          {func(n *corev1.Node) { n.Spec.Unschedulable = false }, true},
		"taint":           {func(n *corev1.Node) { n.Spec.Taints = nil }, true},
		"home":            {func(n *corev1.Node) { n.Labels[v1alpha1.HomeLabel] = "z1-1" }, true},
		"settled":         {func(n *corev1.Node) { n.Labels[v1alpha1.SettledLabel] = "z1-1" }, true},
		"serves":          {func(n *corev1.Node) { n.Labels[v1alpha1.ServesLabelPrefix+"z1-1"] = "true" }, true},
		"protection":      {func(n *corev1.Node) { delete(n.Annotations, v1alpha1.ScaleDownDisabledAnnotation) }, true},
		"protection's owner": {func(n *corev1.Node) {
			n.ManagedFields = n.ManagedFields[:1]
		}, true},
		"kubelet":     {func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.38.0" }, true},
		"deletion":    {func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, true},
		"replacement": {func(n *corev1.Node) { n.UID = "other" }, true},
	}
	for name, test := range tests {
		if got := update(test.edit); got != test.want {
			t.Errorf("%s: makes a pass %v, want %v", name, got, test.want)
		}
	}
}

func TestPolicyChanged(t *testing.T) {
	tests := map[string]struct {
		edit func(*v1alpha1.RouteReflectorAutoscaler)
		want bool
	}{
		"status":     {func(p *v1alpha1.RouteReflectorAutoscaler) { p.Status.Nodes = 5; p.ResourceVersion = "2" }, false},
		"spec":       {func(p *v1alpha1.RouteReflectorAutoscaler) { p.Generation = 2 }, true},
		"annotation": {func(p *v1alpha1.RouteReflectorAutoscaler) { p.Annotations = map[string]string{"a": "b"} }, true},
		"finalizer":  {func(p *v1alpha1.RouteReflectorAutoscaler) { p.Finalizers = []string{"a/b"} }, true},
		"deletion":   {func(p *v1alpha1.RouteReflectorAutoscaler) { p.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, true},
		"replaced":   {func(p *v1alpha1.RouteReflectorAutoscaler) { p.UID = "other" }, true},
	}
	for name, test := range tests {
		before, after := newPolicy(), newPolicy()
		test.edit(after)
		if got := policyChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != test.want {
			t.Errorf("%s: makes a pass %v, want %v", name, got, test.want)
		}
	}
}
