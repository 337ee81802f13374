package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reasons, used as condition reasons.
const (
	ReasonPaused            = "Paused"
	ReasonDeleted           = "Deleted"
	ReasonFrozen            = "Frozen"
	ReasonDatastoreNotReady = "DatastoreNotReady"
	ReasonContested         = "Contested"
	ReasonSessions          = "WaitingForSessions"
	ReasonSettling          = "Settling"
	ReasonSessionTimeout    = "SessionTimeout"
	ReasonNotProved         = "StepNotProved"
	ReasonBrake             = "MassNotReady"
	ReasonZone              = "ZoneNotReady"
	ReasonHeartbeats        = "HeartbeatsLost"
	ReasonSuspected         = "ManySuspected"
	ReasonNotAsked          = "SuspectNotAsked"
	ReasonAPIBack           = "APIBack"
	ReasonRoleBudget        = "RoleBudget"
	ReasonForced            = "Forced"
	ReasonAnnotation        = "InvalidAnnotation"
	ReasonMeshUnmanaged     = "MeshUnmanaged"
	ReasonMeshOffByOthers   = "MeshOffByOthers"
	ReasonMeshOptions       = "MeshOptionsMissing"
	ReasonMeshSettling      = "MeshSettling"
	ReasonDeletionRefused   = "DeletionRefused"
	ReasonForeignPeers      = "ForeignPeersOverlap"
	ReasonForeignID         = "ForeignClusterID"
	ReasonDifferentAS       = "DifferentASNumbers"
	ReasonIncomplete        = "RoutesMissing"
	ReasonPromiseBroken     = "PromiseNotKept"
	ReasonForeignFilter     = "ForeignFilter"
	ReasonTooFewLiving      = "NoReflectorLiving"
)

// wait is why there is no step.
type wait struct {
	reason, message string
	// nodes waited for, sorted.
	nodes []string
	// person: nothing will change until a person acts.
	person bool
	// timed: the session timeout counts.
	timed bool
}

func waitFor(reason, format string, args ...any) *verdict {
	return &verdict{wait: &wait{reason: reason, message: fmt.Sprintf(format, args...)}}
}

// needsPerson marks a wait that only a person can end.
func (v *verdict) needsPerson() *verdict {
	v.wait.person = true
	return v
}

// timedOut starts or continues the clock of a timed wait, and tells since when.
func (s *state) timedOut(w *wait) (time.Time, bool) {
	if w == nil || !w.timed {
		return time.Time{}, false
	}
	timeout := time.Duration(s.spec.Rollout.SessionTimeoutSeconds) * time.Second
	passed := s.elapsed(clockWaiting, timeout)
	return s.since(clockWaiting), passed
}

// names lists up to five names and counts the rest.
func names(all []string) string {
	all = slices.Clone(all)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) <= 5 {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:5], ", "), len(all)-5)
}

// plural returns "1 session" or "3 sessions".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
