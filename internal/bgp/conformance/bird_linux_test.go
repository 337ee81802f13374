package conformance

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"

	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// birdPath finds the daemon: $BIRD, or what tools/bird has put into the cache.
// Without one the test is skipped, but not in CI.
func birdPath(t *testing.T) string {
	t.Helper()
	path, err := findBird()
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI needs BIRD: %v", err)
	}
	t.Skipf("no BIRD: %v", err)
	return ""
}

var findBird = sync.OnceValues(func() (string, error) {
	path, _, err := birdctl.Find()
	return path, err
})

const port = 17900

// loopbacks hands out /24 networks of loopback addresses that no other process
// running these tests uses: whoever holds the listener on 127.a.255.254 owns
// 127.a.0.0/16.
type loopbacks struct {
	once  sync.Once
	mutex sync.Mutex
	guard net.Listener
	a     byte
	next  byte
	free  []byte
	err   error
}

var networks loopbacks

// take returns the third byte's network, to be given back with giveBack.
func (l *loopbacks) take() (netip.Addr, error) {
	l.once.Do(func() {
		for a := 20; a < 250; a++ {
			l.guard, l.err = net.Listen("tcp4", fmt.Sprintf("127.%d.255.254:%d", a, port))
			if l.err == nil {
				l.a = byte(a)
				return
			}
		}
	})
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case l.err != nil:
		return netip.Addr{}, fmt.Errorf("no free loopback network: %w", l.err)
	case len(l.free) > 0:
		b := l.free[0]
		l.free = l.free[1:]
		return netip.AddrFrom4([4]byte{127, l.a, b, 0}), nil
	case l.next == 255:
		return netip.Addr{}, errors.New("more than 255 clusters at once")
	}
	l.next++
	return netip.AddrFrom4([4]byte{127, l.a, l.next - 1, 0}), nil
}

func (l *loopbacks) giveBack(network netip.Addr) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.free = append(l.free, network.As4()[2])
}
