package controlplane

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C
// in a terminal reaches only us and we stop both in order, and has the kernel
// kill it when we die without having stopped it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
