package sessions

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

const (
	// MaxReports is how many CalicoNodeStatuses Tapetum keeps at once. Each change of
	// one goes to every node; Calico's documentation recommends fewer than ten.
	MaxReports = 9
	// RestSeconds is how often calico-node looks whether its sessions have changed
	// while nobody waits for them. It writes only if they have.
	RestSeconds = 60
	// WatchSeconds is the same while a step waits for them.
	WatchSeconds = 5
)

const (
	namePrefix = "tapetum-"
	// otherPrefix makes the second name that an object for the same node may have. No
	// node's name begins with a hyphen, so the two never meet.
	otherPrefix = "tapetum--"
	// maxName is the longest name of a Kubernetes object, in bytes.
	maxName = 253
	// hashLength is the number of hexadecimal digits that tell cut names apart.
	hashLength = 10
)

// Name returns the name of the CalicoNodeStatus for a node. A name that would be
// too long is cut and ends in a hash of the node's name.
func Name(node string) string { return name(namePrefix, node) }

// OtherName returns the other name that the CalicoNodeStatus for a node may have. An
// object of a name that calico-node does not know yet is always answered, and anew.
func OtherName(node string) string { return name(otherPrefix, node) }

func name(prefix, node string) string {
	name := prefix + node
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(node))
	return name[:maxName-hashLength-1] + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// New returns the CalicoNodeStatus that asks a node for its BGP sessions, at rest.
func New(node string) *calico.CalicoNodeStatus {
	period := uint32(RestSeconds)
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

// Every returns the object with another period, in seconds.
func Every(seconds uint32, status *calico.CalicoNodeStatus) *calico.CalicoNodeStatus {
	out := status.DeepCopy()
	out.Spec.UpdatePeriodSeconds = &seconds
	return out
}

// Watched tells whether the object asks as often as a step that waits needs it.
func Watched(status *calico.CalicoNodeStatus) bool {
	return period(status) == WatchSeconds*time.Second
}

// period is the time between two reports; 0: there is one only, or none.
func period(status *calico.CalicoNodeStatus) time.Duration {
	if status.Spec.UpdatePeriodSeconds == nil {
		return 0
	}
	return time.Duration(*status.Spec.UpdatePeriodSeconds) * time.Second
}

// Ours tells whether Tapetum has made the object.
func Ours(status *calico.CalicoNodeStatus) bool {
	return calico.ManagedByUs(status)
}

// Asks tells whether an object asks its node for what Tapetum asks, at rest or not,
// so that it need not be put right.
func Asks(status *calico.CalicoNodeStatus) bool {
	node, every := status.Spec.Node, period(status)
	return Ours(status) && (status.Name == Name(node) || status.Name == OtherName(node)) && asksFor(status.Spec.Classes) &&
		(every == RestSeconds*time.Second || every == WatchSeconds*time.Second)
}

// asksFor: the sessions, and perhaps the state of BIRD.
func asksFor(classes []string) bool {
	switch len(classes) {
	case 1:
		return classes[0] == calico.ClassBGP
	case 2:
		return slices.Contains(classes, calico.ClassBGP) && slices.Contains(classes, calico.ClassAgent)
	}
	return false
}
