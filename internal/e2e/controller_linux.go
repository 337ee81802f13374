package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// Actions of steps that are looked at.
const (
	actionSetRole    = "SetRole"
	actionCreatePeer = "CreatePeer"
)

// stopGrace is how long the controller may take to finish the step under way.
const stopGrace = 20 * time.Second

// controller is the real controller, as a process that can be killed and started
// again.
type controller struct {
	binary, kubeconfig string
	process            *process
	journal            standin.Journal
}

func (c *cluster) startController() error {
	c.controller = &controller{
		binary: c.options.Controller, kubeconfig: c.controllerKubeconfig(),
		journal: standin.Journal{Path: filepath.Join(c.options.Dir, "controller.log")},
	}
	return c.controller.start()
}

func (c *controller) start() error {
	file, err := os.OpenFile(c.journal.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of the controller: %w", err)
	}
	defer file.Close()                          //nolint:errcheck // the child has its own
	cmd := exec.Command(c.binary, "controller", //nolint:gosec // our own binary
		"--kubeconfig", c.kubeconfig, "--leader-election-namespace", deploy.Namespace,
		"--health-probe-bind-address", "0", "--metrics-bind-address", "0", "--log-format", "json")
	cmd.Stdout, cmd.Stderr = file, file
	c.process, err = start("the controller", nil, cmd)
	return err
}

// crash ends the controller as a power loss does.
func (c *controller) crash() error { return c.process.kill() }

func (c *controller) stop() error {
	if c.process == nil || c.process.ended() != nil {
		return nil
	}
	return c.process.stop(stopGrace)
}

// steps returns what was written since the last call.
func (c *controller) steps() ([]standin.Entry, error) {
	entries, err := c.journal.Read()
	return slices.DeleteFunc(entries, func(e standin.Entry) bool { return e.Message != standin.MessageStep }), err
}

// tail returns the last lines of the log.
func (c *controller) tail(lines int) string { return strings.Join(c.journal.Tail(lines), "\n") }
