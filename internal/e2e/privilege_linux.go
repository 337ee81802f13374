package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// ErrForbidden says that this user may not make network namespaces here.
var ErrForbidden = errors.New("network namespaces cannot be made here: run as root, or where users may have user namespaces")

// insideVariable tells a process that it is the one in the user namespace.
const insideVariable = "TAPETUM_E2E_IN_USER_NAMESPACE"

// Allowed tells whether this process may make network namespaces.
func Allowed() error {
	n, err := newNamespace()
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrForbidden, err)
	}
	return n.close()
}

// Reexec runs this program once more, with the same arguments, in a user namespace
// in which it is root, and returns its exit code. done is false where there is no
// need to, or where the kernel forbids it: Allowed tells which. It must be called
// before anything is started, by the goroutine of main.
func Reexec() (code int, done bool) {
	if os.Getenv(insideVariable) != "" || Allowed() == nil {
		return 0, false
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	// The child's life is tied to that of this thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, false
	}
	_ = cmd.Wait() // the exit code tells
	return cmd.ProcessState.ExitCode(), true
}
