//go:build unix && !linux

package controlplane

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C
// in a terminal reaches only us and we stop both in order. Nothing here ends it
// when we are killed: only Linux can do that.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
