package faults

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keptChanges is how many changes the store remembers, to go back in time.
const keptChanges = 512

// store is the state behind the API server. Objects in it are never changed, only
// replaced, so that caches and snapshots share them.
type store struct {
	now     func() time.Time
	version uint64
	uids    uint64
	tables  map[string]*table
	changes []change
	// watch hears of every change.
	watch func(change)
	// owners of the labels and annotations of nodes, by node.
	owners map[string]owners
}

// change is one write. before is nil for a creation, after for a deletion.
type change struct {
	kind, key     string
	version       uint64
	before, after client.Object
}

func newStore(now func() time.Time) *store {
	return &store{now: now, tables: map[string]*table{}, owners: map[string]owners{}, watch: func(change) {}}
}

// table holds the objects of one kind by key.
type table struct {
	keys    []string
	objects []client.Object
}

func (t *table) find(key string) (int, bool) { return slices.BinarySearch(t.keys, key) }

func (t *table) get(key string) client.Object {
	if i, found := t.find(key); found {
		return t.objects[i]
	}
	return nil
}

// set puts an object in, or takes it out where it is nil.
func (t *table) set(key string, object client.Object) {
	i, found := t.find(key)
	switch {
	case found && object == nil:
		t.keys, t.objects = slices.Delete(t.keys, i, i+1), slices.Delete(t.objects, i, i+1)
	case found:
		t.objects[i] = object
	case object != nil:
		t.keys, t.objects = slices.Insert(t.keys, i, key), slices.Insert(t.objects, i, object)
	}
}

func (t *table) clone() *table {
	return &table{keys: slices.Clone(t.keys), objects: slices.Clone(t.objects)}
}

// kindOf is the name of an object's kind, also for a list of them.
func kindOf(object any) string {
	return strings.TrimSuffix(reflect.TypeOf(object).Elem().Name(), "List")
}

func keyOf(object client.Object) string { return keyFor(object.GetNamespace(), object.GetName()) }

func keyFor(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func resourceOf(kind string) schema.GroupResource {
	return schema.GroupResource{Resource: strings.ToLower(kind) + "s"}
}

func (s *store) table(kind string) *table {
	t := s.tables[kind]
	if t == nil {
		t = &table{}
		s.tables[kind] = t
	}
	return t
}

func (s *store) get(kind, key string) client.Object { return s.table(kind).get(key) }

// commit makes a change visible. object is new and the store's from here on; nil
// deletes.
func (s *store) commit(kind, key string, object client.Object) {
	before := s.get(kind, key)
	s.version++
	if object != nil {
		object.SetResourceVersion(strconv.FormatUint(s.version, 10))
	}
	s.table(kind).set(key, object)
	c := change{kind: kind, key: key, version: s.version, before: before, after: object}
	if len(s.changes) >= 2*keptChanges {
		s.changes = slices.Clone(s.changes[keptChanges:])
	}
	s.changes = append(s.changes, c)
	s.watch(c)
}

// create adds an object, which is the store's from here on.
func (s *store) create(object client.Object, manager string) error {
	kind, key := kindOf(object), keyOf(object)
	if s.get(kind, key) != nil {
		return apierrors.NewAlreadyExists(resourceOf(kind), key)
	}
	s.uids++
	object.SetUID(types.UID("uid-" + strconv.FormatUint(s.uids, 10)))
	object.SetGeneration(1)
	if created := object.GetCreationTimestamp(); created.IsZero() {
		object.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	}
	s.own(nil, object, manager)
	s.commit(kind, key, object)
	return nil
}

// remove deletes an object, or marks it where finalizers hold it.
func (s *store) remove(kind, key string, conditions *metav1.Preconditions) error {
	current := s.get(kind, key)
	if current == nil {
		return apierrors.NewNotFound(resourceOf(kind), key)
	}
	if conditions != nil {
		if conditions.UID != nil && *conditions.UID != current.GetUID() ||
			conditions.ResourceVersion != nil && *conditions.ResourceVersion != current.GetResourceVersion() {
			return apierrors.NewConflict(resourceOf(kind), key, errPrecondition)
		}
	}
	if len(current.GetFinalizers()) > 0 {
		if current.GetDeletionTimestamp() != nil {
			return nil
		}
		marked := copyOf(current)
		at := metav1.NewTime(s.now().Truncate(time.Second))
		marked.SetDeletionTimestamp(&at)
		s.commit(kind, key, marked)
		return nil
	}
	if kind == "Node" {
		delete(s.owners, key)
	}
	s.commit(kind, key, nil)
	return nil
}

// edit changes an object as somebody other than a controller would: the node's
// kubelet, calico-node, a person.
func (s *store) edit(kind, key, manager string, change func(client.Object)) error {
	current := s.get(kind, key)
	if current == nil {
		return apierrors.NewNotFound(resourceOf(kind), key)
	}
	after := copyOf(current)
	change(after)
	return s.replace(current, after, manager)
}

// replace puts a changed copy in the place of an object.
func (s *store) replace(before, after client.Object, manager string) error {
	kind, key := kindOf(before), keyOf(before)
	if err := validate(after); err != nil {
		return err
	}
	after.SetUID(before.GetUID())
	after.SetGeneration(before.GetGeneration())
	after.SetResourceVersion(before.GetResourceVersion())
	after.SetManagedFields(before.GetManagedFields())
	if reflect.DeepEqual(before, after) {
		return nil
	}
	if kind != "Node" && kind != "Pod" && !sameSpec(before, after) {
		after.SetGeneration(before.GetGeneration() + 1)
	}
	if after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 {
		s.commit(kind, key, nil)
		return nil
	}
	s.own(before, after, manager)
	s.commit(kind, key, after)
	return nil
}

func sameSpec(a, b client.Object) bool {
	spec := func(object client.Object) any {
		field := reflect.ValueOf(object).Elem().FieldByName("Spec")
		if !field.IsValid() {
			return nil
		}
		return field.Interface()
	}
	return reflect.DeepEqual(spec(a), spec(b))
}

func copyOf(object client.Object) client.Object {
	copied, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		panic("an object whose copy is none") // cannot be
	}
	return copied
}

// since returns a table as it was so many changes of its kind ago.
func (s *store) since(kind string, changes int) *table {
	past := s.table(kind).clone()
	for i := len(s.changes) - 1; i >= 0 && changes > 0; i-- {
		if c := s.changes[i]; c.kind == kind {
			past.set(c.key, c.before)
			changes--
		}
	}
	return past
}
