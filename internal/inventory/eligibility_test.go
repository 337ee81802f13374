package inventory

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func healthy(change func(*Node)) *Node {
	node := &Node{
		Name: "worker-1", OS: "linux", Ready: true, ReadySince: noon.Add(-time.Hour),
		IPv4: netip.MustParseAddr("10.0.0.1"), Labels: map[string]string{"pool": "workers", "disk": "ssd"},
	}
	if change != nil {
		change(node)
	}
	return node
}

func labeled(key, value string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func tainted(keys ...string) func(*Node) {
	return func(n *Node) { n.Taints = keys }
}

// rulesFor compiles a placement for a cluster that speaks IPv4.
func rulesFor(t *testing.T, placement v1alpha1.Placement, cluster Cluster) *Rules {
	t.Helper()
	if cluster.ASNumber == 0 {
		cluster.ASNumber = 64512
	}
	if !cluster.IPv6 {
		cluster.IPv4 = true
	}
	rules, err := NewRules(placement, cluster)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// verdicts on one node: as a candidate, and as a standing reflector.
type eligibilityRow struct {
	name      string
	change    func(*Node)
	placement v1alpha1.Placement
	cluster   Cluster
	// candidate is a part of why it cannot become a reflector; "" when it can.
	candidate string
	// standing is a part of why it should not stay one; "" when it should.
	standing string
	usable   bool
}

var dualStack = Cluster{IPv4: true, IPv6: true}

func setV6(n *Node) { n.IPv6 = netip.MustParseAddr("2001:db8::1") }

var eligibilityRows = []eligibilityRow{
	{name: "healthy", usable: true},
	{name: "OS not told", change: func(n *Node) { n.OS = "" }, usable: true},
	{name: "windows", change: func(n *Node) { n.OS = "windows" }, candidate: "runs windows", standing: "runs windows"},
	{name: "no address", change: func(n *Node) { n.IPv4 = netip.Addr{} }, candidate: "no BGP address", standing: "no BGP address"},
	{name: "IPv4 only in dual stack", cluster: dualStack, candidate: "no IPv6", standing: "no IPv6", usable: true},
	{name: "IPv6 only in dual stack", cluster: dualStack, change: func(n *Node) { n.IPv4 = netip.Addr{}; setV6(n) },
		candidate: "no IPv4", standing: "no IPv4", usable: true},
	{name: "both in dual stack", cluster: dualStack, change: setV6, usable: true},
	{name: "IPv6 only cluster", cluster: Cluster{IPv6: true}, change: func(n *Node) { n.IPv4 = netip.Addr{}; setV6(n) }, usable: true},
	{name: "more than the cluster speaks", change: setV6, usable: true},
	{name: "other AS", change: func(n *Node) { n.ASNumber = 64999 },
		candidate: "AS number 64999, the cluster 64512", standing: "AS number 64999, the cluster 64512"},
	{name: "the cluster's AS by annotation", change: func(n *Node) { n.ASNumber = 64512 }, usable: true},
	{name: "the cluster has another AS", cluster: Cluster{ASNumber: 65000}, usable: true},
	{name: "being deleted", change: func(n *Node) { n.Deleting = true }, candidate: "being deleted", standing: "being deleted"},

	{name: "cordoned", change: func(n *Node) { n.Unschedulable = true }, candidate: "is cordoned", standing: "is cordoned", usable: true},
	{name: "cordoned by us", change: func(n *Node) { n.Unschedulable, n.Dedicated = true, true }, usable: true},
	{name: "dedicated and open again", change: func(n *Node) { n.Dedicated = true }, usable: true},
	{name: "cordoned and allowed", change: func(n *Node) { n.Unschedulable = true },
		placement: v1alpha1.Placement{AllowCordoned: selector(labeled("pool", "workers"))}, usable: true},
	{name: "cordoned, others allowed", change: func(n *Node) { n.Unschedulable = true },
		placement: v1alpha1.Placement{AllowCordoned: selector(labeled("pool", "reflectors"))},
		candidate: "is cordoned", standing: "is cordoned", usable: true},
	{name: "cordoned, all allowed", change: func(n *Node) { n.Unschedulable = true },
		placement: v1alpha1.Placement{AllowCordoned: &metav1.LabelSelector{}}, usable: true},

	{name: "taint of a dedicated node", change: tainted("dedicated", "node-role.kubernetes.io/control-plane"), usable: true},
	{name: "taint of the cordon alone", change: tainted("node.kubernetes.io/unschedulable"), usable: true},
	{name: "not-ready taint", change: tainted("node.kubernetes.io/not-ready"),
		candidate: "tainted as not ready", standing: "tainted as not ready", usable: true},
	{name: "unreachable taint", change: tainted("node.kubernetes.io/unreachable"),
		candidate: "tainted as unreachable", standing: "tainted as unreachable", usable: true},
	{name: "memory pressure", change: tainted("node.kubernetes.io/memory-pressure"),
		candidate: "memory pressure", standing: "memory pressure", usable: true},
	{name: "disk pressure", change: tainted("node.kubernetes.io/disk-pressure"),
		candidate: "disk pressure", standing: "disk pressure", usable: true},
	{name: "PID pressure", change: tainted("node.kubernetes.io/pid-pressure"),
		candidate: "PID pressure", standing: "PID pressure", usable: true},
	{name: "network unavailable", change: tainted("node.kubernetes.io/network-unavailable"),
		candidate: "has no network", standing: "has no network", usable: true},
	{name: "out of service", change: tainted("node.kubernetes.io/out-of-service"),
		candidate: "out of service", standing: "out of service", usable: true},
	{name: "shut down", change: tainted("node.cloudprovider.kubernetes.io/shutdown"),
		candidate: "is shut down", standing: "is shut down", usable: true},
	{name: "not initialized", change: tainted("node.cloudprovider.kubernetes.io/uninitialized"),
		candidate: "not initialized", standing: "not initialized", usable: true},
	{name: "cluster autoscaler", change: tainted("ToBeDeletedByClusterAutoscaler"),
		candidate: "cluster autoscaler", standing: "cluster autoscaler", usable: true},
	{name: "Karpenter", change: tainted("karpenter.sh/disrupted"), candidate: "Karpenter", standing: "Karpenter", usable: true},
	{name: "a bad taint behind harmless ones", change: tainted("a", "b", "karpenter.sh/disrupted"),
		candidate: "Karpenter", standing: "Karpenter", usable: true},

	{name: "excluded", placement: v1alpha1.Placement{Exclude: []metav1.LabelSelector{labeled("no", "match"), labeled("disk", "ssd")}},
		candidate: "spec.placement.exclude[1]", standing: "spec.placement.exclude[1]"},
	{name: "not excluded", placement: v1alpha1.Placement{Exclude: []metav1.LabelSelector{labeled("disk", "hdd")}}, usable: true},
	{name: "all excluded", placement: v1alpha1.Placement{Exclude: []metav1.LabelSelector{{}}},
		candidate: "spec.placement.exclude[0]", standing: "spec.placement.exclude[0]"},
	{name: "one requirement of two met", usable: true,
		placement: v1alpha1.Placement{Require: []metav1.LabelSelector{labeled("pool", "reflectors"), labeled("disk", "ssd")}}},
	{name: "no requirement met", placement: v1alpha1.Placement{Require: []metav1.LabelSelector{labeled("pool", "reflectors")}},
		candidate: "no term of spec.placement.require", standing: "no term of spec.placement.require"},
	{name: "excluded wins over required", placement: v1alpha1.Placement{
		Exclude: []metav1.LabelSelector{labeled("disk", "ssd")}, Require: []metav1.LabelSelector{labeled("pool", "workers")},
	}, candidate: "exclude[0]", standing: "exclude[0]"},
	{name: "cordoned and excluded", change: func(n *Node) { n.Unschedulable = true },
		placement: v1alpha1.Placement{Exclude: []metav1.LabelSelector{labeled("disk", "ssd")}},
		candidate: "is cordoned", standing: "is cordoned"},

	{name: "somebody else's cluster ID", change: func(n *Node) { n.ClusterID = "244.0.0.1" },
		candidate: `cluster ID annotation "244.0.0.1" that is not Tapetum's`, usable: true},
	{name: "somebody's bad cluster ID", change: func(n *Node) { n.ClusterID = "none" },
		candidate: `cluster ID annotation "none"`, usable: true},

	{name: "not ready for long", change: notReady(time.Hour), candidate: "is not ready", standing: "is not ready"},
	{name: "not ready for just long enough", change: notReady(LostAfter), candidate: "is not ready", standing: "is not ready"},
	{name: "wavering", change: notReady(LostAfter - time.Second), candidate: "is not ready", usable: true},
	{name: "wavering with its taints", usable: true, candidate: "is not ready", change: func(n *Node) {
		notReady(time.Second)(n)
		n.Taints = []string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
	}},
	{name: "wavering and about to go", candidate: "is not ready", standing: "Karpenter", usable: true, change: func(n *Node) {
		notReady(time.Second)(n)
		n.Taints = []string{"karpenter.sh/disrupted", "node.kubernetes.io/not-ready"}
	}},
	{name: "not ready since a moment ahead of our clock", change: notReady(-time.Minute), candidate: "is not ready", usable: true},
	{name: "no Ready condition", change: func(n *Node) { n.Ready, n.ReadySince = false, time.Time{} },
		candidate: "is not ready", standing: "is not ready"},
}

func notReady(ago time.Duration) func(*Node) {
	return func(n *Node) { n.Ready, n.ReadySince = false, noon.Add(-ago) }
}

func selector(s metav1.LabelSelector) *metav1.LabelSelector { return &s }

func TestEligibility(t *testing.T) {
	t.Parallel()
	for _, tt := range eligibilityRows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules, node := rulesFor(t, tt.placement, tt.cluster), healthy(tt.change)
			if got := rules.Ineligible(node); !says(got, tt.candidate) {
				t.Errorf("Ineligible says %q, want %q", got, tt.candidate)
			}
			reason, usable := rules.Unkeepable(node, noon)
			if !says(reason, tt.standing) {
				t.Errorf("Unkeepable says %q, want %q", reason, tt.standing)
			}
			if usable != tt.usable {
				t.Errorf("Unkeepable says usable %v, want %v", usable, tt.usable)
			}
		})
	}
}

