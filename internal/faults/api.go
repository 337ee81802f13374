package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errLost is what a client sees of a request whose answer got lost: it cannot know
// whether the write was done.
var errLost = errors.New("http2: client connection lost")

// errDenied is what an admission webhook says.
var errDenied = errors.New("admission webhook \"simulated.example.com\" denied the request")

// api is the API server as one process talks to it. Reads are answered with what is
// there at that moment: without a resource version Kubernetes reads with a quorum.
type api struct {
	client.Client // of its methods those below are used

	world   *World
	process *process
	// pages are lists that are being read page by page: all of one moment.
	pages map[string][]client.Object
}

// Request is one request of a controller to the API server.
type Request struct {
	// Number counts the requests of all controllers, from 1; Write those that write.
	Number, Write int
	// Process that asks, Verb, Kind and Name of the object.
	Process, Verb, Kind, Name string
	// Step that is being carried out, for writes.
	Step string
}

// Writes tells whether the request changes something.
func (r *Request) Writes() bool { return r.Verb != "get" && r.Verb != "list" }

func (r *Request) String() string {
	return fmt.Sprintf("%s %s %s/%s", r.Process, r.Verb, r.Kind, r.Name)
}

// do is one request: on its way, carried out, and answered, with the fault that was
// chosen for it.
func (a *api) do(verb, kind, name string, carryOut func() error) error {
	w, p := a.world, a.process
	t := p.current
	r := w.count(p, verb, kind, name)
	fault := w.fault(r)
	t.sleep(w.timing.Call.draw(w.rng))
	if err := a.fail(fault, r, false); err != nil {
		return err
	}
	var err error
	if r.Writes() {
		err = w.written(r, p, carryOut)
	} else {
		err = carryOut()
	}
	if lost := a.fail(fault, r, true); lost != nil {
		return lost
	}
	t.sleep(w.timing.Call.draw(w.rng))
	return err
}

// fail is what a fault does to a request before or after it is carried out.
func (a *api) fail(fault Fault, r *Request, done bool) error {
	if fault == None || fault.after() != done {
		return nil
	}
	a.world.tell("fault %s at %s", fault, r)
	resource := resourceOf(r.Kind)
	switch fault {
	case CrashBefore, CrashAfter:
		a.crash(nil)
	case TimeoutBefore, TimeoutAfter:
		a.await()
		return errLost
	case Conflict:
		return apierrors.NewConflict(resource, r.Name, errPrecondition)
	case TooMany:
		return apierrors.NewTooManyRequests("slow down", 1)
	case Unavailable:
		return apierrors.NewServiceUnavailable("the API server is starting")
	case Deny:
		return apierrors.NewForbidden(resource, r.Name, errDenied)
	case Expire:
		return apierrors.NewResourceExpired("the continue token is too old")
	default:
		a.mislead(fault, r.Kind)
	}
	return nil
}

// behind is for how long a cache is late or old after a write.
const behind = 3 * time.Second

// mislead is what a fault makes the caches show of a write that is done.
func (a *api) mislead(fault Fault, kind string) {
	w, v := a.world, a.process.view
	switch fault {
	case EventLate:
		v.stall(kind, behind)
	case EventLost:
		v.drop(kind, behind)
	case ListOld:
		v.pretend(kind, behind, w.store.since(kind, 1))
	case CrashOld:
		a.crash(func(next *process) { next.view.pretend(kind, behind, w.store.since(kind, 1)) })
	}
}

// crash ends the process in the middle of a request; another starts after it.
func (a *api) crash(prepare func(next *process)) {
	a.process.dead = true
	a.world.restart(a.process.name, prepare)
	panic(crashed{})
}

// await waits for an answer that does not come.
func (a *api) await() {
	t, d := a.process.current, a.world.timing.Timeout
	if !t.until.IsZero() {
		d = min(d, t.until.Sub(a.world.now))
	}
	t.sleep(d)
}

