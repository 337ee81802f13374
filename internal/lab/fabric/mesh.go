package fabric

import (
	"cmp"
	"slices"
)

// meshPart is the part of a node's configuration that the node-to-node mesh makes,
// kept because most of it is the same after a change of one member.
type meshPart struct {
	mesh *mesh
	self host
	// By member and family, in the order of the mesh's members; opt is nil where
	// there is no protocol.
	protocols [][families]protocol
}

// renderMesh returns the Mesh_ protocols of a node: none where it has a cluster
// ID itself.
func (f *Fabric) renderMesh(n *node, v *version, h *host) []protocol {
	if !v.mesh.on || h.clusterID != "" {
		n.meshPart = meshPart{}
		return nil
	}
	next := meshPart{mesh: v.mesh, self: *h, protocols: make([][families]protocol, len(v.mesh.members))}
	before := &n.meshPart
	if !before.fits(v.mesh, h) {
		before = &meshPart{mesh: &mesh{}}
	}
	i := 0
	for j := range v.mesh.members {
		m := &v.mesh.members[j]
		for i < len(before.mesh.members) && before.mesh.members[i].name < m.name {
			i++
		}
		if i < len(before.mesh.members) && before.mesh.members[i] == *m {
			next.protocols[j] = before.protocols[i]
		} else {
			next.protocols[j] = f.meshProtocols(v.mesh, h, m)
		}
	}
	n.meshPart = next
	return next.list()
}

// fits: what is kept is right for every member that has not changed.
func (p *meshPart) fits(m *mesh, h *host) bool {
	return p.mesh != nil && sameSelf(&p.self, h) && p.mesh.password == m.password && p.mesh.maxRestart == m.maxRestart
}

func (p *meshPart) list() (out []protocol) {
	for j := range p.protocols {
		for _, x := range p.protocols[j] {
			if x.opt != nil {
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, compareProtocols)
	return out
}

// meshProtocols are those of one node to another member of the mesh.
func (f *Fabric) meshProtocols(m *mesh, h *host, to *meshMember) (out [families]protocol) {
	for family := range families {
		own, remote := h.addr[family], to.addr[family]
		if to.name == h.name || !own.IsValid() || !remote.IsValid() {
			continue
		}
		out[family] = protocol{kind: kindMesh, opt: f.intern(options{
			// Where the other says none, confd takes the node's own, not the cluster's.
			local: own, remote: remote, localAS: h.as, remoteAS: cmp.Or(to.as, h.as), remotePort: to.port, listenPort: h.port,
			password: m.password, maxRestart: m.maxRestart, ttl: -1, passive: remote.String() > own.String(),
		})}
	}
	return out
}
