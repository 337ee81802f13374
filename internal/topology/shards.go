package topology

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/inventory"
)

const (
	// longestGroup is the most characters of a group's name: with "serves." it is
	// the name part of a label's key, of which there may be 63.
	longestGroup = 56
	// longestZone leaves room for a number behind it.
	longestZone = 48
)

// partition is the clients cut into groups. It does not depend on the topology:
// Multi, Quorum and Hierarchy differ in who serves the groups.
type partition struct {
	// groups, sorted by name; none is empty.
	groups []Group
	// zone of each group, by its name.
	zone map[string]string
	// size is the number of clients of each group that speak BGP. Reflectors are
	// no clients.
	size map[string]int
	// homes are for Plan.Homes; empty where the groups are told by another label.
	homes map[string]string
}

// shards cuts the clients into shards by home label. Whoever has a home keeps it.
// A client without one gets the shard of its zone that has the fewest members.
// Shards are opened where a zone has less than want and the clients without a home
// would fill half of them, and where all shards of a zone have full members (at
// least 1). Nodes among reflectors keep a home but get none.
func shards(request Request, reflectors map[string]bool, want map[string]int, full int) partition {
	return cut(request, reflectors, want, full, 0)
}

// cut is shards with some room left in those that are full: with more reflectors
// each will have room for fewer clients. What want makes of the zone's clients goes
// in all the same.
func cut(request Request, reflectors map[string]bool, want map[string]int, full, room int) partition {
	s := &sharder{
		request: request, most: max(full, 1), room: room, full: map[string]int{}, reserved: map[string]bool{},
		byZone: map[string][]*shard{}, byName: map[string]*shard{}, homes: map[string]string{},
	}
	newcomers := s.read(reflectors)
	s.openFor(newcomers, want)
	for _, node := range newcomers {
		s.place(node)
	}
	return s.partition()
}

type shard struct {
	name, zone string
	// number in its zone; 0 where the name is not one of ours.
	number int
	// members includes nodes that do not speak BGP yet; size does not.
	members, size int
}

type sharder struct {
	request Request
	// most members of a shard, room to leave, and for each zone how many are full.
	most     int
	room     int
	full     map[string]int
	byZone   map[string][]*shard
	byName   map[string]*shard
	homes    map[string]string
	reserved map[string]bool
}

// read takes over the homes that stand and returns the clients that have none,
// those that speak BGP first.
func (s *sharder) read(reflectors map[string]bool) []*inventory.Node {
	label := s.request.Spec.ZoneLabel
	var silent, newcomers []*inventory.Node
	votes := map[string]map[string]int{}
	for _, node := range sorted(s.request.Nodes) {
		zone := node.Labels[label]
		s.reserved[cleanZone(zone)] = true
		name, ok := homeOf(node)
		if !ok {
			switch {
			case reflectors[node.Name] || node.Deleting:
			case node.HasBGP():
				newcomers = append(newcomers, node)
			default:
				silent = append(silent, node)
			}
			continue
		}
		s.homes[node.Name] = name
		at := s.byName[name]
		if at == nil {
			_, number, _ := parseShard(name)
			at = &shard{name: name, number: number}
			s.byName[name] = at
			votes[name] = map[string]int{}
		}
		votes[name][zone]++
		if !reflectors[node.Name] && !node.Deleting {
			at.add(node)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		at := s.byName[name]
		at.zone = majority(votes[name])
		s.byZone[at.zone] = append(s.byZone[at.zone], at)
	}
	return append(newcomers, silent...)
}

// openFor opens the shards that newcomers are many enough for.
func (s *sharder) openFor(newcomers []*inventory.Node, want map[string]int) {
	count := map[string]int{}
	for _, node := range newcomers {
		count[node.Labels[s.request.Spec.ZoneLabel]]++
	}
	for _, zone := range slices.Sorted(maps.Keys(count)) {
		clients := count[zone]
		for _, at := range s.byZone[zone] {
			clients += at.members
		}
		half := max(clients/max(2*want[zone], 1), 1)
		s.full[zone] = s.most
		if n := want[zone]; n > 0 {
			s.full[zone] = min(s.most, max(s.most-s.room, (clients+n-1)/n))
		}
		for n := s.spare(zone, count[zone], half) / half; n > 0 && len(s.byZone[zone]) < want[zone]; n-- {
			s.open(zone)
		}
	}
}

// spare is how many newcomers are left when the shards that stand are half full. Those
// that the last pass has opened are not yet: the newcomers that are left are meant for
// them, and call for no more.
func (s *sharder) spare(zone string, newcomers, half int) int {
	for _, at := range s.byZone[zone] {
		newcomers -= max(half-at.members, 0)
	}
	return newcomers
}

func (s *shard) add(node *inventory.Node) {
	s.members++
	if node.HasBGP() {
		s.size++
	}
}

// before tells whether the next client goes here rather than there: where there are
// fewer members; by number where there are as many, and not in the order in which they
// were read or opened, or a plan halfway carried out would deal out the rest otherwise.
func (s *shard) before(other *shard) bool {
	return cmp.Or(cmp.Compare(s.members, other.members), cmp.Compare(s.number, other.number), cmp.Compare(s.name, other.name)) < 0
}

// place finds the shard with the fewest members.
func (s *sharder) place(node *inventory.Node) {
	zone := node.Labels[s.request.Spec.ZoneLabel]
	var best *shard
	for _, at := range s.byZone[zone] {
		if best == nil || at.before(best) {
			best = at
		}
	}
	if best == nil || best.members >= s.full[zone] {
		best = s.open(zone)
	}
	best.add(node)
	s.homes[node.Name] = best.name
}

// open makes a shard with the lowest number that is free. A name that a group by
// zone label could have is not used.
func (s *sharder) open(zone string) *shard {
	for n := 1; ; n++ {
		name := shardName(zone, n)
		if s.byName[name] == nil && !s.reserved[name] {
			at := &shard{name: name, zone: zone, number: n}
			s.byName[name] = at
			s.byZone[zone] = append(s.byZone[zone], at)
			return at
		}
	}
}

func (s *sharder) partition() partition {
	p := partition{zone: map[string]string{}, size: map[string]int{}, homes: s.homes}
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		if at := s.byName[name]; at.members > 0 {
			p.groups = append(p.groups, Group{Name: name})
			p.zone[name], p.size[name] = at.zone, at.size
		}
	}
	return p
}