// Get reads one object.
func (a *api) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind := kindOf(into)
	return a.do("get", kind, key.Name, func() error {
		if lease, ok := into.(*coordinationv1.Lease); ok {
			return a.world.readLease(key.Name, lease)
		}
		object := a.world.store.get(kind, keyFor(key.Namespace, key.Name))
		if object == nil {
			return apierrors.NewNotFound(resourceOf(kind), key.Name)
		}
		give(into, object, false)
		return nil
	})
}

// List reads a kind, or the next page of it.
func (a *api) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(options)
	kind := kindOf(list)
	return a.do("list", kind, "", func() error {
		var objects []client.Object
		if o.Continue != "" {
			objects = a.pages[o.Continue]
			delete(a.pages, o.Continue)
		} else {
			chosen, err := choose(a.world.store.table(kind), &o)
			if err != nil {
				return err
			}
			objects = append(objects, chosen...)
		}
		next := ""
		if n := int(o.Limit); n > 0 && len(objects) > n {
			next = kind + " " + strconv.Itoa(a.world.requests)
			if a.pages == nil {
				a.pages = map[string][]client.Object{}
			}
			a.pages[next] = objects[n:]
			objects = objects[:n]
		}
		fill(list, objects, false)
		list.SetContinue(next)
		return nil
	})
}

// Create adds an object.
func (a *api) Create(_ context.Context, object client.Object, options ...client.CreateOption) error {
	o := client.CreateOptions{}
	o.ApplyOptions(options)
	return a.do("create", kindOf(object), object.GetName(), func() error {
		made := copyOf(object)
		if err := validate(made); err != nil {
			return err
		}
		if err := a.world.store.create(made, o.FieldManager); err != nil {
			return err
		}
		give(object, made, false)
		return nil
	})
}

// Patch changes an object by a merge patch, or a node by a server-side apply.
func (a *api) Patch(_ context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	o := client.PatchOptions{}
	o.ApplyOptions(options)
	return a.patch(object, patch, o.FieldManager, false)
}

func (a *api) patch(object client.Object, patch client.Patch, manager string, status bool) error {
	body, err := patch.Data(object)
	if err != nil {
		return fmt.Errorf("patch of %s: %w", object.GetName(), err)
	}
	kind, key := kindOf(object), keyOf(object)
	verb := "patch"
	if status {
		verb = "patch status of"
	}
	return a.do(verb, kind, object.GetName(), func() error {
		s := a.world.store
		var err error
		switch {
		case patch.Type() == types.ApplyPatchType && kind == "Node" && !status:
			err = s.applyNode(key, manager, body)
		case patch.Type() == types.MergePatchType:
			err = s.mergePatch(kind, key, manager, body, status)
		default:
			err = fmt.Errorf("%w: %s of %s", errUnsupported, patch.Type(), kind)
		}
		if err != nil {
			return err
		}
		if stands := s.get(kind, key); stands != nil {
			give(object, stands, false)
		}
		return nil
	})
}

// Delete removes an object.
func (a *api) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	o := client.DeleteOptions{}
	o.ApplyOptions(options)
	var conditions *metav1.Preconditions
	if o.Preconditions != nil {
		conditions = &metav1.Preconditions{UID: o.Preconditions.UID, ResourceVersion: o.Preconditions.ResourceVersion}
	}
	kind := kindOf(object)
	return a.do("delete", kind, object.GetName(), func() error { return a.world.store.remove(kind, keyOf(object), conditions) })
}

// Status writes status.
func (a *api) Status() client.SubResourceWriter { return statusWriter{api: a} }

type statusWriter struct {
	client.SubResourceWriter
	api *api
}

// Patch changes the status of an object by a merge patch.
func (s statusWriter) Patch(_ context.Context, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
	o := client.SubResourcePatchOptions{}
	o.ApplyOptions(options)
	return s.api.patch(object, patch, o.FieldManager, true)
}

// actionOf names the step that a write belongs to.
func actionOf(r *Request, p *process) string {
	if p.step == nil || strings.HasPrefix(r.Verb, "patch status") || !r.Writes() {
		return ""
	}
	return string(p.step.Action) + " " + p.step.Object
}
