package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/rollout"
)

// answerStatuses plays the part of calico-node that matters here: it fills every
// CalicoNodeStatus with the sessions that the resources make, all up at once.
func (c *cluster) answerStatuses() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			c.answerOnce(ctx) // errors: the next time
			sleep(ctx, 50*time.Millisecond)
		}
	}()
	c.t.Cleanup(func() { cancel(); <-done })
}

func (c *cluster) answerOnce(ctx context.Context) {
	var in rollout.Input
	kinds := Kinds{Filters: true, Statuses: true, Information: true}
	nodes, err := readNodes(ctx, c.client)
	if err != nil || readCalico(ctx, c.client, kinds, &in) != nil {
		return
	}
	types := map[bgp.Kind]string{bgp.Mesh: calico.PeerTypeMesh, bgp.Node: calico.PeerTypeNode, bgp.Global: calico.PeerTypeGlobal}
	network := bgp.Build(bgp.Input{Nodes: nodes, Peers: in.Peers, Configurations: in.Configurations})
	for i := range in.Statuses {
		status := &in.Statuses[i]
		report := calico.NodeBGPStatus{}
		for _, session := range network.SessionsOf(status.Spec.Node) {
			peer := calico.PeerStatus{PeerIP: session.RemoteIP.String(), Type: types[session.Kind], State: calico.StateEstablished, Since: "12:00:00"}
			if session.Family == bgp.IPv6 {
				report.PeersV6 = append(report.PeersV6, peer)
				report.NumberEstablishedV6++
			} else {
				report.PeersV4 = append(report.PeersV4, peer)
				report.NumberEstablishedV4++
			}
		}
		said := status.Status
		said.BGP = report
		if slices.Contains(status.Spec.Classes, calico.ClassAgent) {
			said.Agent.BIRDV4.State, said.Agent.BIRDV6.State = calico.DaemonReady, calico.DaemonReady
		}
		if !status.Status.LastUpdated.IsZero() && equality.Semantic.DeepEqual(status.Status, said) {
			continue
		}
		status.Status = said
		status.Status.LastUpdated = metav1.Now()
		if err := c.client.Status().Update(ctx, status.DeepCopy()); apierrors.IsNotFound(err) {
			_ = c.client.Update(ctx, status) // no status subresource, as in older releases
		}
	}
}
