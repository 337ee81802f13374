package bgp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity of a finding.
type Severity string

// Errors are broken now: a pair of nodes without a route, or a configuration that
// BIRD refuses. All else is a warning.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is something that somebody should know or change.
type Finding struct {
	Severity Severity `json:"severity"`
	// Code is stable; scripts may depend on it.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Action says what to do.
	Action string `json:"action"`
	// Objects are "Kind/name", sorted, at most 20 of them.
	Objects []string `json:"objects"`
}

// inspection is what findings are made of.
type inspection struct {
	net          *Network
	opts         ReportOptions
	counts       sessionCounts
	paths        Paths
	visibility   Visibility
	singlePoints []string
	fatalZones   []string
	found        []Finding
}

func (in *inspection) findings() []Finding {
	in.found = []Finding{}
	in.problems()
	in.unreachable()
	in.reflectors()
	in.failures()
	in.explosion()
	in.sessions()
	in.selectors()
	in.pools()
	slices.SortFunc(in.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), strings.Compare(a.Code, b.Code),
			slices.Compare(a.Objects, b.Objects), strings.Compare(a.Message, b.Message))
	})
	return in.found
}

// add notes a finding. More objects than fit are left out.
func (in *inspection) add(code, message string, objects ...string) {
	k := catalog[code]
	slices.Sort(objects)
	objects = slices.Compact(objects)
	if objects == nil {
		objects = []string{}
	}
	in.found = append(in.found, Finding{k.severity, code, message, k.action, objects[:min(len(objects), sampleSize)]})
}

func nodeObjects(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = "Node/" + name
	}
	return out
}

// problems are what was noted while reading the resources.
func (in *inspection) problems() {
	seen := map[problem]bool{}
	for _, p := range in.net.view.problems {
		if p.code == codePeerWithoutAS && in.appliesNowhere(p.object) || seen[p] {
			continue
		}
		seen[p] = true
		in.add(p.code, p.object+" "+p.message, p.object)
	}
}

// appliesNowhere: BIRD cannot refuse what no node has.
func (in *inspection) appliesNowhere(object string) bool {
	d := in.net.d
	for i := range d.view.peers {
		if "BGPPeer/"+d.view.peers[i].name == object {
			return d.counts(&d.view.peers[i]) && len(d.locals[i]) == 0
		}
	}
	return true
}

func (in *inspection) unreachable() {
	v := in.visibility
	if v.Complete {
		return
	}
	var objects []string
	for _, p := range v.Sample {
		objects = append(objects, "Node/"+p.From, "Node/"+p.To)
	}
	in.add(CodeUnreachable, fmt.Sprintf("%d ordered pairs of nodes have no route, the first of them %s to %s",
		v.MissingPairs, v.Sample[0].From, v.Sample[0].To), objects...)
	in.disjoint()
}

// disjoint looks for the most common reason: clients of different reflectors with
// the same cluster ID.
func (in *inspection) disjoint() {
	n := in.net
	nodes := map[int32]set{} // classes concerned, by cluster ID
	homes := make([]set, n.roles.count())
	for c := range homes {
		homes[c], _ = n.homesOf(int32(c))
	}
	n.eachMissing(n.living(nil), nil, func(source int32, missing set) bool {
		missing.each(func(c int32) {
			id := in.sharedID(source, c, homes)
			if id == nowhere {
				return
			}
			if nodes[id] == nil {
				nodes[id] = newSet(n.roles.count())
			}
			nodes[id].add(source)
			nodes[id].add(c)
		})
		return true
	})
	for id, classes := range nodes {
		var names []string
		classes.each(func(c int32) { names = append(names, n.name(c)) })
		in.add(CodeDisjoint, "clients of different reflectors with the cluster ID "+n.view.tables.clusters[id]+
			" do not see each other: a route never passes two reflectors of one ID to a client", nodeObjects(names)...)
	}
}

// sharedID is a cluster ID of which two classes have different reflectors, or
// nowhere.
func (in *inspection) sharedID(a, b int32, homes []set) int32 {
	n := in.net
	id := int32(nowhere)
	if a == b || n.d.node(a).cluster != nowhere || n.d.node(b).cluster != nowhere || homes[a].meets(homes[b]) {
		return id
	}
	homes[a].each(func(x int32) {
		homes[b].each(func(y int32) {
			if n.d.node(x).cluster == n.d.node(y).cluster {
				id = n.d.node(x).cluster
			}
		})
	})
	return id
}

func (in *inspection) failures() {
	for _, name := range in.singlePoints {
		in.add(CodeSinglePoint, "without reflector "+name+" other nodes lose their routes to each other", "Node/"+name)
	}
	if in.visibility.Complete && len(in.fatalZones) > 0 {
		for _, zone := range in.fatalZones {
			in.add(CodeZoneFatal, "without zone "+quote(zone)+" nodes of other zones lose their routes to each other", "Zone/"+zone)
		}
	}
}

func (in *inspection) explosion() {
	p := in.paths
	if !p.beyond(in.opts.PathsPerRoute) {
		return
	}
	objects := []string{"Node/" + p.Origin}
	if p.Holder != "" {
		objects = append(objects, "Node/"+p.Holder)
	}
	in.add(CodePathExplosion, fmt.Sprintf("a node holds %s paths for one route (of node %s), more than %d",
		p.String(), p.Origin, in.opts.PathsPerRoute), objects...)
}
