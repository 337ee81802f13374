package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// monitor reads what the kernels of all nodes announce of their routes, on one
// thread that nothing else on the machine should delay.
type monitor struct {
	// change is told of every unicast route that BIRD has set or taken away.
	change func(node string, network netip.Prefix, metric uint32, added bool, at time.Time)

	wake [2]int // a pipe that makes the reader look at sockets again
	end  chan struct{}
	done chan struct{}

	mu      sync.Mutex
	sockets map[string]*nl.NetlinkSocket // by node
	err     error
	// RealTime: the reader was granted a real-time priority.
	realTime bool
}

// socketBuffer holds the messages of a whole table being rewritten.
const socketBuffer = 4 << 20

func newMonitor(change func(string, netip.Prefix, uint32, bool, time.Time)) (*monitor, error) {
	m := &monitor{change: change, end: make(chan struct{}), done: make(chan struct{}), sockets: map[string]*nl.NetlinkSocket{}}
	if err := unix.Pipe2(m.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go m.read(ready)
	<-ready
	return m, nil
}

// watch begins to read the messages of a node's kernel. Routes that are there
// already are not told: it must be called before BIRD starts.
func (m *monitor) watch(node string, where *namespace) error {
	var socket *nl.NetlinkSocket
	err := where.do(func() error {
		var err error
		socket, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the routes of %s: %w", node, err)
	}
	if socket.SetReceiveBufferSize(socketBuffer, true) != nil {
		// Only root may have more than the system's limit.
		if err := socket.SetReceiveBufferSize(socketBuffer, false); err != nil {
			socket.Close()
			return fmt.Errorf("read the routes of %s: %w", node, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sockets[node] = socket
	return m.poke()
}

// leave stops reading of a node.
func (m *monitor) leave(node string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if socket := m.sockets[node]; socket != nil {
		delete(m.sockets, node)
		socket.Close()
	}
	return m.poke()
}

func (m *monitor) poke() error {
	if _, err := unix.Write(m.wake[1], []byte{0}); err != nil && !errors.Is(err, unix.EAGAIN) {
		return err
	}
	return nil
}

// close stops reading and returns what went wrong: messages that were lost above
// all, after which nothing that was counted can be trusted.
func (m *monitor) close() error {
	close(m.end)
	err := m.poke()
	<-m.done
	for _, socket := range m.sockets {
		socket.Close()
	}
	return errors.Join(err, m.err, unix.Close(m.wake[0]), unix.Close(m.wake[1]))
}

func (m *monitor) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *monitor) read(ready chan<- struct{}) {
	defer close(m.done)
	runtime.LockOSThread() // the thread ends with its priority
	m.realTime = hasten(0, readerPriority)
	close(ready)
	buffer := make([]byte, 1<<17)
	for {
		select {
		case <-m.end:
			return
		default:
		}
		if err := m.wait(); err != nil {
			m.fail(err)
			return
		}
		m.drain(buffer)
	}
}

// wait until there is something to read.
func (m *monitor) wait() error {
	fds := []unix.PollFd{{Fd: int32(m.wake[0]), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	m.mu.Lock()
	for _, socket := range m.sockets {
		fds = append(fds, unix.PollFd{Fd: int32(socket.GetFd()), Events: unix.POLLIN}) //nolint:gosec // a descriptor
	}
	m.mu.Unlock()
	for {
		_, err := unix.Poll(fds, -1)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for the kernels: %w", err)
		}
	}
	var dust [64]byte
	_, err := unix.Read(m.wake[0], dust[:])
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("wait for the kernels: %w", err)
	}
	return nil
}

// drain reads all there is to read. One message after the other, so that each has
// a time of its own.
func (m *monitor) drain(buffer []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for node, socket := range m.sockets {
		for {
			n, _, err := unix.Recvfrom(socket.GetFd(), buffer, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			at := time.Now()
			if err == nil {
				err = m.messages(node, buffer[:n], at)
			}
			if err != nil {
				m.err = errors.Join(m.err, fmt.Errorf("read the routes of %s: %w", node, err))
				break
			}
		}
	}
}

func (m *monitor) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = errors.Join(m.err, err)
}

func (m *monitor) messages(node string, data []byte, at time.Time) error {
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return err
	}
	for i := range messages {
		kind := messages[i].Header.Type
		if kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
			continue
		}
		network, metric, ok, err := route(messages[i].Data)
		if err != nil {
			return err
		}
		if ok {
			m.change(node, network, metric, kind == unix.RTM_NEWROUTE, at)
		}
	}
	return nil
}

// protocolBird is the kernel's number for routes that BIRD has set.
const protocolBird = 12

// route reads one route; ok is false where it is not of the kind that is counted.
func route(data []byte) (network netip.Prefix, metric uint32, ok bool, err error) {
	if len(data) < unix.SizeofRtMsg {
		return network, 0, false, errors.New("a message about a route that is too short")
	}
	message := nl.DeserializeRtMsg(data)
	if message.Type != unix.RTN_UNICAST || message.Protocol != protocolBird || message.Flags&unix.RTM_F_CLONED != 0 {
		return network, 0, false, nil
	}
	attributes, err := nl.ParseRouteAttr(data[message.Len():])
	if err != nil {
		return network, 0, false, err
	}
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.RTA_DST:
			if addr, is := netip.AddrFromSlice(a.Value); is {
				network = netip.PrefixFrom(addr, int(message.Dst_len))
			}
		case unix.RTA_PRIORITY:
			metric = nl.NativeEndian().Uint32(a.Value)
		}
	}
	return network, metric, network.IsValid(), nil
}
