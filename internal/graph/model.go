package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/inventory"
)

// Graph is a topology in few blocks.
type Graph struct {
	// Title says in one line what it is.
	Title string
	Zones []Zone
	// Links are sorted; From and To are the IDs of blocks.
	Links []Link
	// Notes are further lines for a person.
	Notes []string
}

// Zone is a zone, or several of the same shape.
type Zone struct {
	// Name to show; "" is the zone of nodes without the label.
	Name  string
	Nodes int
	// Reflectors come before clients.
	Blocks []Block
}

// Kind of a block.
type Kind int

// Kinds of blocks.
const (
	// Reflectors have a cluster ID.
	Reflectors Kind = iota
	// Clients have sessions with reflectors.
	Clients
	// Meshed nodes have sessions of Calico's node-to-node mesh only.
	Meshed
	// Lonely nodes have no session at all.
	Lonely
)

// Block is some nodes of one zone that have the same role.
type Block struct {
	ID    string
	Kind  Kind
	Names []string
	// ClusterID of reflectors.
	ClusterID string
	// Sessions of each node; where they differ, of the one that has the most.
	Sessions int
}

// Link is all sessions between two blocks, or within one.
type Link struct {
	From, To string
	Sessions int
	// Peers: between reflectors.
	Peers bool
}

// maxZones is how many zones are drawn one by one.
const maxZones = 12

// New aggregates a network. zoneLabel is the node label that names zones.
func New(in bgp.Input, network *bgp.Network, zoneLabel string) *Graph {
	b := newBuilder(in, network, zoneLabel)
	g := &Graph{Zones: b.zones()}
	b.link(g)
	b.describe(g)
	return g
}

// builder gathers, for every node, which reflectors it has sessions with.
type builder struct {
	in         bgp.Input
	reflectors []string
	clusterID  map[string]string
	zoneOf     map[string]string
	// homes are the reflectors of each node; more than one session between two
	// nodes (of two families) counts as often.
	homes map[string]map[string]int
	// counts are the sessions of reflectors.
	counts map[string]int
	merged map[string]string
	blocks map[string]string
	meshed bool
}

func newBuilder(in bgp.Input, network *bgp.Network, zoneLabel string) *builder {
	b := &builder{
		in: in, reflectors: network.Reflectors(), clusterID: map[string]string{}, zoneOf: map[string]string{},
		homes: map[string]map[string]int{}, counts: map[string]int{}, blocks: map[string]string{},
		meshed: calico.MeshEnabled(in.Configurations),
	}
	for i := range in.Nodes {
		node := &in.Nodes[i]
		b.zoneOf[node.Name] = node.Labels[zoneLabel]
		if slices.Contains(b.reflectors, node.Name) {
			b.clusterID[node.Name] = node.ClusterID
		}
	}
	for _, reflector := range b.reflectors {
		all := network.SessionsOf(reflector)
		b.counts[reflector] = len(all)
		for _, session := range all {
			if b.homes[session.Remote] == nil {
				b.homes[session.Remote] = map[string]int{}
			}
			b.homes[session.Remote][reflector]++
		}
	}
	b.mergeZones()
	return b
}

// shape of a node: what must be equal for two nodes to be in one block.
func (b *builder) shape(node *inventory.Node) string {
	if id, reflector := b.clusterID[node.Name]; reflector {
		return "0 " + id
	}
	homes := b.homes[node.Name]
	switch {
	case len(homes) > 0:
		return "1 " + strings.Join(slices.Sorted(maps.Keys(homes)), " ")
	case b.meshed && node.HasBGP():
		return "2"
	}
	return "3"
}

// mergeZones lets zones without reflectors and of equal shape share one box where
// there are too many zones to draw each.
func (b *builder) mergeZones() {
	b.merged = map[string]string{}
	shapes := map[string]map[string]bool{}
	for i := range b.in.Nodes {
		node := &b.in.Nodes[i]
		zone := b.zoneOf[node.Name]
		if shapes[zone] == nil {
			shapes[zone] = map[string]bool{}
		}
		shapes[zone][b.shape(node)] = true
	}
	same := map[string][]string{}
	for _, zone := range slices.Sorted(maps.Keys(shapes)) {
		all := slices.Sorted(maps.Keys(shapes[zone]))
		key := strings.Join(all, "\n")
		if len(shapes) <= maxZones || strings.HasPrefix(key, "0") {
			key = "alone " + zone
		}
		same[key] = append(same[key], zone)
	}
	for _, zones := range same {
		for _, zone := range zones {
			b.merged[zone] = zonesName(zones)
		}
	}
}

func zonesName(zones []string) string {
	names := slices.Clone(zones)
	for i, name := range names {
		if name == "" {
			names[i] = "(no zone)"
		}
	}
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, %s … %s (%d zones)", names[0], names[1], names[len(names)-1], len(names))
}

