//go:build unix && !linux

package demo

import "syscall"

// childAttributes keeps Ctrl-C in a terminal from the child, which we stop in
// order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
