package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child that ends with us, however we end.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read it after done only
}

// start runs a command, in a namespace where one is given.
func start(name string, where *namespace, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	// A group of its own keeps Ctrl-C in a terminal from the child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		// Linux ties the child's life to that of the thread that started it. It is
		// not given back, since it may have moved.
		runtime.LockOSThread()
		if where != nil {
			if err := where.enter(); err != nil {
				started <- err
				return
			}
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// ended returns why the process is not running any more; nil while it is.
func (p *process) ended() error {
	select {
	case <-p.done:
		if p.err == nil {
			return fmt.Errorf("%s has ended by itself", p.name)
		}
		return fmt.Errorf("%s has ended: %w", p.name, p.err)
	default:
		return nil
	}
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s (pid %d): %w", p.name, p.cmd.Process.Pid, err)
	}
	return nil
}

// kill ends the process as SIGKILL does, and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// stop asks the process to end, and makes it after a while.
func (p *process) stop(grace time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
		return errors.Join(fmt.Errorf("%s did not end within %s and was killed", p.name, grace), p.kill())
	}
}

// Priorities that keep other work on the machine out of the measurement: a BIRD
// that is put aside between deleting a route and adding it again, and a reader that
// is late, both look like a gap.
const (
	birdPriority   = 1
	readerPriority = 2
)

// hasten gives a process or a thread (0: the calling one) a real-time priority, or
// where that is not allowed a better ordinary one; where nothing is allowed it stays
// as it is. First in, first out: in turns, a BIRD would be put aside for as long as all
// others take. It tells whether real time was granted.
func hasten(id, priority int) bool {
	attributes := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: uint32(priority)} //nolint:gosec // 1 or 2
	if unix.SchedSetAttr(id, &attributes, 0) == nil {
		return true
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, id, -10) // not allowed: as it is
	return false
}
