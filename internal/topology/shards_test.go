package topology

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

func TestCleanZone(t *testing.T) {
	for _, test := range []struct{ zone, want, hash string }{
		{"", "none", ""},
		{"eu-west-1a", "eu-west-1a", ""},
		{"Rack_7.b", "Rack_7.b", ""},
		{strings.Repeat("z", 48), strings.Repeat("z", 48), ""},
		{strings.Repeat("z", 49), strings.Repeat("z", 39), "-[0-9a-f]{8}"},
		{"all", "all", "-[0-9a-f]{8}"},
		{"a.-b", "a--b", "-[0-9a-f]{8}"},
		{"-_", "zone", "-[0-9a-f]{8}"},
		{"row 7/rack 3", "row-7-rack-3", "-[0-9a-f]{8}"},
	} {
		got := cleanZone(test.zone)
		if !regexp.MustCompile("^" + regexp.QuoteMeta(test.want) + test.hash + "$").MatchString(got) {
			t.Errorf("cleanZone(%q) = %q, want %q%s", test.zone, got, test.want, test.hash)
		}
	}
}

// TestCleanZoneIsUsable: whatever the label's value, the name can be used everywhere
// and tells zones apart.
func TestCleanZoneIsUsable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?`), rapid.String())
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		name := shardName(a, rapid.IntRange(1, 9999).Draw(t, "n"))
		key := v1alpha1.ServesLabelPrefix + name
		problems := slices.Concat(validation.IsQualifiedName(key), validation.IsValidLabelValue(name),
			validation.IsDNS1123Subdomain("tapetum-group-"+strings.ToLower(strings.ReplaceAll(name, "_", "-"))))
		if len(problems) > 0 || len(name) > longestGroup {
			t.Fatalf("%q of zone %q: %v", name, a, problems)
		}
		if a != b && cleanZone(a) == cleanZone(b) {
			t.Fatalf("%q and %q are both %q", a, b, cleanZone(a))
		}
	})
}

func TestParseShard(t *testing.T) {
	for name, want := range map[string]string{
		"a-1": "a 1 true", "eu-west-1a-12": "eu-west-1a 12 true", "none-3": "none 3 true",
		"a": " 0 false", "a-": " 0 false", "a-0": " 0 false", "a-01": " 0 false", "-1": " 0 false", "a-b": " 0 false",
	} {
		zone, n, ok := parseShard(name)
		if got := fmt.Sprint(zone, " ", n, " ", ok); got != want {
			t.Errorf("parseShard(%q) = %s, want %s", name, got, want)
		}
	}
}

func withHome(nodes []inventory.Node, home string, names ...string) {
	for i := range nodes {
		if slices.Contains(names, nodes[i].Name) {
			nodes[i].Labels = maps.Clone(nodes[i].Labels)
			nodes[i].Labels[v1alpha1.HomeLabel] = home
		}
	}
}

func TestShards(t *testing.T) {
	sizes := func(p partition) string {
		var out []string
		for _, g := range p.groups {
			out = append(out, fmt.Sprintf("%s:%d", g.Name, p.size[g.Name]))
		}
		return strings.Join(out, " ")
	}
	for _, test := range []struct {
		name       string
		nodes      func() []inventory.Node
		reflectors []string
		want       map[string]int
		full       int
		sizes      string
		homes      map[string]string
	}{
		{"from nothing, even", func() []inventory.Node { return cluster(8, 2) }, nil, map[string]int{"zone-a": 2, "zone-b": 1}, 10,
			"zone-a-1:2 zone-a-2:2 zone-b-1:4", nil},
		{"more than wanted where full", func() []inventory.Node { return cluster(8, 2) }, nil, map[string]int{"zone-a": 1}, 3,
			"zone-a-1:3 zone-a-2:1 zone-b-1:3 zone-b-2:1", nil},
		{"reflectors are no clients, but keep a home", func() []inventory.Node {
			nodes := cluster(6, 1)
			withHome(nodes, "zone-a-7", "node-0000")
			return nodes
		}, []string{"node-0000", "node-0001"}, map[string]int{"zone-a": 1}, 10,
			"zone-a-7:4", map[string]string{"node-0000": "zone-a-7", "node-0002": "zone-a-7", "node-0005": "zone-a-7"}},
		{"who has a home keeps it, wherever its zone is", func() []inventory.Node {
			nodes := cluster(6, 2)
			withHome(nodes, "zone-b-3", "node-0000", "node-0001", "node-0003")
			return nodes
		}, nil, nil, 10, "zone-a-1:2 zone-b-3:4", map[string]string{"node-0000": "zone-b-3", "node-0005": "zone-b-3", "node-0002": "zone-a-1"}},
		{"one newcomer opens no second shard", func() []inventory.Node {
			nodes := cluster(9, 1)
			withHome(nodes, "zone-a-1", "node-0000", "node-0001", "node-0002", "node-0003", "node-0004", "node-0005", "node-0006", "node-0007")
			return nodes
		}, nil, map[string]int{"zone-a": 2}, 10, "zone-a-1:9", nil},
		{"many newcomers do", func() []inventory.Node {
			nodes := cluster(9, 1)
			withHome(nodes, "zone-a-2", "node-0000", "node-0001", "node-0002", "node-0003")
			return nodes
		}, nil, map[string]int{"zone-a": 2}, 10, "zone-a-1:5 zone-a-2:4", nil},
		{"among equals the first by number", func() []inventory.Node {
			nodes := cluster(3, 1)
			withHome(nodes, "zone-a-10", "node-0000")
			withHome(nodes, "zone-a-2", "node-0001")
			return nodes
		}, nil, map[string]int{"zone-a": 2}, 10, "zone-a-10:1 zone-a-2:2", nil},
		{"the lowest number that is free", func() []inventory.Node {
			nodes := cluster(3, 1)
			withHome(nodes, "zone-a-1", "node-0000")
			withHome(nodes, "zone-a-3", "node-0001")
			return nodes
		}, nil, nil, 1, "zone-a-1:1 zone-a-2:1 zone-a-3:1", nil},
		{"no name that a zone has", func() []inventory.Node {
			nodes := cluster(2, 1)
			nodes[1].Labels = map[string]string{"topology.kubernetes.io/zone": "zone-a-1"}
			return nodes
		}, nil, nil, 10, "zone-a-1-1:1 zone-a-2:1", nil},
		{"a home that is no name is none", func() []inventory.Node {
			nodes := cluster(2, 1)
			withHome(nodes, "all", "node-0000")
			return nodes
		}, nil, nil, 10, "zone-a-1:2", nil},
		{"a shard that only a leaving node names is used again", func() []inventory.Node {
			nodes := cluster(2, 1)
			withHome(nodes, "zone-a-9", "node-0000")
			nodes[0].Deleting = true
			return nodes
		}, nil, nil, 10, "zone-a-9:1", nil},
		{"without a zone", func() []inventory.Node {
			nodes := cluster(2, 1)
			nodes[0].Labels = nil
			return nodes
		}, nil, nil, 10, "none-1:1 zone-a-1:1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := shards(request(test.nodes()), set(test.reflectors), test.want, test.full)
			if got := sizes(p); got != test.sizes {
				t.Errorf("sizes %s, want %s", got, test.sizes)
			}
			for node, home := range test.homes {
				if p.homes[node] != home {
					t.Errorf("%s has the home %q, want %q", node, p.homes[node], home)
				}
			}
		})
	}
}

// TestNodesWithoutAddress: they get a home at once, and count once they speak BGP.
func TestNodesWithoutAddress(t *testing.T) {
	nodes := cluster(4, 1)
	nodes[3].IPv4 = nodes[3].IPv6
	p := shards(request(nodes), nil, map[string]int{"zone-a": 2}, 10)
	if got := p.size["zone-a-1"] + p.size["zone-a-2"]; got != 3 {
		t.Errorf("%d clients speak BGP, want 3", got)
	}
	if len(p.homes) != 4 || p.homes["node-0003"] != "zone-a-2" {
		t.Errorf("homes %v", p.homes)
	}
}

func TestIDs(t *testing.T) {
	nodes := cluster(5, 1)
	nodes[0].ClusterID = "224.0.0.2" // ours
	nodes[1].ClusterID = "224.0.0.4" // somebody's
	nodes[2].ClusterID = "224.0.0.5"
	nodes[3].ClusterID = "224.0.0.5"
	nodes[4].ClusterID = "224.0.0.1"
	ids := newIDs("224.0.0.1", nodes)
	for _, test := range []struct {
		id, node string
		want     bool
	}{
		{"224.0.0.2", "node-0000", true},
		{"224.0.0.2", "node-0000", false}, // given
		{"224.0.0.5", "node-0002", false}, // node-0003 has it too
		{"224.0.0.1", "node-0004", false}, // the shared one
		{"", "node-0004", false},
		{"rack 7", "node-0004", false},
	} {
		if got := ids.keep(test.id, test.node); got != test.want {
			t.Errorf("keep(%q, %s) = %v", test.id, test.node, got)
		}
	}
	got := []string{ids.next(), ids.next(), ids.next()}
	if diff := cmp.Diff([]string{"224.0.0.3", "224.0.0.6", "224.0.0.7"}, got); diff != "" {
		t.Error("(-want +got):\n", diff)
	}
	if !newIDs("224.0.0.1", nodes).keep("224.0.0.5", "node-0002", "node-0003") {
		t.Error("two that share an ID cannot keep it together")
	}
	end := newIDs("255.255.255.254", nil)
	if diff := cmp.Diff([]string{"255.255.255.255", "0.0.0.1"}, []string{end.next(), end.next()}); diff != "" {
		t.Error("at the end of the addresses (-want +got):\n", diff)
	}
}
