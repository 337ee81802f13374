package calico

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func configuration(name string, spec BGPConfigurationSpec) BGPConfiguration {
	return BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func TestConfigurationDefaults(t *testing.T) {
	t.Parallel()
	on, off, as, zero := true, false, uint32(65001), uint32(0)
	tests := []struct {
		name string
		in   []BGPConfiguration
		mesh bool
		as   uint32
		port uint16
	}{
		{"no objects", nil, true, 64512, 0},
		{"empty", []BGPConfiguration{configuration("default", BGPConfigurationSpec{})}, true, 64512, 0},
		{"set", []BGPConfiguration{configuration("default",
			BGPConfigurationSpec{NodeToNodeMeshEnabled: &off, ASNumber: &as, ListenPort: 178})}, false, 65001, 178},
		{"explicitly on", []BGPConfiguration{configuration("default",
			BGPConfigurationSpec{NodeToNodeMeshEnabled: &on, ASNumber: &zero})}, true, 64512, 0},
		{"only the node's port counts on a node", []BGPConfiguration{
			configuration("node.n1", BGPConfigurationSpec{NodeToNodeMeshEnabled: &off, ASNumber: &as, ListenPort: 1790}),
			configuration("default", BGPConfigurationSpec{ListenPort: 178})}, true, 64512, 1790},
		{"another node's", []BGPConfiguration{configuration("node.n2", BGPConfigurationSpec{ListenPort: 1790})}, true, 64512, 0},
		{"node without a port", []BGPConfiguration{configuration("default", BGPConfigurationSpec{ListenPort: 178}),
			configuration("node.n1", BGPConfigurationSpec{})}, true, 64512, 178},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := MeshEnabled(tt.in); got != tt.mesh {
				t.Errorf("MeshEnabled = %v, want %v", got, tt.mesh)
			}
			if got := GlobalAS(tt.in); got != tt.as {
				t.Errorf("GlobalAS = %d, want %d", got, tt.as)
			}
			if got := ListenPort(tt.in, "n1"); got != tt.port {
				t.Errorf("ListenPort = %d, want %d", got, tt.port)
			}
		})
	}
}

func TestDefaultPointsIntoTheSlice(t *testing.T) {
	t.Parallel()
	in := []BGPConfiguration{configuration("node.n1", BGPConfigurationSpec{}), configuration("default", BGPConfigurationSpec{})}
	if got := Default(in); got != &in[1] {
		t.Errorf("Default = %p, want %p", got, &in[1])
	}
	if got := Default(in[:1]); got != nil {
		t.Errorf("Default = %v, want nil", got)
	}
}
