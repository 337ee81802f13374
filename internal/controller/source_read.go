package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/seed"
)

// sourceReader reads the section, wherever Calico's API lets one write it. It asks the
// API server, not the cache: a watch that was opened before the definition got a
// place for the section goes on without it, for minutes. And who wants to get rid of
// the section and the RouteReflectorAutoscaler removes the section first, of which the
// cache may hear last.
type sourceReader struct {
	live client.Reader
	// groups in which the kind is served, projectcalico.org/v3 first. Where both are,
	// Calico's own API server may stand behind v3, which drops what it does not
	// know; the object behind it, in crd.projectcalico.org/v1, then has the section.
	// Nothing is written in either.
	groups []schema.GroupVersion
	// keeps tells whether the definition of the kind in a group has the section.
	keeps func(context.Context, schema.GroupVersion) (bool, error)
}

// sourceState is what was found.
type sourceState struct {
	// object in which the section is, or should be; without a version where there
	// is none at all.
	object *unstructured.Unstructured
	// section; nil where there is none. An empty one is not nil.
	section map[string]any
	// err: there is something in its place that cannot be read.
	err error
	// without are the objects that do not have it.
	without []*unstructured.Unstructured
}

func (s sourceState) String() string {
	return fmt.Sprintf("%s of %s %s (%s)", seed.Path, seed.Kind, seed.Name, s.object.GetAPIVersion())
}

func (s sourceState) exists() bool { return s.object.GetResourceVersion() != "" }

func newSourceObject(group schema.GroupVersion) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(group.WithKind(seed.Kind))
	object.SetName(seed.Name)
	return object
}

// look returns the first section there is, and where there is none the first object.
func (r *sourceReader) look(ctx context.Context) (sourceState, error) {
	found := sourceState{object: newSourceObject(r.groups[0])}
	for _, group := range r.groups {
		object := newSourceObject(group)
		err := r.live.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return found, fmt.Errorf("read %s %s (%s): %w", seed.Kind, seed.Name, group, err)
		}
		section, ok, err := seed.Section(object.Object)
		if ok || err != nil {
			return sourceState{object: object, section: section, err: err}, nil
		}
		if found.without = append(found.without, object); len(found.without) == 1 {
			found.object = object
		}
	}
	return found, nil
}

// missing says why there is no section where one is expected.
func (r *sourceReader) missing(ctx context.Context, found sourceState) (reason, message string) {
	if reason, message = r.unkept(ctx, found); message != "" {
		return reason, message
	}
	if !found.exists() {
		return reasonGone, fmt.Sprintf("there is no %s %s any more", seed.Kind, seed.Name)
	}
	return reasonGone, fmt.Sprintf("there is no %s any more", found)
}

// unkept says that somebody has set the section and that it is not there, and why;
// "" where nothing tells of it. What the API server drops leaves a trace only in what
// kubectl apply notes, or where the definition was changed later: after an upgrade
// of Calico, whose manifests bring their own.
func (r *sourceReader) unkept(ctx context.Context, found sourceState) (reason, message string) {
	if found.err != nil {
		return reasonUnreadable, fmt.Sprintf("%s %s (%s): %v", seed.Kind, seed.Name, found.object.GetAPIVersion(), found.err)
	}
	for _, object := range found.without {
		trace := seed.Trace(object.GetManagedFields(), calico.Annotations(object))
		if trace == "" {
			continue
		}
		message := fmt.Sprintf("%s is not there, though %s: ", sourceState{object: object}, trace)
		switch keeps, err := r.keeps(ctx, object.GroupVersionKind().GroupVersion()); {
		case err != nil:
			return reasonGone, message + fmt.Sprintf("whether the API server drops it cannot be told (%v)", err)
		case keeps:
			return reasonGone, message + "it was removed, or the object was written back by something that does not know it, " +
				"as older releases of Calico's kube-controllers do when they start; set it again"
		}
		return reasonPruned, message + "the definition of the kind has no place for it, so the API server drops it. " +
			"Apply deploy/seed/kubecontrollersconfigurations.patch.yaml, then the section again (docs/seed.md)"
	}
	return "", ""
}
