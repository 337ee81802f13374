package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress shows how far the go command is, from what it writes to stderr: one
// line that changes on a terminal, a plain line now and then elsewhere.
type progress struct {
	out      io.Writer
	name     string
	terminal bool
	start    time.Time
	done     chan struct{}
	ended    sync.WaitGroup

	mu         sync.Mutex
	partial    []byte
	downloaded int
	compiled   int
	packages   int
	others     []string
}

func newProgress(out *os.File, name string) *progress {
	p := &progress{out: out, name: name, start: time.Now(), done: make(chan struct{})}
	info, err := out.Stat()
	p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	every := 15 * time.Second
	if p.terminal {
		every = time.Second
	}
	p.ended.Go(func() { p.show(every) })
	return p
}

func (p *progress) show(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if p.terminal {
				_, _ = fmt.Fprint(p.out, "\r\033[K", p.line())
			} else {
				_, _ = fmt.Fprintln(p.out, p.line())
			}
		case <-p.done:
			if p.terminal {
				_, _ = fmt.Fprint(p.out, "\r\033[K")
			}
			_, _ = fmt.Fprintln(p.out, p.line())
			return
		}
	}
}

// stop shows the last state and ends.
func (p *progress) stop() {
	close(p.done)
	p.ended.Wait()
}

// expect says how many packages there are; some may be compiled already.
func (p *progress) expect(packages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packages = packages
}

// Write takes what the go command says.
func (p *progress) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, data...)
	for {
		line, rest, found := bytes.Cut(p.partial, []byte("\n"))
		if !found {
			return len(data), nil
		}
		p.take(string(line))
		p.partial = rest
	}
}

func (p *progress) take(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		p.downloaded++
	case line == "":
	case !strings.ContainsAny(line, " \t:"): // an import path
		p.compiled++
	default:
		p.others = append(p.others, line)
	}
}

// rest returns what was neither a download nor a package: the errors.
func (p *progress) rest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(append(p.others, string(p.partial)), "\n")
}

func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := "  " + p.name + ":"
	if p.downloaded > 0 {
		line += fmt.Sprintf(" %d modules fetched,", p.downloaded)
	}
	if p.packages > 0 {
		line += fmt.Sprintf(" %d packages compiled (at most %d),", p.compiled, p.packages)
	}
	return line + " " + time.Since(p.start).Round(time.Second).String()
}
