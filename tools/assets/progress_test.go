package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgressReadsWhatGoSays(t *testing.T) {
	p := &progress{out: &bytes.Buffer{}, name: "thing"}
	p.expect(9)
	said := "go: downloading k8s.io/api v0.37.2\ninternal/cpu\nk8s.io/api/core/v1\n# k8s.io/api/core/v1\n./x.go:3:1: undefined: y\n"
	// A pipe cuts where it likes.
	for _, part := range []string{said[:20], said[20:50], said[50:]} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if got, want := p.line(), "  thing: 1 modules fetched, 2 packages compiled (at most 9),"; !strings.HasPrefix(got, want) {
		t.Errorf("line %q, want it to begin with %q", got, want)
	}
	if got, want := strings.TrimSpace(p.rest()), "# k8s.io/api/core/v1\n./x.go:3:1: undefined: y"; got != want {
		t.Errorf("errors %q, want %q", got, want)
	}
}
