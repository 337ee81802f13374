package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that systems give to outgoing
// connections (32768 and up on Linux). The port of a stopped API server is then
// still free when it comes back.
const (
	firstPort = 20000
	lastPort  = 32000
)

const loopback = "127.0.0.1"

// freePort returns a port of loopback on which nobody listens now.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // any free port will do
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("no free port between %d and %d on %s: %w", firstPort, lastPort, loopback, last)
}

// onFreePort starts a process on a free port, and on another where somebody was
// faster.
func onFreePort(start func(port int) (*process, error)) (*process, error) {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		p, err := start(port)
		if err == nil || !errors.Is(err, errAddressInUse) || attempt == portAttempts {
			return p, err
		}
	}
}

func localURL(port int) string {
	return "https://" + net.JoinHostPort(loopback, strconv.Itoa(port))
}
