package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// entry is one line of the controller's log.
type entry struct {
	Time     time.Time `json:"time"`
	Level    string    `json:"level"`
	Message  string    `json:"msg"`
	Action   string    `json:"action"`
	Object   string    `json:"object"`
	Why      string    `json:"why"`
	WaitsFor string    `json:"waitsFor"`
	Proof    string    `json:"proof"`
	Costs    []string  `json:"costs"`
	Reason   string    `json:"reason"`
	Text     string    `json:"message"`
}

// Messages in the controller's log.
const (
	messageStep      = "step written"
	messageDegraded  = "degraded"
	messageRecovered = "no longer degraded"
)

// title says in a few words what the step did.
func (e *entry) title() string {
	kind, name, _ := strings.Cut(e.Object, "/")
	switch e.Action {
	case "SetRole":
		return "make " + name + " a route reflector"
	case "ClearRole":
		return "take the role from " + name
	case "SetHomes":
		return "tell clients their group: " + e.Object
	case "MeshOff":
		return "turn the node-to-node mesh off"
	case "MeshOn":
		return "turn the node-to-node mesh on"
	case "SaveMesh":
		return "keep what the mesh settings were"
	case "ForgetMesh":
		return "forget what the mesh settings were"
	case "AddFinalizer":
		return "hold the policy until the mesh can come back"
	case "RemoveFinalizer":
		return "let the policy go"
	}
	for prefix, verb := range map[string]string{"Create": "create", "Patch": "change", "Delete": "delete"} {
		if strings.HasPrefix(e.Action, prefix) {
			return verb + " " + kind + " " + name
		}
	}
	return e.Action + " " + e.Object
}

// journal follows the controller's log.
type journal struct {
	path   string
	offset int64
}

// read returns what was logged since the last call. Lines that are not the
// controller's JSON, such as a crash, are left to the reader of the file.
func (j *journal) read() ([]entry, error) {
	file, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("log of the controller: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(j.offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("log of the controller: %w", err)
	}
	var entries []entry
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return entries, nil // an unfinished line is read next time
		}
		if err != nil {
			return entries, fmt.Errorf("log of the controller: %w", err)
		}
		j.offset += int64(len(line))
		var e entry
		if json.Unmarshal(line, &e) == nil && e.Message != "" {
			entries = append(entries, e)
		}
	}
}

// tail returns the last lines of the log.
func (j *journal) tail(lines int) []string {
	data, err := os.ReadFile(j.path)
	if err != nil {
		return nil
	}
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return all[max(0, len(all)-lines):]
}
