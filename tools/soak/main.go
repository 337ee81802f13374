// Command soak lets a large cluster live for a simulated month, with an autoscaler of
// nodes and random faults, and fails where an ordinary node lost a route, something
// leaks, or a cluster at rest is written to.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/faults"
)

func main() {
	soak := faults.Soak{Wall: time.Now, Out: os.Stdout}
	flag.DurationVar(&soak.For, "for", 30*time.Minute, "how long to run at most")
	flag.DurationVar(&soak.Until, "until", 30*24*time.Hour, "how much time to simulate at most")
	flag.IntVar(&soak.Nodes, "nodes", 1000, "nodes of the cluster")
	flag.Uint64Var(&soak.Seed, "seed", 1, "seed of everything that is drawn")
	topology := flag.String("topology", string(v1alpha1.TopologyAuto), "topology to ask for")
	flag.Parse()
	soak.Spec.Topology = v1alpha1.Topology(*topology)
	wrong := soak.Run()
	for _, what := range wrong {
		fmt.Fprintln(os.Stderr, "FAILED:", what)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
}
