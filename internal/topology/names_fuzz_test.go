package topology

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// FuzzGroupNames: whatever the value of a zone label, the group that is named after it
// has a name that fits everywhere: in a label's key, as its value, in a selector, and
// in lower case in an object's name.
func FuzzGroupNames(f *testing.F) {
	for _, seed := range []string{"", "a", "Zone_A", "a..b", "a-.b", "-", "all", "none", strings.Repeat("x", 63), "Z\u00fcrich", "'", "a'||all()||'", "\x1b[2J"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, zone string, n int) {
		n = max(n, 1)
		for _, name := range []string{cleanZone(zone), shardName(zone, min(n, 9999))} {
			if !usable(name) {
				t.Errorf("zone %q: group %q is not usable", zone, name)
			}
			if problems := validation.IsQualifiedName(v1alpha1.ServesLabelPrefix + name); len(problems) > 0 {
				t.Errorf("zone %q: %v", zone, problems)
			}
			if problems := validation.IsValidLabelValue(name); len(problems) > 0 {
				t.Errorf("zone %q: %v", zone, problems)
			}
			object := "tapetum-group-" + strings.ToLower(strings.ReplaceAll(name, "_", "-"))
			if problems := validation.IsDNS1123Subdomain(object); len(problems) > 0 {
				t.Errorf("zone %q: %v", zone, problems)
			}
		}
		if name, number, ok := parseShard(shardName(zone, n)); !ok || name != cleanZone(zone) || number != n {
			t.Errorf("shard %q is read as %q %d %v", shardName(zone, n), name, number, ok)
		}
		parseShard(zone)
	})
}
