package e2e

import (
	"fmt"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab/birdconf"
	"tapetum.dev/tapetum/internal/lab/birdctl"
)

// report is what calico-node says of its BIRDs. One that does not take a connection
// is not ready, and then no session is told; one that takes it and does not answer
// keeps calico-node from saying anything. Facts: node/pkg/status/populators in
// Calico. A family that the node does not have has a BIRD there all the same, with
// nothing to do.
func (m *machine) report() (calico.NodeStatusStatus, error) {
	var out calico.NodeStatusStatus
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.powered || m.wedged {
		return out, fmt.Errorf("BIRD of %s does not answer", m.name)
	}
	down := false
	for family, agent := range map[birdconf.Family]*calico.DaemonStatus{
		birdconf.IPv4: &out.Agent.BIRDV4, birdconf.IPv6: &out.Agent.BIRDV6,
	} {
		agent.State = calico.DaemonReady
		b := m.birds[family]
		if b == nil {
			continue
		}
		said, err := b.status()
		var protocols []birdctl.Protocol
		if err == nil {
			protocols, err = b.protocols()
		}
		if err != nil {
			*agent, down = calico.DaemonStatus{State: calico.DaemonNotReady}, true
			continue
		}
		agent.RouterID, agent.LastBootTime, agent.LastReconfigurationTime = said.RouterID, said.LastReboot, said.LastReconfiguration
		tell(&out.BGP, family, protocols)
	}
	if down {
		out.BGP = calico.NodeBGPStatus{}
	}
	return out, nil
}

func tell(status *calico.NodeBGPStatus, family birdconf.Family, protocols []birdctl.Protocol) {
	list, up, not := peerStatus(protocols)
	if family == birdconf.IPv4 {
		status.PeersV4, status.NumberEstablishedV4, status.NumberNotEstablishedV4 = list, up, not
	} else {
		status.PeersV6, status.NumberEstablishedV6, status.NumberNotEstablishedV6 = list, up, not
	}
}
