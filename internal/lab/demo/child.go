package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// stopGrace is how long the controller may take to finish the step under way.
const stopGrace = 20 * time.Second

// child is the controller's process.
type child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read it after done only
}

func startController(executable, dir, kubeconfig, namespace string) (*child, error) {
	c := &child{log: filepath.Join(dir, "controller.log"), done: make(chan struct{})}
	file, err := os.Create(c.log)
	if err != nil {
		return nil, fmt.Errorf("log of the controller: %w", err)
	}
	c.cmd = exec.Command(executable, "controller", //nolint:gosec // our own binary
		"--kubeconfig", kubeconfig, "--leader-election-namespace", namespace,
		"--health-probe-bind-address", "0", "--metrics-bind-address", "0", "--log-format", "json")
	c.cmd.Stdout, c.cmd.Stderr = file, file
	c.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func() {
		defer close(c.done)
		defer func() { _ = file.Close() }()
		// Linux ties the child's life to that of the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the controller: %w", err)
	}
	return c, nil
}

// ended returns why the controller is not running any more; nil while it is.
func (c *child) ended() error {
	select {
	case <-c.done:
		if c.err == nil {
			return errors.New("the controller has ended by itself")
		}
		return fmt.Errorf("the controller has ended: %w", c.err)
	default:
		return nil
	}
}

// stop asks the controller to end, and makes it after a while.
func (c *child) stop() error {
	if c.ended() != nil {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the controller: %w", err)
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(stopGrace):
		err := c.cmd.Process.Kill()
		<-c.done
		return errors.Join(fmt.Errorf("the controller did not end within %s and was killed", stopGrace), err)
	}
}