// says tells whether the text contains the part, or both are empty.
func says(text, part string) bool {
	if part == "" {
		return text == ""
	}
	return strings.Contains(text, part)
}

// Every taint that makes a node unfit has a row above.
func TestEveryUnfitTaintHasARow(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, row := range eligibilityRows {
		for _, taint := range healthy(row.change).Taints {
			covered[taint] = true
		}
	}
	for taint := range unfitTaints {
		if !covered[taint] {
			t.Errorf("no row for taint %s", taint)
		}
	}
	for taint := range readinessTaints {
		if unfitTaints[taint] == "" {
			t.Errorf("%s is no unfit taint", taint)
		}
	}
}

func TestWeight(t *testing.T) {
	t.Parallel()
	prefer := []v1alpha1.PreferTerm{
		{Weight: 100, Selector: labeled("pool", "workers")},
		{Weight: -30, Selector: labeled("disk", "ssd")},
		{Weight: 7, Selector: labeled("disk", "hdd")},
		{Weight: 1},
	}
	tests := []struct {
		name   string
		prefer []v1alpha1.PreferTerm
		labels map[string]string
		want   int
	}{
		{"no preference", nil, map[string]string{"pool": "workers"}, 0},
		{"all terms that match add up", prefer, map[string]string{"pool": "workers", "disk": "ssd"}, 71},
		{"negative", prefer[1:2], map[string]string{"disk": "ssd"}, -30},
		{"empty selector matches all", prefer, nil, 1},
		{"no term matches", prefer[:3], map[string]string{"pool": "other"}, 0},
		{"the default prefers control planes", v1alpha1.RouteReflectorAutoscalerSpec{}.WithDefaults().Placement.Prefer,
			map[string]string{"node-role.kubernetes.io/control-plane": ""}, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := rulesFor(t, v1alpha1.Placement{Prefer: tt.prefer}, Cluster{})
			if got := rules.Weight(healthy(func(n *Node) { n.Labels = tt.labels })); got != tt.want {
				t.Errorf("weight %d, want %d", got, tt.want)
			}
		})
	}
}

