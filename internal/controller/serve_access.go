package controller

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	// An answer of the API server counts for a while: Prometheus asks every few
	// seconds. A no counts shortly, so that a new right is not waited for.
	allowedFor, refusedFor = time.Minute, 10 * time.Second
	// While the API server does not answer, or strangers use up the reviews, whoever was
	// allowed stays so: that is when metrics are needed.
	allowedWithoutAPI = 10 * time.Minute
	// maxAnswers are kept at most; strangers may send any number of tokens.
	maxAnswers = 256
	// reviewsPerSecond are asked for at most: strangers must not load the API server.
	reviewsPerSecond = 5
	reviewTimeout    = 10 * time.Second
)

// access lets those read who may, as the API server says: the sender's token is
// reviewed, then the right to get the path. (controller-runtime has such a filter,
// but on a library with some twenty further modules, to make two requests.)
type access struct {
	tokens authenticationclient.TokenReviewInterface
	rights authorizationclient.SubjectAccessReviewInterface
	log    logr.Logger
	now    func() time.Time
	limit  flowcontrol.PassiveRateLimiter

	mu    sync.Mutex
	known map[[sha256.Size]byte]answer
}

// answer is what the API server said: an HTTP status.
type answer struct {
	status int
	at     time.Time
}

// fresh tells whether the answer still counts.
func (a answer) fresh(now time.Time) bool {
	if a.status == http.StatusOK {
		return now.Sub(a.at) < allowedFor
	}
	return now.Sub(a.at) < refusedFor
}

func newAccess(config *rest.Config, log logr.Logger) (*access, error) {
	tokens, err := authenticationclient.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	rights, err := authorizationclient.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &access{
		tokens: tokens.TokenReviews(), rights: rights.SubjectAccessReviews(),
		log: log, now: time.Now, limit: flowcontrol.NewTokenBucketPassiveRateLimiter(reviewsPerSecond, 2*reviewsPerSecond),
		known: map[[sha256.Size]byte]answer{},
	}, nil
}

// protect asks before it lets a request through.
func (a *access) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		status := http.StatusUnauthorized
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
			status = a.judge(r.Context(), token, strings.ToLower(r.Method), r.URL.Path)
		}
		if status == http.StatusOK {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close") // those who are refused keep no connection
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		http.Error(w, http.StatusText(status), status)
	})
}

// judge returns 200, 401, 403, or a status that says that it cannot be told.
func (a *access) judge(ctx context.Context, token, verb, path string) int {
	key := sha256.Sum256([]byte(verb + " " + path + " " + token))
	before, known := a.recall(key)
	if known && before.fresh(a.now()) {
		return before.status
	}
	status := http.StatusTooManyRequests
	if a.limit.TryAccept() {
		var err error
		if status, err = a.review(ctx, token, verb, path); err == nil {
			a.remember(key, status)
			return status
		}
		a.log.Info("access cannot be reviewed", "path", path, "reason", err.Error())
		status = http.StatusServiceUnavailable
	}
	if known && before.status == http.StatusOK && a.now().Sub(before.at) < allowedWithoutAPI {
		return http.StatusOK
	}
	return status
}

func (a *access) review(ctx context.Context, token, verb, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	who, err := a.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for key, value := range who.Status.User.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	right, err := a.rights.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: who.Status.User.Username, UID: who.Status.User.UID, Groups: who.Status.User.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a right: %w", err)
	}
	if !right.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func (a *access) recall(key [sha256.Size]byte) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.known[key]
	return known, ok
}

// remember keeps an answer. Where there are too many, those that do not count any
// more go, refusals before the others.
func (a *access) remember(key [sha256.Size]byte, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for _, useless := range []func(answer) bool{
		func(old answer) bool { return !old.fresh(now) && now.Sub(old.at) >= allowedWithoutAPI },
		func(old answer) bool { return old.status != http.StatusOK },
		func(answer) bool { return true },
	} {
		if len(a.known) < maxAnswers {
			break
		}
		maps.DeleteFunc(a.known, func(_ [sha256.Size]byte, old answer) bool { return useless(old) })
	}
	a.known[key] = answer{status: status, at: now}
}
