package bgp

import (
	"encoding/binary"

	"tapetum.dev/tapetum/internal/calico/selector"
)

// projection evaluates many selectors for many nodes. A selector looks at few
// labels, and few different values of these occur in a cluster, so results are
// kept by those values: thousands of nodes cost a lookup each.
type projection struct {
	selectors []*selector.Selector
	keys      map[string]uint32
	// values numbers each (key, value) that occurs.
	values map[[2]string]uint32
	memo   map[string][]uint64
	found  []uint32
	key    []byte
}

func newProjection(selectors []*selector.Selector) *projection {
	p := &projection{
		selectors: selectors,
		keys:      map[string]uint32{},
		values:    map[[2]string]uint32{},
		memo:      map[string][]uint64{},
	}
	for _, s := range selectors {
		for _, k := range s.Keys() {
			if _, ok := p.keys[k]; !ok {
				p.keys[k] = uint32(len(p.keys))
			}
		}
	}
	p.found = make([]uint32, len(p.keys))
	return p
}

// evaluate sets the bits of the selectors that match the labels.
func (p *projection) evaluate(labels map[string]string, bits []uint64) {
	p.project(labels)
	known, ok := p.memo[string(p.key)]
	if !ok {
		known = make([]uint64, len(bits))
		for i, s := range p.selectors {
			if s.Matches(labels) {
				known[i>>6] |= 1 << (uint(i) & 63)
			}
		}
		p.memo[string(p.key)] = known
	}
	copy(bits, known)
}

// project writes the values of the labels that matter, in the order of keys.
// The shorter of the two sets is walked.
func (p *projection) project(labels map[string]string) {
	clear(p.found)
	if len(p.keys) <= len(labels) {
		for k, i := range p.keys {
			if value, ok := labels[k]; ok {
				p.found[i] = p.value(k, value)
			}
		}
	} else {
		for k, value := range labels {
			if i, ok := p.keys[k]; ok {
				p.found[i] = p.value(k, value)
			}
		}
	}
	p.key = p.key[:0]
	for i, value := range p.found {
		if value != 0 {
			p.key = binary.LittleEndian.AppendUint32(p.key, uint32(i))
			p.key = binary.LittleEndian.AppendUint32(p.key, value)
		}
	}
}

func (p *projection) value(key, value string) uint32 {
	k := [2]string{key, value}
	id, ok := p.values[k]
	if !ok {
		id = uint32(len(p.values)) + 1
		p.values[k] = id
	}
	return id
}
