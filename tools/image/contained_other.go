//go:build unix && !linux

package main

import "syscall"

// contained cannot run a Linux binary here; the attempt says so.
func contained(root string) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Chroot: root}
}
