package dump

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/inventory"
	"tapetum.dev/tapetum/internal/topology"
)

// Cluster is what a dump holds. All lists are sorted by name.
type Cluster struct {
	Nodes          []inventory.Node
	Peers          []calico.BGPPeer
	Configurations []calico.BGPConfiguration
	Filters        []calico.BGPFilter
	Statuses       []calico.CalicoNodeStatus
	// Pools are nil where the dump holds none: then it is not known whether they
	// need BGP.
	Pools []calico.IPPool
	// Blocks are the address blocks of nodes, by the node's name; nil where the
	// dump holds no BlockAffinity.
	Blocks map[string][]netip.Prefix
	// Information is ClusterInformation/default; nil where the dump has none.
	Information *calico.ClusterInformation
	// TagFilter tells whether Calico can do the tag filter, as far as can be told.
	TagFilter topology.TagFilterSupport
	// Autoscaler is RouteReflectorAutoscaler/default; nil where the dump has none.
	Autoscaler *v1alpha1.RouteReflectorAutoscaler
	// Notes say what was left out, sorted.
	Notes []string
}

// DatastoreReady is ClusterInformation's; true where it is not known.
func (c *Cluster) DatastoreReady() bool {
	return c.Information == nil || c.Information.Spec.DatastoreReady == nil || *c.Information.Spec.DatastoreReady
}

// key names an object, whatever its API group.
type key struct{ kind, name string }

// entry is an object as it was found.
type entry struct {
	group string
	line  int
	value any
}

// collection gathers the objects of a dump.
type collection struct {
	file    string
	objects map[key]entry
	ignored map[string]int
	notes   []string
	twice   int
}

func newCollection(file string) *collection {
	return &collection{file: file, objects: map[key]entry{}, ignored: map[string]int{}}
}

// add keeps an object. The same one through both of Calico's API groups is one
// object; twice in one group is an error.
func (c *collection) add(k key, found entry) error {
	before, known := c.objects[k]
	if !known {
		c.objects[k] = found
		return nil
	}
	if before.group == found.group {
		return &Error{File: c.file, Line: found.line, Object: k.kind + " " + k.name,
			Reason: fmt.Sprintf("is there twice, first in line %d: remove one of the two", before.line)}
	}
	c.twice++
	if found.group == calico.GroupV3.Group {
		c.objects[k] = found
	}
	return nil
}

// cluster sorts the objects into a Cluster.
func (c *collection) cluster() *Cluster {
	out := &Cluster{}
	keys := slices.SortedFunc(maps.Keys(c.objects), func(a, b key) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	var agents []tagfilter.Agent
	defined := map[string][]byte{}
	for _, k := range keys {
		switch value := c.objects[k].value.(type) {
		case *podFile:
			agents = append(agents, value.agent())
		case *definitionFile:
			defined[k.name] = value.text
		default:
			out.take(k, value)
		}
	}
	out.TagFilter = out.tagFilter(agents, defined)
	for name, count := range c.ignored {
		c.notes = append(c.notes, fmt.Sprintf("ignored: %d × %s", count, name))
	}
	if c.twice > 0 {
		c.notes = append(c.notes, fmt.Sprintf("%d objects are there in both of Calico's API groups: those of %s count",
			c.twice, calico.GroupV3))
	}
	slices.Sort(c.notes)
	out.Notes = c.notes
	return out
}

func (c *Cluster) take(k key, value any) {
	switch value := value.(type) {
	case *nodeFile:
		c.Nodes = append(c.Nodes, inventory.FromKubernetes(value.node()))
	case *calico.BGPPeer:
		c.Peers = append(c.Peers, *value)
	case *calico.BGPConfiguration:
		c.Configurations = append(c.Configurations, *value)
	case *calico.BGPFilter:
		c.Filters = append(c.Filters, *value)
	case *calico.IPPool:
		c.Pools = append(c.Pools, *value)
	case *calico.CalicoNodeStatus:
		c.Statuses = append(c.Statuses, *value)
	case *calico.BlockAffinity:
		c.takeBlock(value)
	case *calico.ClusterInformation:
		if k.name == calico.DefaultConfiguration {
			c.Information = value
		}
	case *v1alpha1.RouteReflectorAutoscaler:
		if k.name == v1alpha1.SingletonName {
			c.Autoscaler = value
		}
	}
}

// takeBlock keeps the block of a node; blocks of virtual owners and such that are
// about to be given back do not count.
func (c *Cluster) takeBlock(affinity *calico.BlockAffinity) {
	prefix, err := netip.ParsePrefix(affinity.Spec.CIDR)
	if err != nil || affinity.Spec.State == "pendingDeletion" || (affinity.Spec.Type != "" && affinity.Spec.Type != "host") {
		return
	}
	if c.Blocks == nil {
		c.Blocks = map[string][]netip.Prefix{}
	}
	c.Blocks[affinity.Spec.Node] = append(c.Blocks[affinity.Spec.Node], prefix)
}
