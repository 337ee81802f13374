package controller

import (
	"context"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pending is a write that the cache may not show yet. Nothing is planned on a
// cache that is older than what has been written: the same step would be taken
// again, or the next one too early.
type pending struct {
	// object is of the written object's type; only its name matters.
	object client.Object
	// version is the resource version after the write; empty while it is not known
	// what became of the write.
	version string
	// gone: the write was a deletion, of the object with this UID.
	gone bool
	uid  string
}

// settled tells whether the cache shows the write, or something newer.
func (p *pending) settled(ctx context.Context, cache, live client.Reader) (bool, error) {
	if p.version == "" && !p.gone {
		if err := p.observe(ctx, live); err != nil {
			return false, err
		}
	}
	object := p.blank()
	err := cache.Get(ctx, client.ObjectKeyFromObject(p.object), object)
	switch {
	case apierrors.IsNotFound(err):
		if p.gone {
			return true, nil
		}
		return p.deletedSince(ctx, live)
	case err != nil:
		return false, fmt.Errorf("look up %s in the cache: %w", p.object.GetName(), err)
	case p.gone && p.uid == "":
		// The cache is behind, or somebody has created the object again: look anew.
		p.gone = false
		return false, nil
	case p.gone:
		return string(object.GetUID()) != p.uid, nil
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), p.version)
	if err == nil {
		return order >= 0, nil
	}
	// Versions of this API server have no order: the cache must show what stands.
	current := p.blank()
	if err := live.Get(ctx, client.ObjectKeyFromObject(p.object), current); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return current.GetResourceVersion() == object.GetResourceVersion(), nil
}

// observe finds out what stands after a write of unknown outcome.
func (p *pending) observe(ctx context.Context, live client.Reader) error {
	object := p.blank()
	err := live.Get(ctx, client.ObjectKeyFromObject(p.object), object)
	if apierrors.IsNotFound(err) {
		p.gone = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("find out what became of the last write, of %s: %w", p.object.GetName(), err)
	}
	p.version = object.GetResourceVersion()
	return nil
}

// deletedSince tells whether an object that the cache does not show does not
// exist any more, rather than not in the cache yet.
func (p *pending) deletedSince(ctx context.Context, live client.Reader) (bool, error) {
	err := live.Get(ctx, client.ObjectKeyFromObject(p.object), p.blank())
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", p.object.GetName(), err)
	}
	return false, nil
}

// blank returns an empty object of the same type.
func (p *pending) blank() client.Object {
	object, ok := reflect.New(reflect.TypeOf(p.object).Elem()).Interface().(client.Object)
	if !ok {
		panic(fmt.Sprintf("%T is no object", p.object)) // cannot be: the type is an object's
	}
	return object
}
