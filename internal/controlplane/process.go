package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is one child process that we started.
type process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // of Wait; read it after done only
}

// errAddressInUse says that somebody else listens on the port.
var errAddressInUse = errors.New("address already in use")

// run starts a binary with its output in dir/<name>.log and, if log is not nil,
// there as well.
func run(dir, binary string, args []string, log io.Writer) (*process, error) {
	name := filepath.Base(binary)
	p := &process{name: name, logPath: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	file, err := os.Create(p.logPath)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout = file
	if log != nil {
		p.cmd.Stdout = io.MultiWriter(file, log)
	}
	p.cmd.Stderr = p.cmd.Stdout
	p.cmd.SysProcAttr = childAttributes()

	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		defer func() { _ = file.Close() }()
		// Linux tells a child of the death of the thread that started it, not
		// of the process. So that thread must live as long as the child does:
		// nobody else may get it, or the runtime could end it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// await polls ready until it returns nil, the process ends, or ctx does. If the
// process did not become ready it is stopped, and the error has the end of its
// log.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		last := ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-p.done:
			log := p.tail()
			if strings.Contains(log, errAddressInUse.Error()) {
				return fmt.Errorf("%s: %w", p.name, errAddressInUse)
			}
			return fmt.Errorf("%s ended before it was ready (%w); the end of its log:\n%s", p.name, p.exit(), log)
		case <-ctx.Done():
			log := p.tail()
			_ = p.stop(0)
			return fmt.Errorf("%s is not ready: %w: %w; the end of its log:\n%s", p.name, ctx.Err(), last, log)
		case <-tick.C:
		}
	}
}

func (p *process) exit() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// stop asks the process to end, and makes it after the grace. It returns when
// the process is gone; how it ended does not matter.
func (p *process) stop(grace time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s (pid %d): %w", p.name, p.cmd.Process.Pid, err)
	}
	return nil
}

// tail returns the last lines of the log.
func (p *process) tail() string {
	data, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}
