package e2e

import "testing"

// TestStories: the results are told apart by name, and each story begins where its
// cluster is: in the mesh, with all that it needs.
func TestStories(t *testing.T) {
	t.Parallel()
	seen := map[string]Story{}
	for _, story := range Stories() {
		names := Scenarios(RunOptions{Story: story, Options: Options{Nodes: 9}})
		if len(names) < 5 {
			t.Errorf("story %s has %d scenarios", story, len(names))
		}
		for _, name := range names {
			if other, known := seen[name]; known {
				t.Errorf("%q is in the stories %s and %s, or twice in one", name, other, story)
			}
			seen[name] = story
		}
	}
	if names := Scenarios(RunOptions{Story: StoryShort}); len(names) != 3 {
		t.Errorf("the short story has the scenarios %q, want three", names)
	}
	if _, err := Run(t.Context(), RunOptions{Story: "unheard"}); err == nil {
		t.Error("an unknown story began")
	}
}
