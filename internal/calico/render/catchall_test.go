package render

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico/selector"
	"tapetum.dev/tapetum/internal/topology"
)

func zones(label string, values ...string) []topology.Group {
	var out []topology.Group
	for _, value := range values {
		out = append(out, topology.Group{Name: value, Label: label, Value: value})
	}
	return out
}

var shardsOnly = []topology.Group{{Name: "a-1"}, {Name: "a-2"}}

func TestWidened(t *testing.T) {
	byZone, byRack := CatchAll(zones("zone", "a", "b")), CatchAll(zones("rack", "r1"))
	for name, tt := range map[string]struct {
		standing string
		groups   []topology.Group
		want     string
	}{
		"the same":               {byZone, zones("zone", "a", "b"), byZone},
		"every client is enough": {EveryClient, shardsOnly, EveryClient},
		"a group is new":         {byZone, zones("zone", "a", "b", "c"), byZone},
		"a group is gone":        {byZone, zones("zone", "a"), CatchAll(zones("zone", "a"))},
		"no groups any more":     {CatchAll(shardsOnly), nil, EveryClient},
		"another label":          {byZone, zones("rack", "r1"), "(" + byZone + ") || (" + byRack + ")"},
		"and a third":            {"(" + byZone + ") || (" + byRack + ")", shardsOnly, "(" + byZone + ") || (" + byRack + ") || (" + CatchAll(shardsOnly) + ")"},
		"and back":               {"(" + byZone + ") || (" + byRack + ")", zones("zone", "a", "b"), "(" + byZone + ") || (" + byRack + ")"},
		"not ours":               {"all()", shardsOnly, EveryClient},
		"too long": {CatchAll(zones("zone", strings.Repeat("x", 60), strings.Repeat("y", 500))), zones("rack", strings.Repeat("z", 500)),
			EveryClient},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Widened(tt.standing, tt.groups); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestReadCatchAllRefusesOthers: what a hand has written is not taken for ours.
func TestReadCatchAllRefusesOthers(t *testing.T) {
	for _, text := range []string{
		"", "all()", "!has(other)", EveryClient + " && has(zone)", EveryClient + " && !(zone in {'a', b})", EveryClient + " && !(zone in {'a'}",
		"(" + EveryClient + ") || (all())", EveryClient + " && zone in {'a'}",
	} {
		if set, ok := ReadCatchAll(text); ok {
			t.Errorf("%q is read as %v", text, set)
		}
	}
}

// TestWidenedTakesAllIn: whoever is in the standing catch-all, or in the plan's, is in
// the widened one; and Covers and HeedsSettled say what the selectors do.
func TestWidenedTakesAllIn(t *testing.T) {
	draw := func(t *rapid.T, name string) []topology.Group {
		var out []topology.Group
		for _, label := range []string{"", "zone", "rack"} {
			for i := range rapid.IntRange(0, 3).Draw(t, name+label) {
				group := topology.Group{Name: fmt.Sprintf("%s%s-%d", name, label, i), Label: label}
				if label != "" {
					group.Value = fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "value"))
				}
				out = append(out, group)
			}
		}
		return out
	}
	match := func(t *rapid.T, text string, labels map[string]string) bool {
		parsed, err := selector.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return parsed.Matches(labels)
	}
	rapid.Check(t, func(t *rapid.T) {
		first, second, third := draw(t, "first"), draw(t, "second"), draw(t, "third")
		standing := Widened(CatchAll(first), second)
		wide := Widened(standing, third)
		set, ok := ReadCatchAll(wide)
		if !ok || !set.Covers(third) {
			t.Fatalf("%s does not cover what it was made for", wide)
		}
		labels := map[string]string{}
		for _, label := range []string{"zone", "rack"} {
			if value := rapid.IntRange(0, 4).Draw(t, label); value < 4 {
				labels[label] = fmt.Sprint(value)
			}
		}
		if rapid.Bool().Draw(t, "reflector") {
			labels[v1alpha1.ReflectorLabel] = "core"
		}
		before := match(t, wide, labels)
		if !before && (match(t, standing, labels) || match(t, CatchAll(third), labels)) {
			t.Fatalf("%v is not in %s", labels, wide)
		}
		labels[v1alpha1.SettledLabel] = "x"
		if after := match(t, wide, labels); before != after && !set.HeedsSettled() {
			t.Fatalf("settled takes %v out of %s", labels, wide)
		}
		if back, ok := ReadCatchAll(CatchAll(first)); !ok || !back.Covers(first) {
			t.Fatalf("%s is not read back", CatchAll(first))
		}
	})
}

func TestReadGroupSelector(t *testing.T) {
	for _, group := range append(zones("topology.kubernetes.io/zone", "a.b-c_d", ""), shardsOnly...) {
		peer := GroupPeer(group, Options{})
		if !ReadGroupSelector(peer.Spec.NodeSelector) {
			t.Errorf("%s is not read back", peer.Spec.NodeSelector)
		}
		if name, byHome := GroupOf(peer); name != group.Name || byHome != group.ByHome() {
			t.Errorf("group %s, by home %v, of %+v", name, byHome, group)
		}
	}
	for _, text := range []string{"", "all()", EveryClient, EveryClient + " && has(a)", EveryClient + " && a == 'b' || c == 'd'", "a == 'b'"} {
		if ReadGroupSelector(text) {
			t.Errorf("%q is taken for ours", text)
		}
	}
}