func (b *builder) zones() []Zone {
	type place struct{ zone, shape string }
	members := map[place][]string{}
	shapes := map[string]map[string]bool{}
	for i := range b.in.Nodes {
		node := &b.in.Nodes[i]
		at := place{b.merged[b.zoneOf[node.Name]], b.shape(node)}
		members[at] = append(members[at], node.Name)
		if shapes[at.zone] == nil {
			shapes[at.zone] = map[string]bool{}
		}
		shapes[at.zone][at.shape] = true
	}
	var out []Zone
	next := map[Kind]int{}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		zone := Zone{Name: name}
		for _, shape := range slices.Sorted(maps.Keys(shapes[name])) {
			names := members[place{name, shape}]
			slices.Sort(names)
			kind := Kind(shape[0] - '0')
			next[kind]++
			block := Block{ID: fmt.Sprintf("%c%d", "rcml"[kind], next[kind]), Kind: kind, Names: names, Sessions: b.most(kind, names)}
			if kind == Reflectors {
				block.ClusterID = b.clusterID[names[0]]
			}
			for _, member := range names {
				b.blocks[member] = block.ID
			}
			zone.Blocks = append(zone.Blocks, block)
			zone.Nodes += len(names)
		}
		out = append(out, zone)
	}
	return out
}

// most is the number of sessions of the node that has the most.
func (b *builder) most(kind Kind, names []string) int {
	most := 0
	for _, name := range names {
		sessions := b.counts[name]
		if kind != Reflectors {
			sessions = 0
			for _, n := range b.homes[name] {
				sessions += n
			}
		}
		most = max(most, sessions)
	}
	return most
}

// link counts the sessions between blocks.
func (b *builder) link(g *Graph) {
	count := map[Link]int{}
	for node, homes := range b.homes {
		for reflector, n := range homes {
			link := Link{From: b.blocks[reflector], To: b.blocks[node]}
			if _, link.Peers = b.clusterID[node]; link.Peers {
				if node < reflector {
					continue // counted from the other side
				}
				if link.From > link.To {
					link.From, link.To = link.To, link.From
				}
			}
			count[link] += n
		}
	}
	for link, n := range count {
		link.Sessions = n
		g.Links = append(g.Links, link)
	}
	slices.SortFunc(g.Links, func(a, b Link) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
}

func (b *builder) describe(g *Graph) {
	ids := map[string]bool{}
	for _, id := range b.clusterID {
		ids[id] = true
	}
	g.Title = count(len(b.in.Nodes), "node")
	if len(b.reflectors) > 0 {
		g.Title += fmt.Sprintf(", %s, %s", count(len(b.reflectors), "route reflector"), count(len(ids), "cluster ID"))
	}
	members := g.members()
	switch {
	case !b.meshed && len(b.reflectors) == 0:
		g.Title += ", node-to-node mesh off"
	case b.meshed && len(b.reflectors) > 0:
		g.Notes = append(g.Notes, "Calico's node-to-node mesh is on: all nodes but the route reflectors also peer with each other.")
	case b.meshed:
		g.Title += ", node-to-node mesh"
		g.Notes = append(g.Notes, fmt.Sprintf("Each node peers with each other: %s a node and address family.", count(max(members[Meshed]-1, 0), "session")))
	}
	if lonely := members[Lonely]; lonely > 0 {
		g.Notes = append(g.Notes, count(lonely, "node")+" without any session that is drawn.")
	}
}

// members counts the nodes in blocks of each kind.
func (g *Graph) members() map[Kind]int {
	out := map[Kind]int{}
	for _, zone := range g.Zones {
		for _, block := range zone.Blocks {
			out[block.Kind] += len(block.Names)
		}
	}
	return out
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands sets commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// lines are what is written on a block.
func (b *Block) lines() []string {
	switch b.Kind {
	case Reflectors:
		out := []string{count(len(b.Names), "route reflector")}
		out = append(out, few(b.Names)...)
		return append(out, "cluster ID "+b.ClusterID, count(b.Sessions, "session")+b.each())
	case Clients:
		return []string{count(len(b.Names), "client"), count(b.Sessions, "session") + b.each()}
	case Meshed:
		return []string{count(len(b.Names), "node"), "in the mesh"}
	default:
		return append([]string{count(len(b.Names), "node"), "without sessions"}, few(b.Names)...)
	}
}

func (b *Block) each() string {
	if len(b.Names) == 1 {
		return ""
	}
	return " each"
}

// maxNames is how many names stand on a block.
const maxNames = 3

func few(names []string) []string {
	if len(names) <= maxNames {
		return names
	}
	return append(slices.Clone(names[:maxNames-1]), fmt.Sprintf("and %d more", len(names)-maxNames+1))
}
