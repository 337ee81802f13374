package main

import (
	"fmt"
	"strings"
	"time"
)

// seedPass is what the first implementation of the idea (the controller of 2020 in Calico's
// kube-controllers) took for a pass with no change at 5,000 nodes: its own code in memory,
// against a stub of the client library.
const seedPass = 890 * time.Millisecond

// beside sets what was measured of the seed, and what was aimed at, beside the results.
func beside(results []result) string {
	by := map[string]result{}
	var slowest result
	for _, r := range results {
		by[r.name] = r
		if strings.HasPrefix(r.name, "Event/100000/") && r.figures["ns/op"] > slowest.figures["ns/op"] {
			slowest = r
		}
	}
	plain := func(name string) string { return took(by[name], 0) }
	times := func(name string) string { return took(by[name], seedPass) }
	lost, removed := by["Event/5000/reflector-lost"], by["Event/5000/client-removed"]
	rows := [][4]string{
		{"5,000 nodes, no change: planning, in memory", "890 ms", times("Event/5000/no-change"), "100 times faster"},
		{"the same: all that a pass decides, in memory", "", times("Pass/decide/nodes=5000"), ""},
		{"the same: the whole pass, caches and API server included", "not measured", times("Pass/no-change/nodes=5000"), ""},
		{"20,000 nodes, no change: planning, in memory", "37 to 74 s", plain("Event/20000/no-change"), ""},
		{"100,000 nodes, the slowest event: planning, in memory", "not measured", took(slowest, 0), "less than 1 s"},
		{"BGPPeers at 5,000 nodes", "14,920", number(by["Event/5000/no-change"], "bgppeers"), "at most 40"},
		{"writes for one reflector lost, of 5,000 nodes", "16,205", writes(lost), "at most 5, none to clients"},
		{"writes for one client removed, of 5,000 nodes", "22,831", writes(removed), ""},
	}
	var out strings.Builder
	out.WriteString("### Beside the seed\n\n| | the seed | here | aim |\n|---|---:|---:|---|\n")
	for _, row := range rows {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", row[0], row[1], row[2], row[3])
	}
	return out.String()
}

// took is the time of a result and how many times less than another it is (0: no other).
func took(r result, other time.Duration) string {
	nanoseconds := r.figures["ns/op"]
	switch {
	case nanoseconds == 0:
		return ""
	case other == 0:
		return duration(r)
	}
	return fmt.Sprintf("%s, %.0f times faster", duration(r), float64(other.Nanoseconds())/nanoseconds)
}

// writes are those that a plan costs.
func writes(r result) string {
	if r.figures == nil {
		return ""
	}
	return fmt.Sprintf("%s to nodes of reflectors, %s to clients, %s of BGPPeers",
		number(r, "role-writes"), number(r, "client-writes"), number(r, "peer-writes"))
}
