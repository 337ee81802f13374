package controller

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// outage tells when the API server was last away. What it says of nodes in the first
// moments after that is old: kubelets had nobody to renew their leases with.
type outage struct {
	away bool
	// backSince is when it first answered again; zero: it has not been away.
	backSince time.Time
}

// note takes the outcome of a pass. Passes that have nothing to ask the API server
// end well during an outage as well; those do not end it, for they do not follow
// a failure: after one the pass is tried again until it succeeds.
func (o *outage) note(err error, now time.Time) {
	switch {
	case err == nil && o.away:
		o.away, o.backSince = false, now
	case unanswered(err):
		o.away = true
	}
}

// unanswered: the error is no answer of a working API server.
func unanswered(err error) bool {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, errForeign), errors.Is(err, errStep):
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsInternalError(err)
}
