package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"

	"tapetum.dev/tapetum/internal/calico/tagfilter"
)

const (
	// describeWithin is how long an API server may take from serving a kind to
	// describing it; until then nothing is concluded.
	describeWithin = time.Minute
	// describeAgain is when a description is read again that carries no hash.
	describeAgain = 10 * time.Minute
)

// errNotDescribed: the API server serves a kind and does not describe it yet.
var errNotDescribed = errors.New("not described yet")

// filterSchema knows what the API server's BGPFilters can hold, from its OpenAPI
// description: the one place where every kind is described alike, be it by a
// CustomResourceDefinition or by Calico's own API server.
type filterSchema struct {
	client openapi.ClientWithContext
	group  schema.GroupVersion
	now    func() time.Time

	mu sync.Mutex
	// first is when it was asked first, read when the description was last read.
	first, read time.Time
	// url of the description; it ends in a hash of what it says.
	url     string
	problem string
}

// state returns what is known, with the URL as its version; the API server is asked
// if nothing is.
func (s *filterSchema) state(ctx context.Context) (problem, version string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read.IsZero() {
		if err := s.ask(ctx); err != nil {
			return "", "", err
		}
	}
	return s.problem, s.url, nil
}

// look asks the API server anew, if anybody has asked before, and tells whether the
// answer is another one.
func (s *filterSchema) look(ctx context.Context) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read.IsZero() {
		return false, nil
	}
	problem, url := s.problem, s.url
	err = s.ask(ctx)
	return err == nil && (problem != s.problem || url != s.url), err
}

func (s *filterSchema) ask(ctx context.Context) error {
	if s.first.IsZero() {
		s.first = s.now()
	}
	problem, url, err := s.describe(ctx)
	switch {
	case errors.Is(err, errNotDescribed) && (!s.read.IsZero() || s.now().Sub(s.first) > describeWithin):
		problem, url = "the API server does not describe "+s.group.String(), ""
	case apierrors.IsForbidden(err):
		problem, url = "what BGPFilters can hold may not be read: "+err.Error(), ""
	case err != nil:
		return fmt.Errorf("find out what BGPFilters can hold: %w", err)
	}
	s.problem, s.url, s.read = problem, url, s.now()
	return nil
}

// describe reads the description, unless it is the one that was read before.
func (s *filterSchema) describe(ctx context.Context) (problem, url string, err error) {
	paths, err := s.client.PathsWithContext(ctx)
	if err != nil {
		return "", "", err
	}
	path, ok := paths["apis/"+s.group.String()]
	if !ok {
		return "", "", errNotDescribed
	}
	url = path.ServerRelativeURL()
	if url == s.url && (strings.Contains(url, "hash=") || s.now().Sub(s.read) < describeAgain) {
		return s.problem, url, nil
	}
	text, err := path.SchemaWithContext(ctx, "application/json")
	if err != nil {
		return "", "", err
	}
	problem, described, err := tagfilter.OpenAPIProblem(text, s.group.Group)
	if err == nil && !described {
		err = errNotDescribed
	}
	return problem, url, err
}
