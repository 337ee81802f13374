package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// daemon is one running BIRD.
type daemon struct {
	name    string
	config  string // the text it runs with
	files   string // path of its files without extension
	process *exec.Cmd
	exited  chan struct{}
	*birdctl.Console
}

// startDaemon starts BIRD with a configuration. files is where its configuration,
// log and control socket go.
func startDaemon(bird, name, files, config string) (*daemon, error) {
	d := &daemon{name: name, files: files, config: config, exited: make(chan struct{})}
	if len(d.socket()) > 100 { // of the 108 that a unix socket's path may have
		return nil, fmt.Errorf("path %s is too long for a socket: set TMPDIR to a shorter folder", d.socket())
	}
	if err := os.WriteFile(d.configFile(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	var output bytes.Buffer
	d.process = exec.Command(bird, "-f", "-c", d.configFile(), "-s", d.socket())
	d.process.Stderr = &output
	// No daemon outlives the test, however it ends.
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.process.Wait() // killed by us, or the control socket tells
		close(d.exited)
	}()
	for {
		var err error
		if d.Console, err = birdctl.Dial(d.socket()); err == nil {
			return d, nil
		}
		select {
		case <-d.exited:
			return nil, fmt.Errorf("BIRD of %s ended at once: %s", name, output.Bytes())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (d *daemon) configFile() string { return d.files + ".conf" }
func (d *daemon) socket() string     { return d.files + ".ctl" }
func (d *daemon) logFile() string    { return d.files + ".log" }

// kill ends the daemon as a lost node would: nobody is told.
func (d *daemon) kill() {
	_ = d.process.Process.Kill() // fails only where it has ended already
	<-d.exited
	_ = d.Close() // nothing is left to be written
}

// reconfigure gives the daemon another configuration the way Calico does.
func (d *daemon) reconfigure(config string) error {
	d.config = config
	if err := os.WriteFile(d.configFile(), []byte(config), 0o600); err != nil {
		return err
	}
	return d.process.Process.Signal(syscall.SIGHUP)
}

// log returns what the daemon has logged from an offset on.
func (d *daemon) log(offset int64) ([]string, error) {
	text, err := os.ReadFile(d.logFile())
	if err != nil {
		return nil, err
	}
	return strings.Split(string(text[offset:]), "\n"), nil
}

func (d *daemon) logSize() (int64, error) {
	info, err := os.Stat(d.logFile())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
