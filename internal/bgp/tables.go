package bgp

import (
	"fmt"
	"math"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/selector"
)

// tables give small numbers to things that are compared often. Views that are to
// be compared share them.
type tables struct {
	clusters     []string
	clusterIndex map[string]int32

	opts     []options
	optIndex map[options]int32

	selectors     []*selector.Selector
	selectorIndex map[string]int32

	chains     []chain
	chainIndex map[string]int32

	communities    map[string]uint64
	predicates     []predicate
	predicateIndex map[predicate]int

	ebgpSingletons int
}

func newTables() *tables {
	t := &tables{
		clusterIndex:   map[string]int32{},
		optIndex:       map[options]int32{},
		selectorIndex:  map[string]int32{},
		chainIndex:     map[string]int32{},
		communities:    map[string]uint64{},
		predicateIndex: map[predicate]int{},
		ebgpSingletons: ebgpSingletons,
	}
	t.chains = []chain{nil} // chain 0 accepts everything unchanged
	t.chainIndex[""] = 0
	return t
}

// options are the settings of a protocol besides addresses, AS numbers and client
// flags. A change of any of them restarts the session.
type options struct {
	password, source, nextHop string
	restart, keepalive        int64
	ttl, allowLocalAS         int32
	keepNextHop               bool
}

func optionsOf(s *calico.BGPPeerSpec) options {
	o := options{
		password: passwordOf(s.Password), source: s.SourceAddress, nextHop: s.NextHopMode,
		keepNextHop: s.KeepOriginalNextHop,
	}
	if o.source == "" {
		o.source = useNodeIP
	}
	if o.nextHop == "Auto" {
		o.nextHop = ""
	}
	o.restart = seconds(s.MaxRestartTime)
	o.keepalive = seconds(s.KeepaliveTime)
	if s.TTLSecurity != nil {
		o.ttl = *s.TTLSecurity
	}
	if s.NumAllowedLocalASNumber != nil {
		o.allowLocalAS = *s.NumAllowedLocalASNumber
	}
	return o
}

// useNodeIP is Calico's default of sourceAddress.
const useNodeIP = "UseNodeIP"

// unset stands for a duration that is not configured, which differs from zero.
const unset = -1

func seconds(d *metav1.Duration) int64 {
	if d == nil {
		return unset
	}
	return int64(math.Round(d.Seconds()))
}

func passwordOf(p *calico.BGPPassword) string {
	if p == nil || p.SecretKeyRef == nil {
		return ""
	}
	return p.SecretKeyRef.Name + "/" + p.SecretKeyRef.Key
}

func (t *tables) option(o options) int32 { return intern(&t.opts, t.optIndex, o) }

func (t *tables) cluster(id string) int32 { return intern(&t.clusters, t.clusterIndex, id) }

func intern[T comparable](list *[]T, index map[T]int32, value T) int32 {
	if i, ok := index[value]; ok {
		return i
	}
	i := int32(len(*list))
	*list = append(*list, value)
	index[value] = i
	return i
}

func (t *tables) selector(s *selector.Selector) int32 {
	if i, ok := t.selectorIndex[s.String()]; ok {
		return i
	}
	i := int32(len(t.selectors))
	t.selectors = append(t.selectors, s)
	t.selectorIndex[s.String()] = i
	return i
}

func itoa(n uint16) string { return strconv.Itoa(int(n)) }

func quote(s string) string { return fmt.Sprintf("%q", s) }
