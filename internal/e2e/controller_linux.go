package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tapetum.dev/tapetum/deploy"
)

// stopGrace is how long the controller may take to finish the step under way.
const stopGrace = 20 * time.Second

// controller is the real controller, as a process that can be killed and started
// again.
type controller struct {
	binary, kubeconfig, log string
	process                 *process
	offset                  int64 // of the log, as far as it was read
}

func (c *cluster) startController() error {
	c.controller = &controller{
		binary: c.options.Controller, kubeconfig: c.controllerKubeconfig(), log: filepath.Join(c.options.Dir, "controller.log"),
	}
	return c.controller.start()
}

func (c *controller) start() error {
	file, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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

// step is one that the controller has written.
type step struct {
	Time    time.Time `json:"time"`
	Message string    `json:"msg"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
}

// steps returns what was written since the last call.
func (c *controller) steps() ([]step, error) {
	file, err := os.Open(c.log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of the controller: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	if _, err := file.Seek(c.offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("log of the controller: %w", err)
	}
	var out []step
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return out, nil // an unfinished line is read next time
		}
		if err != nil {
			return out, fmt.Errorf("log of the controller: %w", err)
		}
		c.offset += int64(len(line))
		var s step
		// A crash has lines that are no JSON.
		if json.Unmarshal(line, &s) == nil && s.Message == "step written" {
			out = append(out, s)
		}
	}
}

// tail returns the last lines of the log.
func (c *controller) tail(lines int) string {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
