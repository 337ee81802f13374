package render

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/topology"
)

// Names of our objects beside the clients' BGPPeer and the pins.
const (
	// GroupPrefix plus a group's name is the BGPPeer of that group.
	GroupPrefix = "tapetum-group-"
	// ReflectorsName is the BGPPeer among reflectors that are not pinned.
	ReflectorsName = "tapetum-reflectors"
	// RacksName is the BGPPeer between the reflectors of racks and the core.
	RacksName = "tapetum-racks"
	// FilterName is the BGPFilter that keeps a route from passing twice through the
	// mesh of the reflectors.
	FilterName = "tapetum-one-hop"
	// MaxSelector is the most characters of a selector that Calico takes.
	MaxSelector = 1024
)

// tag marks routes that came from another reflector. It never leaves the cluster's
// reflectors' own sessions but towards clients, who ignore it.
const tag = "64512:4242"

const isClient = "!has(" + v1alpha1.ReflectorLabel + ")"

// EveryClient is the catch-all's node selector while it takes in every client.
const EveryClient = isClient

// CatchAll is the node selector of the clients' BGPPeer that leaves out those who
// are in one of the groups: for groups by home label the settled ones, for groups
// by another label all with its values.
func CatchAll(groups []topology.Group) string {
	parts := []string{isClient}
	if slices.ContainsFunc(groups, topology.Group.ByHome) {
		parts = append(parts, "!has("+v1alpha1.SettledLabel+")")
	}
	values := map[string][]string{}
	for _, group := range groups {
		if !group.ByHome() {
			values[group.Label] = append(values[group.Label], quote(group.Value))
		}
	}
	for _, label := range slices.Sorted(maps.Keys(values)) {
		slices.Sort(values[label])
		parts = append(parts, "!("+label+" in {"+strings.Join(slices.Compact(values[label]), ", ")+"})")
	}
	return strings.Join(parts, " && ")
}

// ClientsOf is the clients' BGPPeer with the given node selector (EveryClient, or
// what CatchAll says).
func ClientsOf(nodeSelector string, options Options) *calico.BGPPeer {
	peer := Clients(topology.GroupAll, options)
	peer.Spec.NodeSelector = nodeSelector
	return peer
}

// GroupPeer is the BGPPeer between the clients of a group and the reflectors that
// serve it.
func GroupPeer(group topology.Group, options Options) *calico.BGPPeer {
	peer := Clients(group.Name, options)
	peer.Name = GroupPrefix + objectName(group.Name)
	label, value := group.Label, group.Value
	if group.ByHome() {
		label, value = v1alpha1.HomeLabel, group.Name
	}
	peer.Spec.NodeSelector = isClient + " && " + label + " == " + quote(value)
	return peer
}

// objectName makes a group's name, which may have capitals and underscores, one
// that an object can have.
func objectName(group string) string {
	lower := strings.ToLower(strings.ReplaceAll(group, "_", "-"))
	if lower == group {
		return group
	}
	return lower + "-" + digest(group)[:8]
}

// quote puts a label's value into a selector. Values of labels hold no quotes.
func quote(value string) string { return "'" + value + "'" }

// quoted tells whether the text is what quote makes of a label's value.
func quoted(text string) bool {
	return len(text) >= 2 && strings.Count(text, "'") == 2 && text == quote(strings.Trim(text, "'"))
}

// Reflectors is the BGPPeer that joins the reflectors of the tiers multi and quorum
// with each other and with the core. Reflectors of the core among themselves are
// pinned and not covered by it.
func Reflectors(filtered bool, options Options) *calico.BGPPeer {
	inner := "{" + quote(topology.TierMulti) + ", " + quote(topology.TierQuorum) + "}"
	outer := "{" + quote(topology.TierCore) + ", " + quote(topology.TierMulti) + ", " + quote(topology.TierQuorum) + "}"
	return &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: ReflectorsName, Labels: Ours()},
		Spec: calico.BGPPeerSpec{
			NodeSelector: v1alpha1.ReflectorLabel + " in " + outer,
			PeerSelector: v1alpha1.ReflectorLabel + " in " + inner,
			Filters:      FilterNames(filtered),
			Password:     options.Password, MaxRestartTime: options.MaxRestartTime, KeepaliveTime: options.KeepaliveTime,
		},
	}
}

// Racks is the BGPPeer that makes the reflectors of racks clients of the core.
func Racks(options Options) *calico.BGPPeer {
	return &calico.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: RacksName, Labels: Ours()},
		Spec: calico.BGPPeerSpec{
			NodeSelector: v1alpha1.ReflectorLabel + " == " + quote(topology.TierRack),
			PeerSelector: v1alpha1.ReflectorLabel + " == " + quote(topology.TierCore),
			Password:     options.Password, MaxRestartTime: options.MaxRestartTime, KeepaliveTime: options.KeepaliveTime,
		},
	}
}

// FilterNames are the filters of a peering between reflectors.
func FilterNames(filtered bool) []string {
	if !filtered {
		return nil
	}
	return []string{FilterName}
}

// Filter is the tag filter: what a reflector learns from another is marked, and
// what is marked is not passed on to a third. It restores the one hop over a full
// mesh of reflectors that distinct cluster IDs take away. Marked at import, because
// a mark at export would miss the reflector's own blocks.
func Filter() *calico.BGPFilter {
	mark := []calico.BGPFilterRule{{
		Action: "Accept", Operations: []calico.BGPFilterOperation{{AddCommunity: &calico.BGPFilterAddCommunity{Value: tag}}},
	}}
	stop := []calico.BGPFilterRule{{
		Action: "Reject", Communities: &calico.BGPFilterCommunities{Values: []string{tag}},
	}}
	return &calico.BGPFilter{
		ObjectMeta: metav1.ObjectMeta{Name: FilterName, Labels: Ours()},
		Spec:       calico.BGPFilterSpec{ImportV4: mark, ImportV6: mark, ExportV4: stop, ExportV6: stop},
	}
}

// HomeLabels are the labels of a client of a group by home.
func HomeLabels(group string, settled bool) map[string]string {
	out := map[string]string{v1alpha1.HomeLabel: group}
	if settled {
		out[v1alpha1.SettledLabel] = group
	}
	return out
}

// ReadGroupSelector tells whether GroupPeer has written a node selector, for
// whatever group.
func ReadGroupSelector(selector string) bool {
	condition, client := strings.CutPrefix(selector, isClient+" && ")
	label, value, equals := strings.Cut(condition, " == ")
	return client && equals && plainLabel(label) && quoted(value)
}

// plainLabel tells whether text within a selector is the key of a label and nothing
// else, so that a condition on it says what it seems to say.
func plainLabel(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-_./", r)
	})
}

// GroupOf reads from the BGPPeer of a group who serves it, and whether its clients
// have homes.
func GroupOf(peer *calico.BGPPeer) (group string, byHome bool) {
	group, _ = strings.CutPrefix(strings.TrimSuffix(peer.Spec.PeerSelector, ")"), "has("+v1alpha1.ServesLabelPrefix)
	return group, strings.Contains(peer.Spec.NodeSelector, v1alpha1.HomeLabel)
}
