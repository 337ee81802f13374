package faults

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	errPrecondition = errors.New("the object has been modified; please apply your changes to the latest version and try again")
	errUnsupported  = errors.New("the API server in memory cannot do this")
)

// owner is a field manager with the way in which it wrote.
type owner struct {
	manager string
	apply   bool
}

// owners of a node's labels and annotations: by "labels/key" or "annotations/key",
// who owns it. Fields other than these two maps are nobody's here.
type owners map[string][]owner

const (
	inLabels      = "labels/"
	inAnnotations = "annotations/"
)

func (o owners) clone() owners {
	out := make(owners, len(o))
	for field, list := range o {
		out[field] = slices.Clone(list)
	}
	return out
}

func (o owners) add(field string, by owner) {
	if !slices.Contains(o[field], by) {
		o[field] = append(o[field], by)
	}
}

func fieldsOf(node client.Object) map[string]string {
	out := make(map[string]string, len(node.GetLabels())+len(node.GetAnnotations()))
	for key, value := range node.GetLabels() {
		out[inLabels+key] = value
	}
	for key, value := range node.GetAnnotations() {
		out[inAnnotations+key] = value
	}
	return out
}

// own notes who has written what, by the API server's rules for writes that are no
// apply: what changes is the writer's alone, what goes is nobody's.
func (s *store) own(before, after client.Object, manager string) {
	if _, isNode := after.(*corev1.Node); !isNode {
		s.ownWhole(before, after, manager)
		return
	}
	old := map[string]string{}
	if before != nil {
		old = fieldsOf(before)
	}
	now := fieldsOf(after)
	if before != nil && maps.Equal(old, now) {
		return
	}
	of := s.owners[after.GetName()].clone()
	for field, value := range now {
		if was, had := old[field]; !had || was != value {
			of[field] = []owner{{manager: manager}}
		}
	}
	for field := range old {
		if _, stays := now[field]; !stays {
			delete(of, field)
		}
	}
	s.setOwners(after, of)
}

// ownWhole is for all other kinds: who wrote it and when, not which fields.
func (s *store) ownWhole(before, after client.Object, manager string) {
	var entries []metav1.ManagedFieldsEntry
	if before != nil {
		entries = slices.Clone(before.GetManagedFields())
	}
	entries = slices.DeleteFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager })
	at := metav1.NewTime(s.now().Truncate(time.Second))
	after.SetManagedFields(append(entries, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at,
	}))
}

// setOwners keeps the owners and renders them into the node's managed fields.
func (s *store) setOwners(node client.Object, of owners) {
	s.owners[node.GetName()] = of
	byOwner := map[owner]map[string]map[string]struct{}{}
	for field, list := range of {
		section, key, _ := strings.Cut(field, "/")
		for _, by := range list {
			if byOwner[by] == nil {
				byOwner[by] = map[string]map[string]struct{}{}
			}
			if byOwner[by]["f:"+section] == nil {
				byOwner[by]["f:"+section] = map[string]struct{}{}
			}
			byOwner[by]["f:"+section]["f:"+key] = struct{}{}
		}
	}
	at := metav1.NewTime(s.now().Truncate(time.Second))
	var entries []metav1.ManagedFieldsEntry
	for _, by := range slices.SortedFunc(maps.Keys(byOwner), compareOwners) {
		raw, err := json.Marshal(map[string]any{"f:metadata": byOwner[by]})
		if err != nil {
			panic(err) // maps of strings
		}
		entry := metav1.ManagedFieldsEntry{
			Manager: by.manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at,
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(raw)),
		}
		if by.apply {
			entry.Operation = metav1.ManagedFieldsOperationApply
		}
		entries = append(entries, entry)
	}
	node.SetManagedFields(entries)
}

func compareOwners(a, b owner) int {
	if c := strings.Compare(a.manager, b.manager); c != 0 || a.apply == b.apply {
		return c
	}
	if a.apply {
		return -1
	}
	return 1
}

// applied is the part of a server-side apply on a node that is understood.
type applied struct {
	Metadata struct {
		Name            string            `json:"name"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// applyNode is a forced server-side apply of labels and annotations.
func (s *store) applyNode(name, manager string, body []byte) error {
	var want applied
	if err := json.Unmarshal(body, &want); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	current, _ := s.get("Node", name).(*corev1.Node)
	if current == nil || want.Metadata.UID != "" && want.Metadata.UID != string(current.UID) ||
		want.Metadata.ResourceVersion != "" && want.Metadata.ResourceVersion != current.ResourceVersion {
		return apierrors.NewConflict(resourceOf("Node"), name, errPrecondition)
	}
	after, of := current.DeepCopy(), s.owners[name].clone()
	wanted := want.fields()
	for key, value := range want.Metadata.Labels {
		metav1.SetMetaDataLabel(&after.ObjectMeta, key, value)
	}
	for key, value := range want.Metadata.Annotations {
		metav1.SetMetaDataAnnotation(&after.ObjectMeta, key, value)
	}
	by := owner{manager: manager, apply: true}
	s.release(after, of, by, wanted)
	old := fieldsOf(current)
	of.take(by, wanted, old)
	if maps.Equal(old, fieldsOf(after)) && sameOwners(of, s.owners[name]) {
		return nil
	}
	s.setOwners(after, of)
	s.commit("Node", name, after)
	return nil
}

func (a *applied) fields() map[string]string {
	out := map[string]string{}
	for key, value := range a.Metadata.Labels {
		out[inLabels+key] = value
	}
	for key, value := range a.Metadata.Annotations {
		out[inAnnotations+key] = value
	}
	return out
}

// take makes somebody an owner of what is wanted, and by force the only one of what had
// another value.
func (o owners) take(by owner, wanted, old map[string]string) {
	for field, value := range wanted {
		if was, had := old[field]; had && was != value {
			o[field] = nil
		}
		o.add(field, by)
	}
}

// release takes away what the manager applied before and does not any more; what
// somebody else owns too stays theirs.
func (s *store) release(after *corev1.Node, of owners, by owner, wanted map[string]string) {
	for field, list := range of {
		if _, stays := wanted[field]; stays || !slices.Contains(list, by) {
			continue
		}
		of[field] = slices.DeleteFunc(list, func(o owner) bool { return o == by })
		if len(of[field]) > 0 {
			continue
		}
		delete(of, field)
		section, key, _ := strings.Cut(field, "/")
		if section+"/" == inLabels {
			delete(after.Labels, key)
		} else {
			delete(after.Annotations, key)
		}
	}
}

func sameOwners(a, b owners) bool {
	return maps.EqualFunc(a, b, func(x, y []owner) bool {
		return len(x) == len(y) && !slices.ContainsFunc(x, func(o owner) bool { return !slices.Contains(y, o) })
	})
}