func TestNewRulesNamesTheBadTerm(t *testing.T) {
	t.Parallel()
	bad := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "zone", Operator: "Near"}}}
	tests := []struct {
		placement v1alpha1.Placement
		want      string
	}{
		{v1alpha1.Placement{Exclude: []metav1.LabelSelector{{}, bad}}, "spec.placement.exclude[1]"},
		{v1alpha1.Placement{Require: []metav1.LabelSelector{bad}}, "spec.placement.require[0]"},
		{v1alpha1.Placement{Prefer: []v1alpha1.PreferTerm{{}, {}, {Selector: bad}}}, "spec.placement.prefer[2].selector"},
		{v1alpha1.Placement{AllowCordoned: &bad}, "spec.placement.allowCordoned"},
	}
	for _, tt := range tests {
		_, err := NewRules(tt.placement, Cluster{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Near") {
			t.Errorf("error %v, want one that names %s and the bad operator", err, tt.want)
		}
	}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	v4, v6 := Node{IPv4: netip.MustParseAddr("10.0.0.1")}, Node{IPv6: netip.MustParseAddr("2001:db8::1")}
	tests := []struct {
		name  string
		nodes []Node
		want  Cluster
	}{
		{"no nodes", nil, Cluster{ASNumber: 1}},
		{"nodes without addresses", []Node{{}, {}}, Cluster{ASNumber: 1}},
		{"IPv4", []Node{{}, v4}, Cluster{ASNumber: 1, IPv4: true}},
		{"IPv6", []Node{v6}, Cluster{ASNumber: 1, IPv6: true}},
		{"both, on different nodes", []Node{v4, v6}, Cluster{ASNumber: 1, IPv4: true, IPv6: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Survey(tt.nodes, 1); got != tt.want {
				t.Errorf("Survey gives %+v, want %+v", got, tt.want)
			}
		})
	}
}
