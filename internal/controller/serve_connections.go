package controller

import (
	"net"
	"sync"
)

// maxConnections are served at once. Each takes some ten kilobytes, also from those
// who only keep it open: without a bound, strangers could take all memory.
const maxConnections = 128

// fewConnections accepts a connection only where there is room, and closes what comes
// beyond that at once: whoever waited would not know why.
type fewConnections struct {
	net.Listener
	taken chan struct{}
}

func slots(most int) chan struct{} { return make(chan struct{}, most) }

// Accept returns the next connection that there is room for.
func (f *fewConnections) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case f.taken <- struct{}{}:
			return &countedConnection{Conn: conn, leave: sync.OnceFunc(func() { <-f.taken })}, nil
		default:
			_ = conn.Close()
		}
	}
}

type countedConnection struct {
	net.Conn
	leave func()
}

// Close makes room for another one, however often it is called.
func (c *countedConnection) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
