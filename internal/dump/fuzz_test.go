package dump

import (
	"errors"
	"strings"
	"testing"
)

// FuzzRead checks that nothing makes the loader panic, that every error says
// where, and that what it takes it takes the same way twice.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", listOfAll, "{}", "null", "[]", `{"kind":"List","items":[{}]}`, "kind: NodeList\nitems:\n- a\n",
		"kind: List\nitems:\n-\n  kind: Node\n", "--- {kind: Node}\n...\n%TAG\n---\n", "a: &a [*a]\n", "\xff\xfea\x00",
		"kind: Node\napiVersion: v1\nmetadata:\n  name: a\n  managedFields:\n  - a\nstatus:\n  images:\n  - b\n",
		"items:\n- - -\n kind: List\n", "kind: BGPPeer\napiVersion: projectcalico.org/v3\nspec: {asNumber: -1}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cluster, err := Read("f", data)
		if err != nil {
			typed, ok := errors.AsType[*Error](err)
			if !ok || typed.Reason == "" || typed.Line < 0 || typed.Line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		again, err := Read("f", data)
		if err != nil {
			t.Fatalf("taken, then refused: %v", err)
		}
		if len(again.Nodes) != len(cluster.Nodes) || len(again.Peers) != len(cluster.Peers) ||
			strings.Join(again.Notes, "\n") != strings.Join(cluster.Notes, "\n") {
			t.Fatalf("read twice: %+v and %+v", cluster, again)
		}
	})
}
