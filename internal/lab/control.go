package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Request is one command for a running lab.
type Request struct {
	// Command: kill, revive, cordon, uncordon, delete, add, storm, stop-api,
	// calico-version, status.
	Command  string        `json:"command"`
	Nodes    []string      `json:"nodes,omitempty"`
	Count    int           `json:"count,omitempty"`
	Percent  int           `json:"percent,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
	Version  string        `json:"version,omitempty"`
}

// answer is what the lab says to a Request.
type answer struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

// socketPath is where a lab listens, in its folder.
func socketPath(dir string) string { return filepath.Join(dir, "lab.sock") }

// longestSocketPath is the kernel's limit for the path of a socket.
const longestSocketPath = 100

// Serve takes commands until the lab stops. Only this user can give them.
func (c *Cluster) Serve(ctx context.Context) error {
	path := socketPath(c.options.Dir)
	if len(path) > longestSocketPath {
		return fmt.Errorf("folder of the lab: %s is too long for a socket: give a shorter one with --dir", c.options.Dir)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("socket of the lab: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	c.done.Go(func() {
		<-ctx.Done()
		_ = listener.Close()
	})
	c.done.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			c.done.Go(func() { c.answer(ctx, connection) })
		}
	})
	return nil
}

func (c *Cluster) answer(ctx context.Context, connection net.Conn) {
	defer func() { _ = connection.Close() }()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()
	var request Request
	var a answer
	if err := json.NewDecoder(bufio.NewReader(connection)).Decode(&request); err != nil {
		a.Error = "unreadable command: " + err.Error()
	} else if text, err := c.Do(ctx, request); err != nil {
		a.Error = err.Error()
	} else {
		a.Text = text
	}
	_ = json.NewEncoder(connection).Encode(a)
}

// commands by name; each says what it did.
var commands = map[string]func(*Cluster, context.Context, Request) (string, error){
	"kill": func(c *Cluster, _ context.Context, r Request) (string, error) {
		return said(c.Kill(r.Nodes...), "%s: power is cut; NotReady in %s, routes held for up to %s",
			list(r.Nodes), c.options.NotReadyAfter, c.options.Timing.Hold)
	},
	"revive": func(c *Cluster, _ context.Context, r Request) (string, error) {
		return said(c.Revive(r.Nodes...), "%s: power is back", list(r.Nodes))
	},
	"cordon": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		return said(c.Cordon(ctx, true, r.Nodes...), "%s: cordoned", list(r.Nodes))
	},
	"uncordon": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		return said(c.Cordon(ctx, false, r.Nodes...), "%s: schedulable again", list(r.Nodes))
	},
	"delete": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		return said(c.Delete(ctx, r.Nodes...), "%s: deleted", list(r.Nodes))
	},
	"add": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		names, err := c.Add(ctx, r.Count)
		return said(err, "%s: registered", list(names))
	},
	"storm": func(c *Cluster, _ context.Context, r Request) (string, error) {
		hit, err := c.Storm(r.Percent, r.Duration)
		return said(err, "%d nodes are NotReady for %s: %s", len(hit), r.Duration, list(hit))
	},
	"stop-api": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		return said(c.StopAPI(ctx, r.Duration), "the API server was away for %s and serves again", r.Duration)
	},
	"calico-version": func(c *Cluster, ctx context.Context, r Request) (string, error) {
		where := list(r.Nodes)
		if len(r.Nodes) == 0 {
			where = "all of Calico"
		}
		return said(c.SetCalicoVersion(ctx, r.Version, r.Nodes...), "%s: now %s", where, r.Version)
	},
	"status": func(c *Cluster, ctx context.Context, _ Request) (string, error) { return c.describe(ctx) },
}

// Do carries out one command and says what was done.
func (c *Cluster) Do(ctx context.Context, r Request) (string, error) {
	command := commands[r.Command]
	if command == nil {
		return "", fmt.Errorf("the lab knows no command %q", r.Command)
	}
	return command(c, ctx, r)
}

func said(err error, format string, args ...any) (string, error) {
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(format, args...), nil
}

// list names at most eight.
func list(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func (c *Cluster) describe(ctx context.Context) (string, error) {
	s, err := c.State(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	mesh := "off"
	if s.MeshOn {
		mesh = "on"
	}
	dead := s.Names(func(n *NodeState) bool { return !n.Powered })
	unready := s.Names(func(n *NodeState) bool { return !n.Ready })
	cordoned := s.Names(func(n *NodeState) bool { return n.Cordoned })
	fmt.Fprintf(&b, "nodes        %d\n", len(s.Nodes))
	fmt.Fprintf(&b, "calico       %s\n", s.versions())
	for _, part := range []struct {
		title string
		names []string
	}{{"no power", dead}, {"NotReady", unready}, {"cordoned", cordoned}, {"reflectors", s.Reflectors()}} {
		if len(part.names) > 0 {
			fmt.Fprintf(&b, "%-12s %d: %s\n", part.title, len(part.names), list(part.names))
		}
	}
	fmt.Fprintf(&b, "mesh         %s\n", mesh)
	fmt.Fprintf(&b, "sessions     %d of %d up\n", s.SessionsUp, s.SessionsConfigured)
	fmt.Fprintf(&b, "routes       %d missing\n", s.MissingPairs)
	fmt.Fprintf(&b, "lost so far  %.1f route-seconds of ordinary nodes, %.1f of nodes that changed their role",
		s.Lost.Ordinary.RouteTime.Seconds(), s.Lost.Changing.RouteTime.Seconds())
	return b.String(), nil
}

// versions tells how many nodes run which calico-node, the most first.
func (s *State) versions() string {
	count := map[string]int{}
	for i := range s.Nodes {
		count[s.Nodes[i].CalicoVersion]++
	}
	names := slices.Sorted(maps.Keys(count))
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s on %d", name, count[name])
	}
	return strings.Join(names, ", ")
}

// Ask gives a command to the lab that runs in a folder.
func Ask(ctx context.Context, dir string, r Request) (string, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", socketPath(dir))
	if err != nil {
		return "", fmt.Errorf("no lab runs in %s (start one with \"tapetum lab up\", or say where it is with --dir): %w", dir, err)
	}
	defer func() { _ = connection.Close() }()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()
	if err := json.NewEncoder(connection).Encode(r); err != nil {
		return "", fmt.Errorf("give the lab a command: %w", err)
	}
	var a answer
	if err := json.NewDecoder(connection).Decode(&a); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("the lab ended before it answered: %w", err)
	}
	if a.Error != "" {
		return "", errors.New(a.Error)
	}
	return a.Text, nil
}
