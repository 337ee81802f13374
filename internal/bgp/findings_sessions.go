package bgp

import (
	"fmt"
	"slices"
)

// reflectors looks at each reflector, and at the mesh beside them.
func (in *inspection) reflectors() {
	n := in.net
	names := n.Reflectors()
	if len(names) > 0 && n.view.mesh.on {
		in.add(CodeMeshOn, fmt.Sprintf("the node-to-node mesh is on besides %d reflectors", len(names)), "BGPConfiguration/default")
	}
	var overloaded []string
	most := 0
	for _, name := range names {
		at, _ := slices.BinarySearch(n.roles.names, name)
		c := n.roles.classOf[at]
		if _, others := n.homesOf(c); others == 0 && len(names) > 1 {
			in.add(CodeReflectorAlone, "reflector "+name+" has no session with another reflector, so their own pods and other clients may not be reached", "Node/"+name)
		}
		if sessions := n.busiestFamily(c); sessions > in.opts.SessionsPerReflector {
			overloaded = append(overloaded, name)
			most = max(most, sessions)
		}
		if n.view.nodes[at].windows {
			in.add(CodeReflectorWindows, "reflector "+name+" runs Windows, where Calico cannot reflect routes", "Node/"+name)
		}
		if !n.view.nodes[at].ready {
			in.add(CodeReflectorNotReady, "reflector "+name+" is not Ready", "Node/"+name)
		}
	}
	if len(overloaded) > 0 {
		in.add(CodeReflectorLoad, fmt.Sprintf("%s up to %d sessions in one address family, more than %d",
			manyHave(len(overloaded), "reflector"), most, in.opts.SessionsPerReflector), nodeObjects(overloaded)...)
	}
}

// sessions looks for nodes without any, for sessions that cannot come up, and for
// such that change at random.
func (in *inspection) sessions() {
	n := in.net
	var lonely, mute []string
	for c := range int32(n.roles.count()) {
		node := n.d.node(c)
		if !node.present {
			continue
		}
		names := in.names(c)
		switch {
		case !node.addr[IPv4].IsValid() && !node.addr[IPv6].IsValid():
			mute = append(mute, names...)
		case n.sessionsOfClass(c) == 0 && n.present() > 1:
			lonely = append(lonely, names...)
		}
	}
	if len(mute) > 0 {
		in.add(CodeNoAddress, fmt.Sprintf("%s no BGP address, so calico-node does not speak BGP there", manyHave(len(mute), "node")), nodeObjects(mute)...)
	}
	if len(lonely) > 0 {
		in.add(CodeNodeWithoutPeer, fmt.Sprintf("%s no session with another node", manyHave(len(lonely), "node")), nodeObjects(lonely)...)
	}
	in.ambiguous()
	in.unfit()
}

func (in *inspection) names(c int32) []string {
	var out []string
	for _, m := range in.net.roles.members(c) {
		out = append(out, in.net.roles.names[m])
	}
	return out
}

// ambiguous sessions: each pair of BGPPeers once.
func (in *inspection) ambiguous() {
	n := in.net
	seen := map[[2]int32]bool{}
	for i := range n.d.links {
		l := &n.d.links[i]
		for f := range families {
			for j := range l.protos[f] {
				p := &l.protos[f][j]
				pair := [2]int32{p.source, p.rival}
				if !p.ambiguous || seen[pair] {
					continue
				}
				seen[pair] = true
				one, other := n.view.peers[p.source].name, n.view.peers[p.rival].name
				in.add(CodeOverlap, fmt.Sprintf("BGPPeers %s and %s say different things about the same session (%s to %s): which of them holds changes at random, and the session restarts each time",
					one, other, n.name(l.a), n.nameBut(l.b, l.a)), "BGPPeer/"+one, "BGPPeer/"+other)
			}
		}
	}
}

// unfit sessions are configured on both ends and cannot come up all the same.
func (in *inspection) unfit() {
	n := in.net
	var count int
	var objects []string
	for i := range n.d.links {
		l := &n.d.links[i]
		if l.a > l.b {
			continue
		}
		for f := range families {
			if len(l.protos[f]) == 0 || len(n.protocols(l.b, l.a, Family(f))) == 0 {
				continue
			}
			if p, _ := n.standing(l.a, l.b, Family(f)); p == nil {
				count++
				objects = append(objects, "Node/"+n.name(l.a), "Node/"+n.nameBut(l.b, l.a))
			}
		}
	}
	if count > 0 {
		in.add(CodeSessionUnfit, "sessions between some nodes are configured on both ends but do not fit in AS number, password or port, such as between "+
			objects[0][len("Node/"):]+" and "+objects[1][len("Node/"):], objects...)
	}
}

// selectors that match no node. (Those that do not parse are told already, and
// Tapetum has some ahead of need, such as that of clients which are in no group yet.)
func (in *inspection) selectors() {
	d := in.net.d
	for i := range d.view.peers {
		p := &d.view.peers[i]
		object := "BGPPeer/" + p.name
		switch {
		case p.matchNothing, p.ahead:
		case p.localSelector != nowhere && len(d.locals[i]) == 0:
			in.add(codePeerMatchesNothing, object+" matches no node with its nodeSelector", object)
		case p.remoteSelector != nowhere && len(d.remotes[i]) == 0:
			in.add(codePeerMatchesNothing, object+" matches no node with its peerSelector", object)
		}
	}
}

// manyHave returns "1 node has" or "3 nodes have".
func manyHave(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " has"
	}
	return fmt.Sprintf("%d %ss have", n, noun)
}
