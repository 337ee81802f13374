package cli

import (
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/replan"
	"tapetum.dev/tapetum/internal/sessions"
)

// plainObject is an object without what only an API server sets.
type plainObject struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   plainMeta `json:"metadata"`
	Spec       any       `json:"spec,omitempty"`
}

type plainMeta struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// printObjects prints what Tapetum owns at the end of a plan.
func printObjects(w io.Writer, way *replan.Way) error {
	var out []string
	for _, object := range finalObjects(way) {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		out = append(out, string(text))
	}
	if len(out) == 0 {
		out = []string{"# nothing: Calico's node-to-node mesh needs no object\n"}
	}
	_, err := io.WriteString(w, strings.Join(out, "---\n"))
	return err
}

func finalObjects(way *replan.Way) []plainObject {
	final := way.Final
	group := groupOf(final)
	var out []plainObject
	for i := range final.Nodes {
		if meta := roleOf(&final.Nodes[i]); meta != nil {
			out = append(out, plainObject{"v1", "Node", *meta, nil})
		}
	}
	// The filter before the peerings that name it.
	slices.SortFunc(final.Filters, func(a, b calico.BGPFilter) int { return strings.Compare(a.Name, b.Name) })
	for i := range final.Filters {
		if filter := &final.Filters[i]; calico.ManagedByUs(filter) {
			out = append(out, plainObject{group, "BGPFilter", owned(filter.Name), filter.Spec})
		}
	}
	slices.SortFunc(final.Peers, func(a, b calico.BGPPeer) int { return strings.Compare(a.Name, b.Name) })
	for i := range final.Peers {
		if peer := &final.Peers[i]; calico.ManagedByUs(peer) {
			out = append(out, plainObject{group, "BGPPeer", owned(peer.Name), peer.Spec})
		}
	}
	slices.SortFunc(final.Statuses, func(a, b calico.CalicoNodeStatus) int { return strings.Compare(a.Name, b.Name) })
	for i := range final.Statuses {
		if status := &final.Statuses[i]; sessions.Ours(status) {
			out = append(out, plainObject{group, "CalicoNodeStatus", owned(status.Name), status.Spec})
		}
	}
	if configuration := calico.Default(final.Configurations); configuration != nil {
		out = append(out, plainObject{group, "BGPConfiguration", plainMeta{Name: configuration.Name}, configuration.Spec})
	}
	return out
}

// roleOf is what Tapetum sets on a node; nil: nothing.
func roleOf(node *inventory.Node) *plainMeta {
	meta := &plainMeta{Name: node.Name, Labels: map[string]string{}}
	for key, value := range node.Labels {
		if strings.HasPrefix(key, v1alpha1.NodeKeyPrefix) {
			meta.Labels[key] = value
		}
	}
	if len(meta.Labels) == 0 {
		return nil
	}
	meta.Annotations = map[string]string{}
	if node.ClusterID != "" {
		meta.Annotations[v1alpha1.ClusterIDAnnotation] = node.ClusterID
	}
	for _, key := range node.Protected {
		meta.Annotations[key] = inventory.Protection
	}
	return meta
}

func owned(name string) plainMeta {
	return plainMeta{Name: name, Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue}}
}

// groupOf is the API group in which the input had Calico's objects.
func groupOf(c replan.Cluster) string {
	types := []metav1.TypeMeta{}
	for i := range c.Peers {
		types = append(types, c.Peers[i].TypeMeta)
	}
	for i := range c.Filters {
		types = append(types, c.Filters[i].TypeMeta)
	}
	for i := range c.Configurations {
		types = append(types, c.Configurations[i].TypeMeta)
	}
	for _, t := range types {
		if t.APIVersion == calico.GroupV1.String() {
			return t.APIVersion
		}
	}
	return calico.GroupV3.String()
}
