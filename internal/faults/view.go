package faults

import (
	"context"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/controller"
)

// view is what the caches of one controller process show: for each kind a copy of
// the store that a watch keeps up, later than the store, and as late, old or
// incomplete as a fault makes it.
type view struct {
	cache.Cache // of its methods those below are used

	world   *World
	streams map[string]*stream
	// wake is called when what has changed asks for a pass.
	wake func()
}

// stream is the watch of one kind.
type stream struct {
	kind  string
	table *table
	// queue are the events on their way, in the order of their versions: a watch
	// never changes that.
	queue []delivery
	// stalled: nothing arrives until then. deaf: what happens until then is not
	// heard of, and a new list is taken after it.
	stalled, deaf time.Time
	handlers      []toolscache.ResourceEventHandler
	// items are all nodes as the last list gave them; nil: they have changed since. A
	// thousand nodes are listed in every pass and for every round of Leases.
	items any
}

type delivery struct {
	at time.Time
	change
}

// cachedKinds are those of which the controller keeps caches.
var cachedKinds = []string{
	"Node", "BGPPeer", "BGPConfiguration", "BGPFilter", "CalicoNodeStatus", "ClusterInformation",
	"RouteReflectorAutoscaler", "Pod",
}

// sharedKinds are those of which the controller's cache gives out no copies.
var sharedKinds = map[string]bool{"Node": true, "CalicoNodeStatus": true}

func newView(w *World) *view {
	v := &view{world: w, streams: map[string]*stream{}, wake: func() {}}
	for _, kind := range cachedKinds {
		v.streams[kind] = &stream{kind: kind, table: w.trimmed(w.store.table(kind))}
	}
	return v
}

// trimmed returns a table as a cache keeps it. What has been trimmed once is shared
// by all caches.
func (w *World) trimmed(t *table) *table {
	out := t.clone()
	for i, object := range out.objects {
		out.objects[i] = w.trim(object)
	}
	return out
}

func (w *World) trim(object client.Object) client.Object {
	if object == nil {
		return nil
	}
	key := trimKey{kindOf(object), keyOf(object)}
	if kept, known := w.trims[key]; known && kept.version == object.GetResourceVersion() {
		return kept.object
	}
	kept := controller.Trim(copyOf(object))
	w.trims[key] = trimmedObject{object.GetResourceVersion(), kept}
	return kept
}

type trimKey struct{ kind, key string }

type trimmedObject struct {
	version string
	object  client.Object
}

// hear takes a change that has just happened.
func (v *view) hear(c change) {
	s := v.streams[c.kind]
	if s == nil || v.world.now.Before(s.deaf) {
		return
	}
	at := v.world.now.Add(v.world.timing.Watch.draw(v.world.rng))
	if n := len(s.queue); n > 0 && at.Before(s.queue[n-1].at) {
		at = s.queue[n-1].at
	}
	if at.Before(s.stalled) {
		at = s.stalled
	}
	s.queue = append(s.queue, delivery{at, c})
	v.world.at(at, func() { v.deliver(s) })
}

// deliver shows what has arrived.
func (v *view) deliver(s *stream) {
	for len(s.queue) > 0 && !s.queue[0].at.After(v.world.now) {
		d := s.queue[0]
		s.queue = s.queue[1:]
		v.show(s, d.key, v.world.trim(d.after))
		if d.after == nil {
			delete(v.world.trims, trimKey{d.kind, d.key})
		}
	}
}

// show changes one object of the cache, and tells whoever listens.
func (v *view) show(s *stream, key string, object client.Object) {
	before := s.table.get(key)
	if before == nil && object == nil || before != nil && object != nil && before.GetResourceVersion() == object.GetResourceVersion() {
		return
	}
	s.table.set(key, object)
	s.items = nil
	for _, handler := range s.handlers {
		switch {
		case before == nil:
			handler.OnAdd(object, false)
		case object == nil:
			handler.OnDelete(before)
		default:
			handler.OnUpdate(before, object)
		}
	}
	if controller.Wakes(before, object) {
		v.wake()
	}
}

// list makes a cache show what a new list says.
func (v *view) list(s *stream, shown *table) {
	s.queue = nil
	for i := len(s.table.keys) - 1; i >= 0; i-- {
		if key := s.table.keys[i]; shown.get(key) == nil {
			v.show(s, key, nil)
		}
	}
	for i, key := range shown.keys {
		v.show(s, key, shown.objects[i])
	}
}

// stall holds back what a watch would show.
func (v *view) stall(kind string, d time.Duration) {
	s := v.streams[kind]
	s.stalled = v.world.now.Add(d)
	for i := range s.queue {
		if s.queue[i].at.Before(s.stalled) {
			s.queue[i].at = s.stalled
		}
	}
	v.world.at(s.stalled, func() { v.deliver(s) })
}

// pretend shows another list for a time, then what is true.
func (v *view) pretend(kind string, d time.Duration, shown *table) {
	s := v.streams[kind]
	s.deaf = v.world.now.Add(d)
	v.list(s, v.world.trimmed(shown))
	v.world.at(s.deaf, func() { v.relist(s) })
}

// Get reads an object from the cache.
func (v *view) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind := kindOf(into)
	s := v.streams[kind]
	if s == nil {
		return fmt.Errorf("%w: no cache of %s", errUnsupported, kind)
	}
	object := s.table.get(keyFor(key.Namespace, key.Name))
	if object == nil {
		return apierrors.NewNotFound(resourceOf(kind), key.Name)
	}
	give(into, object, sharedKinds[kind])
	return nil
}

// List reads a kind from the cache.
func (v *view) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	kind := kindOf(list)
	s := v.streams[kind]
	if s == nil {
		return fmt.Errorf("%w: no cache of %s", errUnsupported, kind)
	}
	o := client.ListOptions{}
	o.ApplyOptions(options)
	whole := kind == "Node" && all(&o)
	if whole && s.items != nil {
		reflect.ValueOf(list).Elem().FieldByName("Items").Set(reflect.ValueOf(s.items))
		return nil
	}
	chosen, err := choose(s.table, &o)
	if err != nil {
		return err
	}
	fill(list, chosen, sharedKinds[kind])
	if whole {
		s.items = reflect.ValueOf(list).Elem().FieldByName("Items").Interface()
	}
	return nil
}

// GetInformer returns something to listen to.
func (v *view) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	s := v.streams[kindOf(object)]
	if s == nil {
		return nil, fmt.Errorf("%w: no cache of %s", errUnsupported, kindOf(object))
	}
	return &informer{stream: s}, nil
}

// informer tells of the changes of one kind.
type informer struct {
	cache.Informer
	stream *stream
}

// AddEventHandler tells the handler of all objects, then of every change.
func (i *informer) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	i.stream.handlers = append(i.stream.handlers, handler)
	for _, object := range i.stream.table.objects {
		handler.OnAdd(object, true)
	}
	return registration{}, nil
}

// HasSynced is true: the list is there.
func (i *informer) HasSynced() bool { return true }

type registration struct {
	toolscache.ResourceEventHandlerRegistration
}

// HasSynced is true: the handler has been told of everything before it returned.
func (registration) HasSynced() bool { return true }
