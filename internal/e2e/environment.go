package e2e

import (
	"fmt"
	"strings"
)

// Environment is the machine and the versions that a measurement is of.
type Environment struct {
	Date      string
	Processor string
	CPUs      int
	MemoryGiB int
	Kernel    string
	Bird      string
	// Kubernetes and Etcd are the control plane's versions, Tapetum the binary's.
	Kubernetes, Etcd, Tapetum string
	Nodes, Blockless          int
	Seed                      uint64
	// Jobs is how many clusters there were at the same time.
	Jobs int
	// RealTime: BIRD and the reader had real-time priorities, so that other work on
	// the machine did not lengthen gaps.
	RealTime bool
}

// Markdown is one paragraph.
func (e *Environment) Markdown() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("Measured on %s", e.Date)
	add("%d CPUs (%s), %d GiB", e.CPUs, e.Processor, e.MemoryGiB)
	add("Linux %s", e.Kernel)
	add("BIRD %s", e.Bird)
	add("kube-apiserver %s and etcd %s", e.Kubernetes, e.Etcd)
	add("tapetum %s", e.Tapetum)
	add("%d nodes of which %d own an address block", e.Nodes, e.Nodes-e.Blockless)
	add("seed %d", e.Seed)
	if e.Jobs > 1 {
		add("up to %d such clusters at the same time", e.Jobs)
	}
	if e.RealTime {
		add("BIRD and the reader of the kernels' messages with real-time priority")
	}
	return strings.Join(parts, "; ") + "."
}
