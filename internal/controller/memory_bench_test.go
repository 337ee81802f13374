package controller

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// BenchmarkControllerMemory runs the real controller process against the real API
// server with 5,000 nodes and the reports of 25 reflectors on 5,000 sessions each.
// It reports resident memory in MB (10^6 bytes): while it watches, and the most
// when it has also written. It takes a minute or two; -short skips it.
func BenchmarkControllerMemory(b *testing.B) {
	const nodes = 5000
	switch {
	case testing.Short():
		b.Skip("5,000 nodes take too long for -short")
	case runtime.GOOS != "linux":
		b.Skip("reads /proc")
	}
	c := ownV3(b)
	binary := filepath.Join(b.TempDir(), "tapetum")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "tapetum.dev/tapetum/cmd/tapetum")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	c.createNodes(nodes)
	c.createAgents(nodes)
	c.createReports(25, nodes)
	policy := newPolicy()
	policy.Spec.Mode = v1alpha1.ModeDryRun // first the whole of planning without writes
	c.create(policy)
	b.ResetTimer()
	for range b.N {
		most, last := c.measure(b, binary, nodes)
		b.ReportMetric(most, "peak-MB")
		b.ReportMetric(last, "steady-MB")
	}
}

// parallel does something for each number below count, some at a time.
func (c *cluster) parallel(count int, do func(n int) error) {
	c.t.Helper()
	var group sync.WaitGroup
	next := make(chan int)
	for range 16 {
		group.Go(func() {
			for n := range next {
				if err := do(n); err != nil {
					c.t.Error(err)
				}
			}
		})
	}
	for n := range count {
		next <- n
	}
	close(next)
	group.Wait()
}

// createNodes creates realistic nodes, of about 15 kB each.
func (c *cluster) createNodes(count int) {
	c.t.Helper()
	c.parallel(count, func(n int) error {
		node := largeNode(n)
		status := node.Status
		if err := c.client.Create(c.t.Context(), node); err != nil {
			return err
		}
		node.Status = status
		return c.client.Status().Update(c.t.Context(), node)
	})
}

// createReports creates what so many reflectors would report of so many sessions.
func (c *cluster) createReports(reflectors, count int) {
	c.t.Helper()
	report := calico.NodeBGPStatus{NumberEstablishedV4: count}
	for n := range count {
		report.PeersV4 = append(report.PeersV4, calico.PeerStatus{
			PeerIP: fmt.Sprintf("10.0.%d.%d", n/250, n%250+1), Type: calico.PeerTypeNode, State: calico.StateEstablished, Since: "12:34:56",
		})
	}
	for n := range reflectors {
		object := sessions.New(largeNode(n).Name)
		c.create(object)
		object.Status = calico.NodeStatusStatus{LastUpdated: metav1.Now(), BGP: report}
		c.must(c.client.Status().Update(c.t.Context(), object))
	}
}

func largeNode(n int) *corev1.Node {
	node := newNode(n)
	node.Name = fmt.Sprintf("ip-10-%d-%d-%d.eu-central-1.compute.internal", n/65536, n/256%256, n%256)
	for i := range 25 {
		node.Labels[fmt.Sprintf("example.com/label-%d", i)] = fmt.Sprintf("value-%d-of-node-%d", i, n)
	}
	for i := range 12 {
		node.Annotations[fmt.Sprintf("example.com/note-%d", i)] = strings.Repeat("x", 80)
	}
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficient", Message: "kubelet has sufficient of it",
			LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		})
	}
	for i := range 50 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names: []string{
				fmt.Sprintf("registry.example.com/team-%d/image@sha256:%064d", i, n),
				fmt.Sprintf("registry.example.com/team-%d/image:v1.%d", i, n),
			},
			SizeBytes: 123456789,
		})
	}
	node.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi")}
	return node
}

// measure starts the controller, waits until it has planned and has made passes
// on changes, and returns the most and the last resident memory.
func (c *cluster) measure(b *testing.B, binary string, nodes int) (most, last float64) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	probe := listener.Addr().String()
	c.must(listener.Close())
	cmd := exec.CommandContext(b.Context(), binary, "controller", "--kubeconfig", c.plane.Kubeconfig(),
		"--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address="+probe)
	cmd.Stderr = os.Stderr
	c.must(cmd.Start())
	defer func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }()
	c.eventually("the controller to be ready", func() (bool, string) {
		response, err := http.Get("http://" + probe + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status
	})
	c.eventually("the plan", func() (bool, string) {
		status := c.policy().Status
		return int(status.Nodes) == nodes && status.Plan != nil, fmt.Sprintf("%+v", status)
	})
	for beat := range 20 { // passes one after the other, as on a busy day
		c.patch(c.node(largeNode(beat).Name), "kubectl-edit", fmt.Sprintf(`{"metadata":{"labels":{"example.com/beat":"%d-%d"}}}`, beat, time.Now().UnixNano()))
		time.Sleep(200 * time.Millisecond)
	}
	time.Sleep(5 * time.Second)
	last = memory(b, cmd.Process.Pid, "VmRSS")
	// And then it writes: each step is proved on nodes and reports read anew.
	// In Single the first of them makes a reflector; others begin with thousands of
	// labels of clients, for which no node is read anew.
	c.patch(c.policy(), "kubectl-edit", `{"spec":{"mode":"Apply","topology":"Single","limits":{"sessionsPerReflector":10000}}}`)
	c.eventually("the first reflector", func() (bool, string) {
		status := c.policy().Status
		return status.ReflectorCount > 0, fmt.Sprintf("%+v", status.Conditions)
	})
	return memory(b, cmd.Process.Pid, "VmHWM"), last
}

// memory reads one line of /proc/PID/status, in MB.
func memory(b *testing.B, pid int, line string) float64 {
	b.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); name == line {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib * 1024 / 1e6
		}
	}
	b.Fatalf("no %s in /proc/%d/status", line, pid)
	return 0
}
