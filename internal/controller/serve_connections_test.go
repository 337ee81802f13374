package controller

import (
	"errors"
	"io"
	"net"
	"testing"
)

// TestFewConnections: who comes when there is no room is sent away at once, and there
// is room again when somebody has gone.
func TestFewConnections(t *testing.T) {
	const most = 2
	inner, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's
	if err != nil {
		t.Fatal(err)
	}
	listener := &fewConnections{Listener: inner, taken: slots(most)}
	defer func() { _ = listener.Close() }()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String()) //nolint:noctx // a test's
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	var served []net.Conn
	for range most {
		dial()
		served = append(served, <-accepted)
	}
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Error("one more is served")
	} else if !errors.Is(err, io.EOF) {
		t.Logf("sent away by: %v", err) // a reset is as good as an end
	}
	for range 2 { // closing twice makes room for one
		_ = served[0].Close()
	}
	dial()
	served[0] = <-accepted
	if len(listener.taken) != most {
		t.Errorf("%d are counted, want %d", len(listener.taken), most)
	}
	for _, conn := range served {
		_ = conn.Close()
	}
	if len(listener.taken) != 0 {
		t.Errorf("%d are counted when all have gone", len(listener.taken))
	}
}
