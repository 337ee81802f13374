package demo

import "syscall"

// childAttributes keeps Ctrl-C in a terminal from the child, which we stop in
// order, and has the kernel end it if we die.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
