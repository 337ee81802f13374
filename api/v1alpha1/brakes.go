package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Brakes say when so much goes wrong at once that the view is more likely to be
// wrong than the nodes are, and how fast roles may change. While a brake is on,
// nothing is taken away, and a reflector is added only where clients have fewer than
// limits.reflectorFailures and one living. A brake goes off by itself. That the
// kubelets have been cut off from the API server, and that the API server has been
// away, are brakes of their own, which take these numbers.
type Brakes struct {
	// notReadyPercent: the brake is on when more than so many percent of the nodes
	// turned not ready within windowSeconds and still are. 0: it never is.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	NotReadyPercent *int32 `json:"notReadyPercent,omitempty"`

	// reflectorsNotReadyPercent is the same of the route reflectors. Percentages are
	// rounded down to whole ones: one of three is 33. 0: it never is.
	// +optional
	// +kubebuilder:default=33
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	ReflectorsNotReadyPercent *int32 `json:"reflectorsNotReadyPercent,omitempty"`

	// windowSeconds is within which time nodes count as having turned not ready
	// together, in seconds.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=3600
	WindowSeconds *int32 `json:"windowSeconds,omitempty"`

	// zonePercent: a zone counts as gone when so many percent of its nodes are not
	// ready and at least half of these turned so within windowSeconds. Only zones of
	// two nodes and more, in clusters of two zones and more. 0: no zone ever does.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:validation:XValidation:rule="self == 0 || self >= 50",message="brakes.zonePercent must be 0 (off) or at least 50: a zone of which less is not ready is not gone"
	ZonePercent *int32 `json:"zonePercent,omitempty"`

	// roleChangesPerTenMinutes is how many nodes at most get the role, lose it, or
	// change their tier or cluster ID within any ten minutes. What restores
	// limits.reflectorFailures and one living reflectors of a client goes on.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	RoleChangesPerTenMinutes *int32 `json:"roleChangesPerTenMinutes,omitempty"`
}

// BrakesStatus says what holds a rollout now, and what it may still do.
type BrakesStatus struct {
	// active lists the brakes that are on, the weightiest first.
	// +optional
	// +listType=map
	// +listMapKey=reason
	Active []BrakeStatus `json:"active,omitempty"`

	// heldStep is the next step, where a brake, the budget of role changes, a gate or
	// a contest holds it.
	// +optional
	HeldStep *HeldStep `json:"heldStep,omitempty"`

	// force is what has become of the annotation tapetum.dev/force-step.
	// +optional
	Force *ForceStatus `json:"force,omitempty"`

	// roleChanges counts the role changes by the minute in which they were made. An
	// entry counts for ten minutes after its minute; it goes when the next is added.
	// +optional
	// +listType=map
	// +listMapKey=minute
	RoleChanges []RoleChanges `json:"roleChanges,omitempty"`
}

// BrakeStatus is a brake that is on.
type BrakeStatus struct {
	// reason is MassNotReady, ZoneNotReady, HeartbeatsLost or APIBack.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// since when it has been on.
	Since metav1.MicroTime `json:"since"`
	// message says how many, and what to do.
	// +optional
	Message string `json:"message,omitempty"`
}

// HeldStep is a step that waits though nothing but caution is against it.
type HeldStep struct {
	// id names this very step: what it does, to which object, and all that it would
	// write. Set as the value of the annotation tapetum.dev/force-step it is taken once.
	ID string `json:"id"`
	// step in a few words.
	Step string `json:"step"`
	// why it is to be taken.
	// +optional
	Why string `json:"why,omitempty"`
	// heldBy is the reason for which it waits.
	// +optional
	HeldBy string `json:"heldBy,omitempty"`
}

// ForceStatus is what has become of a step that a person has forced.
type ForceStatus struct {
	// id that the annotation gives.
	ID string `json:"id"`
	// taken is when the step was forced; unset where no such step is held.
	// +optional
	Taken *metav1.MicroTime `json:"taken,omitempty"`
	// message for a person.
	// +optional
	Message string `json:"message,omitempty"`
}

// RoleChanges counts the role changes of one minute.
type RoleChanges struct {
	// minute is its beginning.
	Minute metav1.Time `json:"minute"`
	// count of role changes.
	Count int32 `json:"count"`
}
