package birdctl

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Timeout bounds one question.
const Timeout = 30 * time.Second

// Console is a connection to a BIRD's control socket. BIRD takes several at once.
// One is not safe for use by several goroutines.
type Console struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Dial opens a control socket by its path.
func Dial(socket string) (*Console, error) {
	conn, err := net.DialTimeout("unix", socket, Timeout)
	if err != nil {
		return nil, err
	}
	c := &Console{conn: conn, reader: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, err := answer(c.reader); err != nil { // its greeting
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// Close ends the connection.
func (c *Console) Close() error { return c.conn.Close() }

// Ask sends a command and returns the answer's lines. What BIRD calls an error is
// one. After an error of any kind the Console is of no use any more.
func (c *Console) Ask(command string) ([]string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write([]byte(command + "\n")); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	lines, err := answer(c.reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return lines, nil
}

// Ask asks one question over a connection of its own.
func Ask(socket, command string) ([]string, error) {
	c, err := Dial(socket)
	if err != nil {
		return nil, err
	}
	lines, err := c.Ask(command)
	_ = c.Close() // all has been read
	return lines, err
}

// answer reads up to the line that ends an answer. Lines start with a code and -,
// with a blank where the code is the same as before, and the last with a code and a
// blank. Codes from 8000 on are errors.
func answer(reader *bufio.Reader) ([]string, error) {
	var lines []string
	for {
		line, err := reader.ReadString('\n')
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