// byZoneLabel cuts the clients by the zone label. Those that have none stay in the
// catch-all.
func byZoneLabel(request Request, reflectors map[string]bool) partition {
	p := partition{zone: map[string]string{}, size: map[string]int{}, homes: map[string]string{}}
	for i := range request.Nodes {
		node := &request.Nodes[i]
		if reflectors[node.Name] || node.Deleting {
			continue
		}
		zone := node.Labels[request.Spec.ZoneLabel]
		if zone == "" {
			continue
		}
		name := cleanZone(zone)
		if _, seen := p.zone[name]; !seen {
			p.zone[name] = zone
			p.groups = append(p.groups, Group{Name: name, Label: request.Spec.ZoneLabel, Value: zone})
			p.size[name] = 0
		}
		if node.HasBGP() {
			p.size[name]++
		}
	}
	slices.SortFunc(p.groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return p
}

// tellable tells whether Calico takes a selector that leaves out all of the groups
// by their labels (1,024 characters; see render.CatchAll).
func tellable(groups []Group) bool {
	length := 200
	labels := map[string]bool{}
	for _, group := range groups {
		if !group.ByHome() {
			length += len(group.Value) + len("'', ")
			labels[group.Label] = true
		}
	}
	for label := range labels {
		length += len(label) + len(" && !( in {})")
	}
	return length <= 1024
}

// homesStand tells whether any node carries a home already.
func homesStand(nodes []inventory.Node) bool {
	for i := range nodes {
		if _, ok := homeOf(&nodes[i]); ok {
			return true
		}
	}
	return false
}

// homeOf reads a node's home label. One that cannot be a group's name is none.
func homeOf(node *inventory.Node) (string, bool) {
	home, ok := node.Labels[v1alpha1.HomeLabel]
	return home, ok && usable(home) && len(home) <= longestGroup
}

// cleanZone makes the value of a zone (or rack) label the name of a group. It keeps
// it where it can; else a hash tells it from others.
func cleanZone(zone string) string {
	if zone == "" {
		return "none"
	}
	if usable(zone) && len(zone) <= longestZone {
		return zone
	}
	head := strings.Map(func(r rune) rune {
		if alphanumeric(r) {
			return r
		}
		return '-'
	}, zone)
	head = strings.TrimLeft(head[:min(len(head), 39)], "-")
	if head == "" {
		head = "zone"
	}
	sum := sha256.Sum256([]byte(zone))
	return head + "-" + hex.EncodeToString(sum[:4])
}

// usable tells whether the text can be the name of a group: in a label's key, as
// its value, and (in lower case) in the name of an object.
func usable(name string) bool {
	if name == "" || name == GroupAll {
		return false
	}
	dot := true // the parts between dots begin and end with a letter or digit
	last := rune('.')
	for _, r := range name {
		switch {
		case alphanumeric(r):
			dot = false
		case (r == '-' || r == '_') && !dot:
		case r == '.' && alphanumeric(last):
			dot = true
		default:
			return false
		}
		last = r
	}
	return alphanumeric(last)
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// shardName is the name of the n-th shard of a zone.
func shardName(zone string, n int) string { return cleanZone(zone) + "-" + strconv.Itoa(n) }

// parseShard cuts a shard's name into the clean name of its zone and its number.
func parseShard(name string) (zone string, n int, ok bool) {
	at := strings.LastIndexByte(name, '-')
	if at <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(name[at+1:])
	if err != nil || n < 1 || strconv.Itoa(n) != name[at+1:] {
		return "", 0, false
	}
	return name[:at], n, true
}

// majority is the key with the most votes; the first of those that have as many.
func majority(votes map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(votes), func(a, b string) int {
		return cmp.Or(cmp.Compare(votes[b], votes[a]), strings.Compare(a, b))
	})
	return keys[0]
}

// sorted returns the nodes by name.
func sorted(nodes []inventory.Node) []*inventory.Node {
	out := make([]*inventory.Node, len(nodes))
	for i := range nodes {
		out[i] = &nodes[i]
	}
	byName := func(a, b *inventory.Node) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(out, byName) {
		slices.SortFunc(out, byName)
	}
	return out
}
