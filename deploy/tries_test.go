package deploy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// patience is how long a policy may take to come into force.
const patience = 2 * time.Minute

// dryRun goes through authorization, admission and validation, and no further: one
// try does not see what another did.
var dryRun = []string{metav1.DryRunAll}

// try is one dry run of a write.
type try func(context.Context) error

func patching(resource dynamic.ResourceInterface, name, patch string, subresources ...string) try {
	return func(ctx context.Context) error {
		_, err := resource.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{DryRun: dryRun}, subresources...)
		return err
	}
}

func creating(t *testing.T, resource dynamic.ResourceInterface, text string) try {
	t.Helper()
	object := parse(t, text)
	return func(ctx context.Context) error {
		_, err := resource.Create(ctx, object, metav1.CreateOptions{DryRun: dryRun})
		return err
	}
}

func deleting(resource dynamic.ResourceInterface, name string) try {
	return func(ctx context.Context) error {
		return resource.Delete(ctx, name, metav1.DeleteOptions{DryRun: dryRun})
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return &object
}

// create makes something that goes with the test.
func create(t *testing.T, resource dynamic.ResourceInterface, text string) {
	t.Helper()
	object, err := resource.Create(t.Context(), parse(t, text), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Not the test's context, which has ended by now.
		if err := resource.Delete(context.Background(), object.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// bound is one thing that is tried, and what must be said against it; "" where it
// must be possible.
type bound struct {
	name    string
	do      try
	refusal string
}

// check tries all. A new policy is not in force at once, so that what is expected to
// be refused may go well for a while; then it must be refused for that reason, and
// what must be possible is tried after all of these.
func check(t *testing.T, bounds []bound) {
	t.Helper()
	for _, b := range bounds {
		if b.refusal != "" {
			t.Run(b.name, func(t *testing.T) { mustBeRefused(t, b) })
		}
	}
	for _, b := range bounds {
		if b.refusal == "" {
			t.Run(b.name, func(t *testing.T) {
				if err := b.do(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func mustBeRefused(t *testing.T, b bound) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := b.do(t.Context())
		switch {
		case err != nil && strings.Contains(err.Error(), b.refusal):
			return
		case err != nil && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
			t.Fatalf("failed: %v", err)
		case err != nil && strings.Contains(err.Error(), "denied request"):
			t.Fatalf("refused for another reason: %v\nwant %q", err, b.refusal)
		case time.Now().After(deadline):
			t.Fatalf("error %v, want a refusal that says %q", err, b.refusal)
		}
	}
}
