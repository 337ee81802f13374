package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tapetum.dev/tapetum/internal/controlplane/assets"
)

// describe reads what is known of the machine; what is not stays empty.
func describe(o *RunOptions) Environment {
	e := Environment{
		Date: time.Now().UTC().Format(time.DateOnly), CPUs: runtime.NumCPU(), Processor: field("/proc/cpuinfo", "model name"),
		Kubernetes: assets.KubernetesVersion, Etcd: assets.EtcdVersion,
		Nodes: o.Nodes, Blockless: o.Blockless, Seed: o.Seed, Jobs: o.Jobs,
	}
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		e.MemoryGiB = (kib + 1<<19) >> 20
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		e.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if _, version, err := Birds(); err == nil {
		e.Bird = version
	}
	if out, err := exec.Command(o.Controller, "version").Output(); err == nil { //nolint:gosec // our own binary
		first, _, _ := bytes.Cut(out, []byte("\n"))
		e.Tapetum = strings.TrimPrefix(string(first), "tapetum ")
	}
	return e
}

// field finds "name : value" in a file of the kernel's.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
