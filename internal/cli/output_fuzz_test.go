package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/plain"
)

// FuzzOutput: whatever nodes, labels, annotations, BGPPeers and selectors are called in
// an input, no command writes anything that a terminal would obey, not even in errors.
func FuzzOutput(f *testing.F) {
	f.Add("n1", "zone-a", "224.0.0.1", "all()", "10.0.0.9", uint8(0))
	f.Add("\x1b]0;owned\a", "\x1b[2J", "\x1b[31m10.0.0.0/8", "has(\x1b", "\u009b1m", uint8(1))
	f.Add("a\rb", "\u202ezone", "10.0.0.0/8", "x == '\x07'", "1.1.1.1:\x00", uint8(2))
	f.Add("\x7f", "\b\b\b", "", "", "\xff", uint8(3))
	commands := [][]string{
		{"verify", "-f", "-"}, {"plan", "-f", "-"}, {"explain", "node", "n0", "-f", "-"}, {"explain", "topology", "-f", "-"},
		{"verify", "-f", "-", "-o", "yaml"}, {"verify", "-f", "-", "-o", "json"}, {"graph", "-f", "-"}, {"graph", "-f", "-", "-o", "dot"}, {"graph", "-f", "-", "-o", "mermaid"},
		{"explain", "pair", "n0", "n2", "-f", "-"}, {"plan", "-f", "-", "-o", "yaml"},
	}
	f.Fuzz(func(t *testing.T, name, zone, id, selector, peerIP string, which uint8) {
		input := hostileInput(t, name, zone, id, selector, peerIP)
		arguments := commands[int(which)%len(commands)]
		code, out, errOut := tapetum(t, input, arguments...)
		for _, text := range []string{out, errOut} {
			if plain.Text(text) != text {
				t.Errorf("%v prints %q", arguments, text)
			}
		}
		if code == exitUnusable && errOut == "" {
			t.Errorf("%v: input cannot be used, and it does not say why", arguments)
		}
		// A name on the command line comes back in the error.
		if !strings.HasPrefix(name, "-") {
			if _, out, errOut = tapetum(t, input, "explain", "node", "-f", "-", "--", name); plain.Text(out+errOut) != out+errOut {
				t.Errorf("explain node %q prints %q %q", name, out, errOut)
			}
		}
	})
}

// hostileInput is a small cluster in which strangers have named things.
func hostileInput(t *testing.T, name, zone, id, selector, peerIP string) string {
	t.Helper()
	type object = map[string]any
	node := func(name, address string, annotations object) object {
		annotations["projectcalico.org/IPv4Address"] = address
		return object{
			"apiVersion": "v1", "kind": "Node",
			"metadata": object{"name": name, "labels": object{"topology.kubernetes.io/zone": zone, "kubernetes.io/os": "linux"}, "annotations": annotations},
			"status":   object{"conditions": []object{{"type": "Ready", "status": "True"}}},
		}
	}
	const calico = "projectcalico.org/v3"
	text, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": []object{
		node("n0", "10.0.0.1/24", object{}), node(name, "10.0.0.2/24", object{"projectcalico.org/RouteReflectorClusterID": id, "projectcalico.org/ASNumber": zone}),
		node("n2", peerIP, object{}),
		{"apiVersion": calico, "kind": "BGPPeer", "metadata": object{"name": name}, "spec": object{"nodeSelector": selector, "peerIP": peerIP, "asNumber": 64512}},
		{"apiVersion": calico, "kind": "BGPPeer", "metadata": object{"name": "by-selector" + zone}, "spec": object{"nodeSelector": "all()", "peerSelector": selector, "filters": []string{name}}},
		{"apiVersion": calico, "kind": "BGPConfiguration", "metadata": object{"name": "default"}, "spec": object{"nodeToNodeMeshEnabled": false}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
