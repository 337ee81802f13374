package inventory

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

var byValue = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestFromKubernetes(t *testing.T) {
	t.Parallel()
	born, turned := noon.Add(-time.Hour), noon.Add(-time.Minute)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "worker-1", UID: "7f", CreationTimestamp: metav1.NewTime(born),
			Labels: map[string]string{"kubernetes.io/os": "linux", "rack": "r1"},
			Annotations: map[string]string{
				AnnotationIPv4: "10.0.0.5/24", AnnotationIPv6: "2001:db8::5/64", AnnotationASNumber: "64513",
				v1alpha1.ClusterIDAnnotation: "224.0.0.1", v1alpha1.CordonedAnnotation: "",
			},
		},
		Spec: corev1.NodeSpec{
			Unschedulable: true,
			Taints:        []corev1.Taint{{Key: "z"}, {Key: "a", Effect: corev1.TaintEffectNoSchedule}},
		},
		Status: corev1.NodeStatus{
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", KubeletVersion: "v1.34.1", OSImage: "Debian 13", KernelVersion: "6.12",
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)},
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(turned)},
			},
		},
	}
	want := Node{
		Name: "worker-1", UID: "7f", Created: born, Labels: node.Labels,
		Ready: true, ReadySince: turned, Unschedulable: true, Dedicated: true, Taints: []string{"a", "z"}, OS: "linux",
		IPv4: netip.MustParseAddr("10.0.0.5"), IPv6: netip.MustParseAddr("2001:db8::5"), ASNumber: 64513,
		ClusterID: "224.0.0.1", KubeletVersion: "v1.34.1", Image: "Debian 13 6.12",
	}
	if diff := cmp.Diff(want, FromKubernetes(node), byValue); diff != "" {
		t.Errorf("FromKubernetes (-want +got):\n%s", diff)
	}
}

func TestFromKubernetesParts(t *testing.T) {
	t.Parallel()
	now := metav1.NewTime(noon)
	tests := []struct {
		name  string
		node  corev1.Node
		check func(Node) bool
	}{
		{"nothing known", corev1.Node{}, func(n Node) bool {
			return !n.Ready && n.ReadySince.IsZero() && !n.HasBGP() && n.OS == "" && !n.Deleting && !n.Dedicated
		}},
		{"not ready", corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionFalse, LastTransitionTime: now},
		}}}, func(n Node) bool { return !n.Ready && n.ReadySince.Equal(noon) }},
		{"unknown is not ready", corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastTransitionTime: now},
		}}}, func(n Node) bool { return !n.Ready && n.ReadySince.Equal(noon) }},
		{"being deleted", corev1.Node{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
			func(n Node) bool { return n.Deleting }},
		{"OS from the label", corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"kubernetes.io/os": "windows"}}},
			func(n Node) bool { return n.OS == "windows" }},
		{"cluster ID is kept as it is", corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Annotations: map[string]string{v1alpha1.ClusterIDAnnotation: "10.0.0.0/8 "},
		}}, func(n Node) bool { return n.ClusterID == "10.0.0.0/8 " }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := FromKubernetes(&tt.node); !tt.check(got) {
				t.Errorf("FromKubernetes gives %+v", got)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ annotation, v4, v6 string }{
		{"10.0.0.5/24", "10.0.0.5", ""},
		{"10.0.0.5", "10.0.0.5", ""},
		{"::ffff:10.0.0.5", "10.0.0.5", ""},
		{"2001:db8::5/64", "", "2001:db8::5"},
		{"2001:db8::5", "", "2001:db8::5"},
		// What Calico does not take is unset.
		{"", "", ""},
		{"/", "", ""},
		{"10.0.0.5/", "", ""},
		{"10.0.0.5/99", "", ""},
		{"10.0.0.5/24/24", "", ""},
		{" 10.0.0.5", "", ""},
		{"10.0.0", "", ""},
		{"010.0.0.5", "", ""},
		{"fe80::1%eth0", "", ""},
		{"fe80::1%eth0/64", "", ""},
		{"autodetect", "", ""},
	}
	for _, tt := range tests {
		node := FromKubernetes(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			AnnotationIPv4: tt.annotation, AnnotationIPv6: tt.annotation,
		}}})
		for _, got := range []struct {
			family string
			addr   netip.Addr
			want   string
		}{{"IPv4", node.IPv4, tt.v4}, {"IPv6", node.IPv6, tt.v6}} {
			if text := textOf(got.addr); text != got.want {
				t.Errorf("%s address of annotation %q: %q, want %q", got.family, tt.annotation, text, got.want)
			}
		}
	}
}

func textOf(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

func TestASNumber(t *testing.T) {
	t.Parallel()
	tests := []struct {
		annotation string
		want       uint32
	}{
		{"64512", 64512}, {"4294967295", 4294967295}, {"1.10", 65546}, {"65535.65535", 4294967295}, {"0.64512", 64512},
		{"", 0}, {"0", 0}, {"4294967296", 0}, {"-1", 0}, {"+1", 0}, {"1.65536", 0}, {"1.2.3", 0}, {".", 0}, {"1.", 0},
		{"AS64512", 0}, {" 64512", 0}, {"0x10", 0}, {"64_512", 0},
	}
	for _, tt := range tests {
		if got := asNumber(tt.annotation); got != tt.want {
			t.Errorf("AS number %q: %d, want %d", tt.annotation, got, tt.want)
		}
	}
}

// FuzzAnnotations checks that nothing that stands in an annotation makes the
// conversion panic, and that an address taken is one that BIRD could speak from.
func FuzzAnnotations(f *testing.F) {
	for _, seed := range []string{
		"", "10.0.0.5/24", "2001:db8::5/64", "::ffff:1.2.3.4", "fe80::1%eth0/64", "1.10", "64512", "10.0.0.5/99", "\x00", "/", "%/",
	} {
		f.Add(seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, v4, v6, as string) {
		node := FromKubernetes(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			AnnotationIPv4: v4, AnnotationIPv6: v6, AnnotationASNumber: as,
		}}})
		if node.IPv4.IsValid() && !node.IPv4.Is4() {
			t.Errorf("%q gives the IPv4 address %v", v4, node.IPv4)
		}
		if node.IPv6.IsValid() && (!node.IPv6.Is6() || node.IPv6.Is4In6() || node.IPv6.Zone() != "") {
			t.Errorf("%q gives the IPv6 address %v", v6, node.IPv6)
		}
		// What was taken is taken again in its plain form, and is the same.
		again := FromKubernetes(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			AnnotationIPv4: textOf(node.IPv4), AnnotationIPv6: textOf(node.IPv6),
		}}})
		if again.IPv4 != node.IPv4 || again.IPv6 != node.IPv6 {
			t.Errorf("%v and %v read again: %v and %v", node.IPv4, node.IPv6, again.IPv4, again.IPv6)
		}
	})
}
