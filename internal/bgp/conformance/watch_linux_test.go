package conformance

import (
	"sync"
	"time"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// watch notes which routes the daemons lose for a moment.
type watch struct {
	stop chan struct{}
	wait sync.WaitGroup

	mutex sync.Mutex
	lost  map[bgp.Pair]bool
	err   error
}

// watchEvery is how often all tables are read: a session that restarts is away for
// a second at least.
const watchEvery = 25 * time.Millisecond

// watchRoutes looks for pairs of nodes that have a route and lose it.
func (c *cluster) watchRoutes(have map[bgp.Pair]int) (*watch, error) {
	w := &watch{stop: make(chan struct{}), lost: map[bgp.Pair]bool{}}
	for name, d := range c.daemons {
		console, err := birdctl.Dial(d.socket())
		if err != nil {
			close(w.stop)
			return nil, err
		}
		w.wait.Go(func() {
			defer console.Close() //nolint:errcheck // nothing is left to be written
			w.follow(c, name, console, have)
		})
	}
	return w, nil
}

func (w *watch) follow(c *cluster, holder string, console *birdctl.Console, have map[bgp.Pair]int) {
	for {
		select {
		case <-w.stop:
			return
		case <-time.After(watchEvery):
		}
		paths, err := console.Paths()
		w.mutex.Lock()
		if err != nil {
			w.err = err
			w.mutex.Unlock()
			return
		}
		for prefix, origin := range c.owners {
			if pair := (bgp.Pair{From: holder, To: origin}); have[pair] > 0 && paths[prefix] == 0 {
				w.lost[pair] = true
			}
		}
		w.mutex.Unlock()
	}
}

// end stops watching and returns the pairs that were without a route at least once.
func (w *watch) end() (map[bgp.Pair]bool, error) {
	close(w.stop)
	w.wait.Wait()
	return w.lost, w.err
}
