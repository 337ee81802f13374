package dump

import (
	"fmt"
	"strings"
	"testing"
)

// kubectlList is a List as kubectl prints it of so many nodes, about 15 kB each.
func kubectlList(nodes int) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nitems:\n")
	for i := range nodes {
		fmt.Fprintf(&b, `- apiVersion: v1
  kind: Node
  metadata:
    annotations:
      csi.volume.kubernetes.io/nodeid: '{"ebs.csi.aws.com":"i-%016x"}'
      kubeadm.alpha.kubernetes.io/cri-socket: unix:///run/containerd/containerd.sock
      node.alpha.kubernetes.io/ttl: "0"
      projectcalico.org/IPv4Address: 10.%d.%d.%d/16
      volumes.kubernetes.io/controller-managed-attach-detach: "true"
    creationTimestamp: "2026-01-01T12:00:00Z"
    labels:
      beta.kubernetes.io/arch: amd64
      beta.kubernetes.io/os: linux
      kubernetes.io/arch: amd64
      kubernetes.io/hostname: node-%05d
      kubernetes.io/os: linux
      node.kubernetes.io/instance-type: m5.4xlarge
      topology.kubernetes.io/region: eu-central-1
      topology.kubernetes.io/zone: eu-central-1%c
    name: node-%05d
    resourceVersion: "123456789"
    uid: 00000000-0000-0000-0000-%012d
  spec:
    podCIDR: 10.244.0.0/24
    providerID: aws:///eu-central-1a/i-0
  status:
    addresses:
    - address: 10.0.0.1
      type: InternalIP
    allocatable:
      cpu: "16"
      memory: 64Gi
    conditions:
`, i, 1+i>>16, i>>8&255, i&255, i, 'a'+rune(i%3), i, i)
		for _, condition := range []string{"NetworkUnavailable", "MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
			fmt.Fprintf(&b, `    - lastHeartbeatTime: "2026-01-01T12:00:00Z"
      lastTransitionTime: "2026-01-01T12:00:00Z"
      message: kubelet is posting its status
      reason: KubeletHasSomething
      status: "%s"
      type: %s
`, map[bool]string{true: "True", false: "False"}[condition == "Ready"], condition)
		}
		b.WriteString("    images:\n")
		for image := range 50 {
			fmt.Fprintf(&b, "    - names:\n      - registry.example.org/team/application-%02d@sha256:%064x\n      - registry.example.org/team/application-%02d:v1.2.3\n      sizeBytes: 123456789\n", image, image, image)
		}
		b.WriteString("    nodeInfo:\n      architecture: amd64\n      kernelVersion: 6.12.0\n      kubeletVersion: v1.34.1\n      operatingSystem: linux\n      osImage: Debian 13\n")
	}
	b.WriteString("kind: List\nmetadata:\n  resourceVersion: \"\"\n")
	return b.String()
}

func TestLargeList(t *testing.T) {
	t.Parallel()
	// More than a million lines.
	text := kubectlList(5000)
	if lines := strings.Count(text, "\n"); lines < 1_000_000 {
		t.Fatalf("%d lines", lines)
	}
	cluster, err := Read("nodes.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(cluster.Nodes) != 5000 || len(cluster.Notes) != 0 {
		t.Fatalf("%d nodes, notes %q", len(cluster.Nodes), cluster.Notes)
	}
	if node := cluster.Nodes[4999]; node.Name != "node-04999" || !node.Ready || node.Image != "Debian 13 6.12.0" {
		t.Errorf("the last node is %+v", node)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, nodes := range []int{100, 5000} {
		text := kubectlList(nodes)
		b.Run(fmt.Sprintf("yaml/%d", nodes), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read("nodes.yaml", []byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
