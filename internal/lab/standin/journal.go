package standin

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

// Entry is one line of the controller's log.
type Entry struct {
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

// MessageStep is the message of a step that has been written.
const MessageStep = "step written"

// Journal follows the controller's log, which may not be there yet. Whoever starts
// a new log at the same path starts a new Journal.
type Journal struct {
	Path   string
	offset int64
}

// Read returns what was logged since the last call. Lines that are not the
// controller's JSON, such as a crash, are left to the reader of the file.
func (j *Journal) Read() ([]Entry, error) {
	file, err := os.Open(j.Path)
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
	var entries []Entry
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
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.Message != "" {
			entries = append(entries, e)
		}
	}
}

// Tail returns the last lines of the log; none where it cannot be read.
func (j *Journal) Tail(lines int) []string {
	data, err := os.ReadFile(j.Path)
	if err != nil {
		return nil
	}
	all := strings.Split(string(bytes.TrimSpace(data)), "\n")
	return all[max(0, len(all)-lines):]
}
