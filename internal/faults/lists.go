package faults

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fill puts objects into a typed list, as copies or sharing what is behind pointers.
func fill(list client.ObjectList, objects []client.Object, share bool) {
	items := reflect.ValueOf(list).Elem().FieldByName("Items")
	all := reflect.MakeSlice(items.Type(), len(objects), len(objects))
	for i, object := range objects {
		if !share {
			object = copyOf(object)
		}
		all.Index(i).Set(reflect.ValueOf(object).Elem())
	}
	items.Set(all)
}

// give puts an object into the caller's.
func give(into, object client.Object, share bool) {
	if !share {
		object = copyOf(object)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(object).Elem())
}

// all: the options of a list leave no object out.
func all(options *client.ListOptions) bool {
	return options.Namespace == "" && options.LabelSelector == nil && options.FieldSelector == nil
}

// choose returns those objects of a table that the options of a list ask for.
func choose(t *table, options *client.ListOptions) ([]client.Object, error) {
	if all(options) {
		return t.objects, nil
	}
	var out []client.Object
	for i, object := range t.objects {
		if options.Namespace != "" && !strings.HasPrefix(t.keys[i], options.Namespace+"/") {
			continue
		}
		if options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set(object.GetLabels())) {
			continue
		}
		if options.FieldSelector != nil {
			matches, err := matchesFields(object, options.FieldSelector)
			if err != nil {
				return nil, err
			}
			if !matches {
				continue
			}
		}
		out = append(out, object)
	}
	return out, nil
}

// matchesFields knows the fields by which the API server selects here.
func matchesFields(object client.Object, selector fields.Selector) (bool, error) {
	for _, requirement := range selector.Requirements() {
		var value string
		switch pod, isPod := object.(*corev1.Pod); {
		case requirement.Field == "metadata.name":
			value = object.GetName()
		case requirement.Field == "spec.nodeName" && isPod:
			value = pod.Spec.NodeName
		default:
			return false, fmt.Errorf("%w: field selector %s", errUnsupported, selector)
		}
		if value != requirement.Value {
			return false, nil
		}
	}
	return true, nil
}
