package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// askTimeout bounds one question to a BIRD.
const askTimeout = 10 * time.Second

// ask opens a BIRD's control socket, sends a command and returns the answer's lines.
func ask(socket, command string) ([]string, error) {
	conn, err := net.DialTimeout("unix", socket, askTimeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // all has been read
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	if _, err := answer(reader); err != nil { // its greeting
		return nil, err
	}
	if _, err := conn.Write([]byte(command + "\n")); err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	lines, err := answer(reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return lines, nil
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
