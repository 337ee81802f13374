package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/util/flowcontrol"
)

// reviews answers as an API server that knows the token "good" of somebody who may
// read metrics, and "weak" of somebody who may not.
type reviews struct {
	authenticationclient.TokenReviewInterface
	asked int
	away  bool
}

func (r *reviews) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	r.asked++
	if r.away {
		return nil, errors.New("away")
	}
	token := review.Spec.Token
	review.Status.Authenticated = token == "good" || token == "weak"
	review.Status.User = authenticationv1.UserInfo{Username: token, Extra: map[string]authenticationv1.ExtraValue{"node": {"n1"}}}
	return review, nil
}

type accessReviews struct {
	authorizationclient.SubjectAccessReviewInterface
}

func (accessReviews) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	asked := review.Spec.NonResourceAttributes
	review.Status.Allowed = review.Spec.User == "good" && review.Spec.Extra["node"][0] == "n1" && *asked == authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
	return review, nil
}

func TestAccess(t *testing.T) {
	tokens, now := &reviews{}, time.Unix(0, 0)
	a := &access{
		tokens: tokens, rights: accessReviews{}, log: logr.Discard(), now: func() time.Time { return now },
		limit: flowcontrol.NewFakeAlwaysRateLimiter(), known: map[[32]byte]answer{},
	}
	for i, step := range []struct {
		wait        time.Duration
		away        bool
		token       string
		path        string
		want, asked int
	}{
		{token: "good", want: 200, asked: 1},
		{token: "good", want: 200, asked: 1},
		{token: "weak", want: 403, asked: 2},
		{token: "other", want: 401, asked: 3},
		{token: "other", want: 401, asked: 3},
		{token: "good", path: "/debug", want: 403, asked: 4},
		{wait: refusedFor, token: "other", want: 401, asked: 5},
		{wait: allowedFor, token: "good", want: 200, asked: 6},
		{wait: allowedFor, away: true, token: "good", want: 200, asked: 7},
		{away: true, token: "other", want: 503, asked: 8},
		{wait: allowedWithoutAPI, away: true, token: "good", want: 503, asked: 9},
		{token: "good", want: 200, asked: 10},
	} {
		now, tokens.away = now.Add(step.wait), step.away
		if step.path == "" {
			step.path = "/metrics"
		}
		if got := a.judge(t.Context(), step.token, "get", step.path); got != step.want || tokens.asked != step.asked {
			t.Errorf("step %d: status %d after %d questions, want %d after %d", i, got, tokens.asked, step.want, step.asked)
		}
	}
}

// TestAccessKeepsStrangersOff: who sends many tokens fills no memory, pushes nobody
// out who is allowed, and does not load the API server.
func TestAccessKeepsStrangersOff(t *testing.T) {
	tokens, now := &reviews{}, time.Unix(0, 0)
	a := &access{
		tokens: tokens, rights: accessReviews{}, log: logr.Discard(), now: func() time.Time { return now },
		limit: flowcontrol.NewFakeAlwaysRateLimiter(), known: map[[32]byte]answer{},
	}
	a.judge(t.Context(), "good", "get", "/metrics")
	for i := range 10 * maxAnswers {
		if got := a.judge(t.Context(), fmt.Sprint(i), "get", "/metrics"); got != http.StatusUnauthorized {
			t.Fatalf("stranger %d: %d", i, got)
		}
		if len(a.known) > maxAnswers {
			t.Fatalf("%d answers are kept", len(a.known))
		}
	}
	before := tokens.asked
	if got := a.judge(t.Context(), "good", "get", "/metrics"); got != http.StatusOK || tokens.asked != before {
		t.Errorf("a friend among strangers: %d, asked %d times more", got, tokens.asked-before)
	}
	a.limit = flowcontrol.NewFakeNeverRateLimiter()
	if got := a.judge(t.Context(), "new", "get", "/metrics"); got != http.StatusTooManyRequests || tokens.asked != before {
		t.Errorf("more than the API server should be asked: %d, asked %d times more", got, tokens.asked-before)
	}
}
