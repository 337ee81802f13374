package e2e

import (
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// Span is a range of durations from which one is drawn evenly.
type Span struct{ Min, Max time.Duration }

// DefaultLag was measured on Calico's confd.
var DefaultLag = Span{Min: 100 * time.Millisecond, Max: 200 * time.Millisecond}

// Options say what cluster to run.
type Options struct {
	// Nodes in all, of which Blockless own no address block; spread over Zones.
	Nodes, Blockless, Zones int
	// Families of the nodes' addresses and blocks.
	Families []birdconf.Family
	// Group in which Calico's kinds are served.
	Group schema.GroupVersion
	// Birds are the daemons by family.
	Birds map[birdconf.Family]string
	// Seed of what is left to chance: lags, and the order of BGPPeers.
	Seed uint64
	// Lag is from a write to the moment a node acts on it.
	Lag Span
	// NotReadyAfter is how long after a node has fallen silent it becomes NotReady.
	NotReadyAfter time.Duration
	// Controller is the tapetum binary.
	Controller string
	// Dir keeps everything of this cluster.
	Dir string
	// Log receives the output of etcd and kube-apiserver.
	Log io.Writer
}

func (o *Options) check() error {
	switch {
	case len(o.Families) == 0:
		return errors.New("nodes need addresses of at least one family")
	case o.Nodes < 4 || o.Nodes > maxNodes:
		return fmt.Errorf("4 to %d nodes, not %d", maxNodes, o.Nodes)
	case o.Zones < 1 || o.Zones > 26:
		return fmt.Errorf("1 to 26 zones, not %d", o.Zones)
	case o.Blockless < 0 || o.Blockless > o.Nodes-2:
		return fmt.Errorf("%d of %d nodes without an address block leave no pair of nodes that have one", o.Blockless, o.Nodes)
	}
	return nil
}
