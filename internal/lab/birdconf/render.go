package birdconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// text is a configuration being written.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// Render writes the configuration of a node's BIRD of one family, with Calico's
// template options, filters and timers. It differs from Calico's own in what is
// logged (to standard error, the routes that go to the kernel included), and in
// having one file instead of three.
func Render(in *Input, family Family, n *inventory.Node, protocols []Protocol) string {
	t := &text{}
	t.line("log stderr all;")
	t.line("router id %s;", routerID(n))
	if port := calico.ListenPort(in.Configurations, n.Name); port != 0 {
		t.line("listen bgp port %d;", port)
	}
	renderBlocks(t, in, family, n)
	renderTables(t)
	renderTemplate(t, in.asNumber(n))
	t.WriteString(FilterFunctions(in.Filters, family))
	for i := range protocols {
		renderProtocol(t, in, family, n, &protocols[i])
	}
	return t.String()
}

// routerID: without an IPv4 address, Calico hashes the node's name; any number
// that no other node has will do.
func routerID(n *inventory.Node) string {
	if n.IPv4.IsValid() {
		return n.IPv4.String()
	}
	b := n.IPv6.As16()
	return netip.AddrFrom4([4]byte{240, b[13], b[14], b[15]}).String()
}

// renderBlocks: a node announces its blocks as blackholes, and nothing beneath
// them; beyond them it passes on what is in a pool.
func renderBlocks(t *text, in *Input, family Family, n *inventory.Node) {
	var blocks []netip.Prefix
	for _, b := range in.Blocks[n.Name] {
		if family.Has(b.Addr()) {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	t.line("protocol static {")
	for _, b := range blocks {
		t.line("  route %s blackhole;", b)
	}
	t.line("}")
	t.line("function calico_aggr() {")
	for _, b := range blocks {
		t.line("  if (net = %s) then { accept; }", b)
		t.line("  if (net ~ %s) then { reject; }", b)
	}
	t.line("}")
	t.line("function calico_export_to_bgp_peers(bool internal_peer) {")
	t.line("  calico_aggr();")
	for _, pool := range in.Pools {
		if family.Has(pool.Addr()) {
			t.line("  if (net ~ %s) then { accept; }", pool)
		}
	}
	t.line("}")
}

// renderTables: how routes get into the kernel, and which of its interfaces count.
func renderTables(t *text) {
	t.line("filter calico_kernel_programming { accept; }")
	t.line("protocol kernel {")
	t.line("  debug { routes };") // what it adds, replaces and removes is read from the log
	t.line("  learn;")
	t.line("  persist;")
	t.line("  scan time 2;")
	t.line("  import all;")
	t.line("  export filter calico_kernel_programming;")
	t.line("  graceful restart;")
	t.line("  merge paths on;")
	t.line("}")
	t.line("protocol device {")
	t.line("  debug { states };")
	t.line("  scan time 2;")
	t.line("}")
	t.line("protocol direct {")
	t.line("  debug { states };")
	t.line("  interface -\"cali*\", -\"kube-ipvs*\", \"*\";")
	t.line("}")
}

func renderTemplate(t *text, as uint32) {
	t.line("template bgp bgp_template {")
	t.line("  debug { states };")
	t.line("  description \"Connection to BGP peer\";")
	t.line("  local as %d;", as)
	t.line("  gateway recursive;")
	t.line("  add paths on;")
	t.line("  graceful restart;")
	t.line("  connect delay time 2;")
	t.line("  connect retry time 5;")
	t.line("  error wait time 5,30;")
	t.line("}")
}

func renderProtocol(t *text, in *Input, family Family, n *inventory.Node, p *Protocol) {
	t.line("protocol bgp %s from bgp_template {", p.Name)
	t.line("  ttl security off;")
	t.line("  multihop;")
	if p.Port == 0 {
		t.line("  neighbor %s as %d;", p.IP, p.AS)
	} else {
		t.line("  neighbor %s port %d as %d;", p.IP, p.Port, p.AS)
	}
	if p.Source {
		t.line("  source address %s;", family.Of(n))
	}
	if p.Passive {
		t.line("  passive on;")
	}
	if p.Restart != nil {
		t.line("  graceful restart time %d;", seconds(p.Restart.Duration))
	}
	if p.Keepalive != nil {
		t.line("  keepalive time %d;", seconds(p.Keepalive.Duration))
	}
	if p.Password != "" {
		t.line("  password %q;", p.Password)
	}
	t.line("  import filter {")
	t.WriteString(FilterCalls(in.Filters, family, p.Filters, Import))
	t.line("    accept;")
	t.line("  };")
	t.line("  export filter {")
	t.WriteString(FilterCalls(in.Filters, family, p.Filters, Export))
	t.line("    calico_export_to_bgp_peers(true);")
	t.line("    reject;")
	t.line("  };")
	if p.ClusterID != "" {
		t.line("  rr client;")
		t.line("  rr cluster id %s;", p.ClusterID)
	}
	t.line("}")
}

func seconds(d time.Duration) int { return int(d.Seconds()) }
