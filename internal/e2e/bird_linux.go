package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// bird is a node's BIRD of one family. Its files stay while it is killed and
// started again.
type bird struct {
	node   string
	binary string
	files  string // path of its files without extension
	where  *namespace
	// removed is told, as it happens, that it has no path to a network any more.
	removed func(netip.Prefix, time.Time)

	mu      sync.Mutex
	config  string // the text it runs with
	process *process
	log     *os.File
}

func newBird(binary, dir, node string, family birdconf.Family, where *namespace, removed func(netip.Prefix, time.Time)) (*bird, error) {
	b := &bird{node: node, binary: binary, files: filepath.Join(dir, fmt.Sprintf("%s-v%d", node, family)), where: where, removed: removed}
	if len(b.socket()) > 100 { // of the 108 that a unix socket's path may have
		return nil, fmt.Errorf("path %s is too long for a socket: set TMPDIR to a shorter folder", b.socket())
	}
	var err error
	b.log, err = os.OpenFile(b.files+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return b, err
}

func (b *bird) socket() string { return b.files + ".ctl" }

// start runs BIRD as calico-node does: -R lets it recover from a crash, which holds
// its exports back until the neighbors have sent all they know.
func (b *bird) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process != nil {
		return nil
	}
	if err := os.Remove(b.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(b.files+".conf", []byte(b.config), 0o600); err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(b.binary, "-R", "-f", "-c", b.files+".conf", "-s", b.socket()) //nolint:gosec // ours
	cmd.Stderr = writer
	p, err := start("BIRD of "+b.node, b.where, cmd)
	_ = writer.Close() // the child has its own
	if err != nil {
		return errors.Join(err, reader.Close())
	}
	hasten(p.cmd.Process.Pid, birdPriority)
	b.process = p
	go b.follow(reader)
	return b.awaitSocket(p)
}

func (b *bird) awaitSocket(p *process) error {
	for {
		if _, err := birdctl.Ask(b.socket(), "show status"); err == nil {
			return nil
		}
		select {
		case <-p.done:
			log, _ := os.ReadFile(b.files + ".log")
			return fmt.Errorf("%w: %s", p.ended(), log[max(0, len(log)-500):])
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// follow keeps the log, and reads out of it when the table lost its last path to a
// network: "kernel1 < removed 10.64.0.64/26 via ...".
func (b *bird) follow(log io.ReadCloser) {
	defer log.Close() //nolint:errcheck // only read
	scanner := bufio.NewScanner(log)
	for scanner.Scan() {
		now := time.Now()
		if network, ok := removal(scanner.Text()); ok {
			b.removed(network, now)
		}
		_, _ = fmt.Fprintf(b.log, "%s %s\n", now.Format("15:04:05.000"), scanner.Bytes()) // for people to read
	}
}

func removal(line string) (netip.Prefix, bool) {
	_, rest, found := strings.Cut(line, "kernel1 < removed ")
	if !found {
		return netip.Prefix{}, false
	}
	network, _, _ := strings.Cut(rest, " ")
	p, err := netip.ParsePrefix(network)
	return p, err == nil
}

// apply gives BIRD another configuration the way Calico does: checked, put in the
// place of the old one, and BIRD told to read it. The same text changes nothing.
func (b *bird) apply(config string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if config == b.config {
		return nil
	}
	staged := b.files + ".staged"
	if err := os.WriteFile(staged, []byte(config), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command(b.binary, "-p", "-c", staged).CombinedOutput(); err != nil { //nolint:gosec // ours
		return fmt.Errorf("BIRD of %s refuses its configuration: %w: %s", b.node, err, bytes.TrimSpace(out))
	}
	if err := os.Rename(staged, b.files+".conf"); err != nil {
		return err
	}
	b.config = config
	if b.process == nil {
		return nil
	}
	return b.process.signal(syscall.SIGHUP)
}

// kill ends BIRD without a word to anybody.
func (b *bird) kill() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return nil
	}
	err := b.process.kill()
	b.process = nil
	return err
}

func (b *bird) signal(s syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return fmt.Errorf("BIRD of %s has been killed", b.node)
	}
	return b.process.signal(s)
}

// running returns why BIRD is not; nil while it is.
func (b *bird) running() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return fmt.Errorf("BIRD of %s has been killed", b.node)
	}
	return b.process.ended()
}

// status returns what BIRD says of itself.
func (b *bird) status() (birdctl.Status, error) {
	console, err := birdctl.Dial(b.socket())
	if err != nil {
		return birdctl.Status{}, err
	}
	defer console.Close() //nolint:errcheck // all has been read
	return console.Status()
}

// protocols returns BIRD's BGP protocols.
func (b *bird) protocols() ([]birdctl.Protocol, error) {
	console, err := birdctl.Dial(b.socket())
	if err != nil {
		return nil, fmt.Errorf("BIRD of %s: %w", b.node, err)
	}
	defer console.Close() //nolint:errcheck // all has been read
	protocols, err := console.Protocols()
	if err != nil {
		return nil, fmt.Errorf("BIRD of %s: %w", b.node, err)
	}
	return protocols, nil
}

func (b *bird) close() error {
	err := b.kill()
	return errors.Join(err, b.log.Close())
}
