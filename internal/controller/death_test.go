package controller

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// dying ends the controller after its n-th write, before it learns of it.
type dying struct {
	mu    sync.Mutex
	left  int
	kill  func()
	fatal bool
}

func (d *dying) watch(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return dyingTripper{next: next, dying: d} })
	return config
}

type dyingTripper struct {
	next  http.RoundTripper
	dying *dying
}

func (d dyingTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := d.next.RoundTrip(request)
	if request.Method == http.MethodGet || err != nil {
		return response, err
	}
	d.dying.mu.Lock()
	defer d.dying.mu.Unlock()
	if d.dying.left--; d.dying.left == 0 {
		d.dying.fatal = true
		d.dying.kill()
	}
	if d.dying.fatal {
		_ = response.Body.Close()
		return nil, context.Canceled // written, but nobody knows
	}
	return response, err
}

func TestStoryWithADeathAfterEveryFewWrites(t *testing.T) {
	c := ownV3(t)
	users := theirs()
	c.create(users...)
	for n := range 8 {
		c.create(newNode(n))
	}
	c.create(fastPolicy())
	c.answerStatuses()
	ready := func() bool {
		status := c.policy().Status
		return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) && status.Mesh == v1alpha1.MeshOff
	}
	// Each life is one write longer than the last, so every place is hit.
	for life := 1; life <= 60 && !ready(); life++ {
		ctx, cancel := context.WithCancel(context.Background())
		d := &dying{left: life, kill: cancel}
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, Options{Config: d.watch(c.config()), Log: testLog(t)}) }()
		deadline := time.After(patience)
		for alive := true; alive; {
			select {
			case err := <-ended:
				c.must(err)
				alive = false
			case <-deadline:
				t.Fatalf("life %d of the controller neither ends nor finishes: %+v", life, c.policy().Status)
			case <-time.After(100 * time.Millisecond):
				if ready() {
					cancel()
				}
			}
		}
		cancel()
	}
	if !ready() {
		t.Fatalf("not done after 60 lives: %+v", c.policy().Status)
	}
	if got := len(c.roles()); got != 3 {
		t.Errorf("%d reflectors, want 3: %v", got, c.roles())
	}
	if reverts := c.policy().Status.Reverts; len(reverts) > 0 {
		t.Errorf("its own deaths count as reverts by others: %+v", reverts)
	}
	c.untouched(users[:2])
}
