package controller

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/internal/calico"
)

// shelf is a reader that has at most one BGPPeer.
type shelf struct {
	version, uid string
	fail         error
	client.Reader
}

func (s shelf) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if s.fail != nil {
		return s.fail
	}
	if s.version == "" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "bgppeers"}, key.Name)
	}
	object.SetResourceVersion(s.version)
	object.SetUID(types.UID(s.uid))
	return nil
}

func TestPendingSettles(t *testing.T) {
	away := errors.New("connection refused")
	peer := &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
	tests := map[string]struct {
		write       pending
		cache, live shelf
		want        bool
		fail        error
	}{
		"shown":                            {write: pending{version: "5"}, cache: shelf{version: "5"}, live: shelf{version: "5"}, want: true},
		"newer":                            {write: pending{version: "5"}, cache: shelf{version: "11"}, live: shelf{version: "11"}, want: true},
		"older":                            {write: pending{version: "11"}, cache: shelf{version: "5"}, live: shelf{version: "11"}},
		"not there yet":                    {write: pending{version: "5"}, live: shelf{version: "5"}},
		"deleted by somebody since":        {write: pending{version: "5"}, want: true},
		"deletion shown":                   {write: pending{gone: true, uid: "a"}, want: true},
		"deletion not shown":               {write: pending{gone: true, uid: "a"}, cache: shelf{version: "5", uid: "a"}},
		"deleted and made again":           {write: pending{gone: true, uid: "a"}, cache: shelf{version: "7", uid: "b"}, want: true},
		"unknown outcome, cache is behind": {cache: shelf{version: "5"}, live: shelf{version: "6"}},
		"unknown outcome, cache is there":  {cache: shelf{version: "6"}, live: shelf{version: "6"}, want: true},
		"unknown outcome, deleted":         {want: true},
		"unknown outcome, deleted, cache is behind": {cache: shelf{version: "5"}},
		"unknown outcome, API server away":          {cache: shelf{version: "5"}, live: shelf{fail: away}, fail: away},
		"versions without an order, same":           {write: pending{version: "x"}, cache: shelf{version: "x"}, live: shelf{version: "x"}, want: true},
		"versions without an order, other":          {write: pending{version: "x"}, cache: shelf{version: "a"}, live: shelf{version: "x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.write.object = peer
			got, err := test.write.settled(t.Context(), test.cache, test.live)
			if got != test.want || !errors.Is(err, test.fail) {
				t.Errorf("settled %v, error %v; want %v, %v", got, err, test.want, test.fail)
			}
		})
	}
}

func TestPendingFollowsWhatIsMadeAgain(t *testing.T) {
	// A write of unknown outcome, found deleted, then made again by somebody: it
	// must settle once the cache shows the new one.
	p := pending{object: &calico.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "p"}}}
	cache := shelf{version: "5", uid: "a"}
	if settled, err := p.settled(t.Context(), cache, shelf{}); settled || err != nil {
		t.Fatalf("settled %v, error %v while the cache shows what is gone", settled, err)
	}
	live := shelf{version: "9", uid: "b"}
	if settled, err := p.settled(t.Context(), cache, live); settled || err != nil {
		t.Fatalf("settled %v, error %v while the cache shows the old one", settled, err)
	}
	if settled, err := p.settled(t.Context(), live, live); !settled || err != nil {
		t.Errorf("settled %v, error %v though the cache shows the new one", settled, err)
	}
}
