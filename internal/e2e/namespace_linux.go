package e2e

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it is gone when this process
// and all that were started in it are.
type namespace struct{ file *os.File }

func newNamespace() (*namespace, error) {
	var file *os.File
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		file, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &namespace{file: file}, nil
}

func (n *namespace) fd() int { return int(n.file.Fd()) } //nolint:gosec // a descriptor

func (n *namespace) close() error { return n.file.Close() }

// do runs something in the namespace.
func (n *namespace) do(what func() error) error {
	return onOwnThread(func() error {
		if err := n.enter(); err != nil {
			return err
		}
		return what()
	})
}

// enter moves the calling thread, which must not go back to the runtime.
func (n *namespace) enter() error {
	if err := unix.Setns(n.fd(), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return nil
}

// onOwnThread runs something on a thread that ends afterwards, so that nothing
// else is ever run in the namespace it has moved to.
func onOwnThread(what func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- what()
	}()
	return <-done
}
