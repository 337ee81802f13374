package conformance

import (
	"fmt"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/lab/birdconf"
)

// Calico's timers are 2 s, 5 s and 5 to 30 s, and graceful restart takes up to
// 120 s; nothing that is compared depends on how long they are. The two sides of a
// session wait for different times, or they would dial at once and, as in Calico,
// now and then take many tries to agree on one connection.
const (
	delayLow, delayHigh = 1, 3
	shortRestart        = 1
)

// render writes the BIRD configuration of a node, as far as BGP goes: no kernel
// table is touched, and the node's blocks are static routes.
func render(in bgp.Input, n *inventory.Node, protocols []birdconf.Protocol, logFile string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	as := n.ASNumber
	if as == 0 {
		as = calico.GlobalAS(in.Configurations)
	}
	line("log %q all;", logFile)
	line("listen bgp address %s port %d;", n.IPv4, real(calico.ListenPort(in.Configurations, n.Name)))
	line("router id %s;", n.IPv4)
	line("protocol device { scan time 60; }")
	line("protocol static {")
	for _, block := range in.Blocks[n.Name] {
		line("  route %s blackhole;", block)
	}
	line("}")
	line("function calico_export_to_bgp_peers(bool internal_peer) { if (net ~ 10.0.0.0/8) then accept; }")
	line("template bgp bgp_template {")
	line("  debug { states };")
	line("  local as %d;", as)
	line("  gateway recursive;")
	line("  add paths on;")
	line("  graceful restart;")
	line("  graceful restart time %d;", shortRestart)
	line("  connect retry time 1;")
	line("  error wait time 1,2;")
	line("}")
	b.WriteString(birdconf.FilterFunctions(in.Filters, birdconf.IPv4))
	for i := range protocols {
		renderProtocol(&b, line, in, n, &protocols[i])
	}
	return b.String()
}

func renderProtocol(b *strings.Builder, line func(string, ...any), in bgp.Input, n *inventory.Node, p *birdconf.Protocol) {
	line("protocol bgp %s from bgp_template {", p.Name)
	line("  neighbor %s port %d as %d;", p.IP, real(p.Port), p.AS)
	if p.Source {
		line("  source address %s;", n.IPv4)
	}
	line("  ttl security off;")
	line("  multihop;")
	delay := delayLow
	if p.IP.Less(n.IPv4) {
		delay = delayHigh
	}
	line("  connect delay time %d;", delay)
	if p.Passive {
		line("  passive on;")
	}
	if p.Restart != nil {
		line("  graceful restart time %d;", shortened(p.Restart.Duration))
	}
	if p.Password != "" {
		line("  password %q;", p.Password)
	}
	line("  import filter {")
	b.WriteString(birdconf.FilterCalls(in.Filters, birdconf.IPv4, p.Filters, birdconf.Import))
	line("    if (defined(bgp_local_pref)&&(bgp_local_pref > 2147482623)) then preference = 200;")
	line("    accept;")
	line("  };")
	line("  export filter {")
	line("    if (defined(source) && source = RTS_BGP && defined(bgp_local_pref)) then {")
	line("      krt_metric = 2147483647 - bgp_local_pref;")
	line("    } else {")
	line("      if (!defined(krt_metric)) then { krt_metric = 1024; }")
	line("      bgp_local_pref = 2147483647 - krt_metric;")
	line("    }")
	b.WriteString(birdconf.FilterCalls(in.Filters, birdconf.IPv4, p.Filters, birdconf.Export))
	line("    calico_export_to_bgp_peers(true);")
	line("    reject;")
	line("  };")
	if p.ClusterID != "" {
		line("  rr client;")
		line("  rr cluster id %s;", p.ClusterID)
	}
	line("}")
}

// real is the port that stands for a configured one: nobody but root may listen
// on BGP's own.
func real(configured uint16) uint16 {
	if configured == 0 || configured == calico.DefaultPort {
		return port
	}
	return configured
}

// shortened keeps apart times that differ, but makes them seconds near 1.
func shortened(d time.Duration) int { return shortRestart + 1 + int(d.Seconds())%3 }
