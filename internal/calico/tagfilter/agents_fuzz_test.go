package tagfilter

import (
	"testing"

	"tapetum.dev/tapetum/internal/calico"
)

// FuzzJudgeAgents: an image is new enough only where its tag says so, for every
// calico-node of a node, and nothing that an image is called makes another node able.
func FuzzJudgeAgents(f *testing.F) {
	f.Add("n1", "docker.io/calico/node:v3.32.0", "quay.io/calico/node:v3.31.1", "v3.32.1")
	f.Add("n1", "node@sha256:abc", ":v3.32.0@", "master")
	f.Add("", "a/b:c/d:v3.33.0", "\x00", "")
	f.Fuzz(func(t *testing.T, node, first, second, version string) {
		judged := JudgeAgents([]Agent{{Node: node, Image: first}, {Node: node, Image: second}, {Node: "another" + node, Image: "node:v3.32.0"}})
		able := func(image string) bool {
			v, err := calico.ParseVersion(imageTag(image))
			return err == nil && v.AtLeast(calico.TagFilterRelease)
		}
		if got, want := judged.Nodes[node], able(first) && able(second); got != want {
			t.Errorf("%q and %q: %v, want %v", first, second, got, want)
		}
		if !judged.Nodes["another"+node] {
			t.Error("another node is judged by them")
		}
		if (judged.Why == "") != judged.Nodes[node] {
			t.Errorf("able: %v, why: %q", judged.Nodes[node], judged.Why)
		}
		facts := Facts{CalicoVersion: version, Agents: judged}
		if support := Support(facts); support.Cluster != (facts.Against() == "") {
			t.Errorf("%+v against %q", support, facts.Against())
		}
	})
}
