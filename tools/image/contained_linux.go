package main

import (
	"os"
	"syscall"
)

// contained makes a folder the root of a process that runs as the image's user.
// Root may do that; others may in a user namespace, where their own number is
// seen as that of the image's user.
func contained(root string) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Chroot: root}
	if os.Geteuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: user, Gid: user}
		return attributes
	}
	attributes.Cloneflags = syscall.CLONE_NEWUSER
	attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}}
	attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}}
	return attributes
}
