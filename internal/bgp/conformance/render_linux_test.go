package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
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
func render(in bgp.Input, n *inventory.Node, protocols []protocol, logFile string) string {
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
	filters := slices.Clone(in.Filters)
	slices.SortFunc(filters, func(a, b calico.BGPFilter) int { return cmp.Compare(a.Name, b.Name) })
	for i := range filters {
		renderFilter(line, &filters[i])
	}
	for i := range protocols {
		renderProtocol(line, in, n, &protocols[i])
	}
	return b.String()
}

func renderProtocol(line func(string, ...any), in bgp.Input, n *inventory.Node, p *protocol) {
	line("protocol bgp %s from bgp_template {", p.name)
	line("  neighbor %s port %d as %d;", p.ip, real(p.port), p.as)
	if p.source {
		line("  source address %s;", n.IPv4)
	}
	line("  ttl security off;")
	line("  multihop;")
	delay := delayLow
	if p.ip.Less(n.IPv4) {
		delay = delayHigh
	}
	line("  connect delay time %d;", delay)
	if p.passive {
		line("  passive on;")
	}
	if p.restart != "" {
		line("  graceful restart time %s;", p.restart)
	}
	if p.password != "" {
		line("  password %q;", p.password)
	}
	line("  import filter {")
	callFilters(line, in, p.filters, "import")
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
	callFilters(line, in, p.filters, "export")
	line("    calico_export_to_bgp_peers(true);")
	line("    reject;")
	line("  };")
	if p.clusterID != "" {
		line("  rr client;")
		line("  rr cluster id %s;", p.clusterID)
	}
	line("}")
}

// callFilters leaves out filters that do not exist and those without rules for
// the direction, as confd does.
func callFilters(line func(string, ...any), in bgp.Input, names, direction string) {
	for name := range strings.SplitSeq(names, ",") {
		for i := range in.Filters {
			if f := &in.Filters[i]; f.Name == name && len(rulesOf(f, direction)) > 0 {
				line("    'bgp_%s_%sFilterV4'();", name, direction)
			}
		}
	}
}

func rulesOf(f *calico.BGPFilter, direction string) []calico.BGPFilterRule {
	if direction == "import" {
		return f.Spec.ImportV4
	}
	return f.Spec.ExportV4
}

func renderFilter(line func(string, ...any), f *calico.BGPFilter) {
	for _, direction := range []string{"import", "export"} {
		rules := rulesOf(f, direction)
		if len(rules) == 0 {
			continue
		}
		line("function 'bgp_%s_%sFilterV4'() {", f.Name, direction)
		for i := range rules {
			line("  %s", renderRule(&rules[i]))
		}
		line("}")
	}
}

func renderRule(r *calico.BGPFilterRule) string {
	var conditions []string
	if r.CIDR != "" {
		conditions = append(conditions, fmt.Sprintf("(net %s %s)", matchOperators[r.MatchOperator], r.CIDR))
	}
	if r.Communities != nil {
		for _, value := range r.Communities.Values {
			conditions = append(conditions, fmt.Sprintf("(%s ~ bgp_community)", community(value)))
		}
	}
	statements := ""
	for _, op := range r.Operations {
		if op.AddCommunity != nil {
			statements += fmt.Sprintf("bgp_community.add(%s); ", community(op.AddCommunity.Value))
		}
	}
	statements += strings.ToLower(r.Action) + ";"
	if len(conditions) == 0 {
		return statements
	}
	return fmt.Sprintf("if (%s) then { %s }", strings.Join(conditions, " && "), statements)
}

var matchOperators = map[string]string{"Equal": "=", "NotEqual": "!=", "In": "~", "NotIn": "!~"}

func community(value string) string {
	a, b, _ := strings.Cut(value, ":")
	return fmt.Sprintf("(%s, %s)", a, b)
}

// real is the port that stands for a configured one: nobody but root may listen
// on BGP's own.
func real(configured uint16) uint16 {
	if configured == 0 || configured == calico.DefaultPort {
		return port
	}
	return configured
}

func sourceOf(s *calico.BGPPeerSpec) string {
	if s.SourceAddress == "" {
		return "UseNodeIP"
	}
	return s.SourceAddress
}

// restartOf keeps apart times that differ, but shortens them to seconds near 1.
func restartOf(d *metav1.Duration) string {
	if d == nil {
		return ""
	}
	return fmt.Sprint(shortRestart + 1 + int(d.Seconds())%3)
}

func passwordOf(p *calico.BGPPassword) string {
	if p == nil || p.SecretKeyRef == nil {
		return ""
	}
	return p.SecretKeyRef.Name + "/" + p.SecretKeyRef.Key
}

func rulesText(f *calico.BGPFilter, direction string) string {
	var out []string
	for _, r := range rulesOf(f, direction) {
		out = append(out, renderRule(&r))
	}
	return strings.Join(out, " ")
}
