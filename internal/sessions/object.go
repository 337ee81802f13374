package sessions

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// UpdatePeriodSeconds is how often calico-node looks whether its sessions have
// changed. It writes only if they have.
const UpdatePeriodSeconds = 5

const (
	namePrefix = "tapetum-"
	// maxName is the longest name of a Kubernetes object, in bytes.
	maxName = 253
	// hashLength is the number of hexadecimal digits that tell cut names apart.
	hashLength = 10
)

// Name returns the name of the CalicoNodeStatus for a node. A name that would be
// too long is cut and ends in a hash of the node's name.
func Name(node string) string {
	name := namePrefix + node
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(node))
	return name[:maxName-hashLength-1] + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// New returns the CalicoNodeStatus that asks a node for its BGP sessions.
func New(node string) *calico.CalicoNodeStatus {
	period := uint32(UpdatePeriodSeconds)
	return &calico.CalicoNodeStatus{
		ObjectMeta: metav1.ObjectMeta{
			Name:   Name(node),
			Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByValue},
		},
		Spec: calico.NodeStatusSpec{
			Node:                node,
			Classes:             []string{calico.ClassBGP},
			UpdatePeriodSeconds: &period,
		},
	}
}

// Ours tells whether Tapetum has made the object.
func Ours(status *calico.CalicoNodeStatus) bool {
	return calico.ManagedByUs(status)
}

// Asks tells whether an object asks its node for what New would ask, so that it
// need not be written again.
func Asks(status *calico.CalicoNodeStatus) bool {
	period := status.Spec.UpdatePeriodSeconds
	return Ours(status) && status.Name == Name(status.Spec.Node) &&
		slices.Equal(status.Spec.Classes, []string{calico.ClassBGP}) &&
		period != nil && *period == UpdatePeriodSeconds
}
