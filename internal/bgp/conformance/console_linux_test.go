package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// console is a connection to a daemon's control socket.
type console struct {
	node   string
	conn   net.Conn
	reader *bufio.Reader
}

// connect opens one; a daemon takes several.
func (d *daemon) connect() (*console, error) {
	conn, err := net.Dial("unix", d.socket())
	if err != nil {
		return nil, err
	}
	c := &console{node: d.name, conn: conn, reader: bufio.NewReader(conn)}
	if _, err := c.answer(); err != nil { // its greeting
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *console) close() { _ = c.conn.Close() } // nothing is left to be written

// ask sends a command to the control socket and returns the answer's lines.
func (c *console) ask(command string) ([]string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write([]byte(command + "\n")); err != nil {
		return nil, fmt.Errorf("BIRD of %s: %s: %w", c.node, command, err)
	}
	lines, err := c.answer()
	if err != nil {
		return nil, fmt.Errorf("BIRD of %s: %s: %w", c.node, command, err)
	}
	return lines, nil
}

// answer reads up to the line that ends an answer. Lines start with a code and -,
// with a blank where the code is the same as before, and the last with a code and
// a blank. Codes from 8000 on are errors.
func (c *console) answer() ([]string, error) {
	var lines []string
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, " "):
			lines = append(lines, line[1:])
		case len(line) >= 5 && line[4] == '-':
			lines = append(lines, line[5:])
		case line >= "8":
			return nil, errors.New(line)
		default:
			return lines, nil
		}
	}
}

// protocols returns the state of every BGP protocol by name: BIRD's own, which is
// "up" only once routes have been fed.
func (c *console) protocols() (map[string]string, error) {
	lines, err := c.ask("show protocols")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) >= 4 && fields[1] == "BGP" {
			out[fields[0]] = fields[3]
		}
	}
	return out, nil
}

// paths counts the paths to every prefix that were learned by BGP.
func (c *console) paths() (map[netip.Prefix]int, error) {
	lines, err := c.ask("show route where source = RTS_BGP")
	if err != nil {
		return nil, err
	}
	out := map[netip.Prefix]int{}
	var prefix netip.Prefix
	for _, line := range lines {
		if line == "" {
			continue
		}
		// Further paths to a prefix have blanks in its place.
		if line[0] != ' ' {
			text, _, _ := strings.Cut(line, " ")
			if prefix, err = netip.ParsePrefix(text); err != nil {
				return nil, fmt.Errorf("BIRD of %s: route %q: %w", c.node, line, err)
			}
		}
		out[prefix]++
	}
	return out, nil
}
