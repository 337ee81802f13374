package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func tables(results []result) string {
	var out strings.Builder
	out.WriteString(beside(results))
	out.WriteString("\n### Planning\n\n" +
		"| nodes | event | time | memory | allocations | reflectors | BGPPeers | writes: reflectors' nodes, clients, BGPPeers |\n" +
		"|---:|---|---:|---:|---:|---:|---:|---|\n")
	for _, r := range results {
		if rest, ok := strings.CutPrefix(r.name, "Event/"); ok {
			size, event, _ := strings.Cut(rest, "/")
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | %s | %s, %s, %s |\n",
				grouped(size), strings.ReplaceAll(event, "-", " "), duration(r), memory(r), number(r, "allocs/op"),
				number(r, "reflectors"), number(r, "bgppeers"),
				number(r, "role-writes"), number(r, "client-writes"), number(r, "peer-writes"))
		}
	}
	out.WriteString("\n### Proving\n\n| nodes | what | time | memory | allocations |\n|---:|---|---:|---:|---:|\n")
	for _, r := range results {
		if rest, ok := strings.CutPrefix(r.name, "Proof/"); ok {
			size, what, _ := strings.Cut(rest, "/")
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", grouped(size), what, duration(r), memory(r), number(r, "allocs/op"))
		}
	}
	out.WriteString("\n### One pass of the controller, with the real API server\n\n| case | time | memory | allocations | live heap | resident | most resident |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range results {
		rest, pass := strings.CutPrefix(r.name, "Pass/")
		if pass {
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | | |\n", rest, duration(r), memory(r), number(r, "allocs/op"), megabytes(r, "heap-MB"))
		}
		if r.name == "ControllerMemory" {
			fmt.Fprintf(&out, "| the process, nodes=5000, 25 reports of 5000 sessions | | | | | %s | %s |\n", megabytes(r, "steady-MB"), megabytes(r, "peak-MB"))
		}
	}
	return out.String()
}

func duration(r result) string {
	d := time.Duration(r.figures["ns/op"])
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f µs", float64(d)/1e3)
}

func memory(r result) string {
	return fmt.Sprintf("%.1f MB", r.figures["B/op"]/1e6)
}

func megabytes(r result, unit string) string {
	if text := number(r, unit); text != "" {
		return text + " MB"
	}
	return ""
}

// number gives a figure, "" where the benchmark has not reported it.
func number(r result, unit string) string {
	value, ok := r.figures[unit]
	if !ok {
		return ""
	}
	return grouped(strconv.FormatFloat(value, 'f', 0, 64))
}

// grouped puts commas between thousands.
func grouped(digits string) string {
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
