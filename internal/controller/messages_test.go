package controller

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

const hostile = "\x1b[2Jnode\u202e\nwith\x00 more\u009b31m \xff"

func TestNotesAndMessages(t *testing.T) {
	for _, text := range []string{hostile, strings.Repeat(hostile, 5000), strings.Repeat("ü", 40_000)} {
		note, message := toNote(text), toMessage(text)
		for _, got := range []string{note, message} {
			if strings.ContainsAny(got, "\x1b\x00\u009b\u202e") || !utf8.ValidString(got) {
				t.Errorf("%.100q", got)
			}
		}
		if len(note) > maxNote || strings.Contains(note, "\n") || len(message) > maxMessage {
			t.Errorf("%d and %d bytes: %.100q", len(note), len(message), note)
		}
	}
}

// TestHostileTextReachesTheStatusPlain: on the real API server, a message far too long
// and full of escapes is written, readable, and not again at the next pass.
func TestHostileTextReachesTheStatusPlain(t *testing.T) {
	c := ownV3(t)
	policy := newPolicy()
	c.create(policy)
	r := c.reconciler()
	recorder := events.NewFakeRecorder(10)
	r.Recorder = recorder
	status := v1alpha1.RouteReflectorAutoscalerStatus{
		NextStep: hostile,
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "X", Message: strings.Repeat(hostile, 5000),
		}},
	}
	c.must(r.writeStatus(t.Context(), policy, &status))
	stands := c.policy()
	condition := meta.FindStatusCondition(stands.Status.Conditions, v1alpha1.ConditionDegraded)
	if condition == nil || !strings.HasPrefix(condition.Message, `\x1b[2Jnode\u202e`) || len(condition.Message) > maxMessage || stands.Status.NextStep != toMessage(hostile) {
		t.Fatalf("%.300q\n%.300q", condition, stands.Status.NextStep)
	}
	if got := <-recorder.Events; !strings.Contains(got, `\x1b[2Jnode`) || strings.Contains(got, "\x1b") {
		t.Errorf("event %.300q", got)
	}
	c.must(r.writeStatus(t.Context(), policy, &status))
	if again := c.policy(); again.ResourceVersion != stands.ResourceVersion {
		t.Error("the same is written again")
	}
}

// paths notes what is asked of the API server.
type paths struct {
	mu  sync.Mutex
	all []string
}

func (p *paths) watch(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(request *http.Request) (*http.Response, error) {
			p.mu.Lock()
			p.all = append(p.all, request.URL.Path)
			p.mu.Unlock()
			return next.RoundTrip(request)
		})
	})
	return config
}

// of is the first path with that in it; "" for none.
func (p *paths) of(part string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.all, func(path string) bool { return strings.Contains(path, part) }); i >= 0 {
		return p.all[i]
	}
	return ""
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }

// TestPasswordsAreCarriedOverByReferenceOnly: on the way from the mesh to BGPPeers the
// password of the sessions is the reference to a Secret, which the controller has no
// right to read and that need not even be there.
func TestPasswordsAreCarriedOverByReferenceOnly(t *testing.T) {
	eachSet(t, func(t *testing.T, c *cluster) {
		password := &calico.BGPPassword{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "bgp-secrets"}, Key: "mesh",
		}}
		c.create(&calico.BGPConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration},
			Spec:       calico.BGPConfigurationSpec{NodeMeshPassword: password},
		})
		for n := range 4 {
			c.create(newNode(n))
		}
		policy := newPolicy()
		policy.Spec.Topology, policy.Spec.Rollout.Gate = v1alpha1.TopologySingle, v1alpha1.GateDelay
		none := int32(0)
		policy.Spec.Rollout.SettleSeconds = &none
		c.create(policy)
		var asked paths
		stop := c.start(Options{Config: asked.watch(c.config())})
		c.eventually("the mesh to be off", func() (bool, string) {
			configuration := &calico.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: calico.DefaultConfiguration}}
			c.get(configuration)
			return !calico.MeshEnabled([]calico.BGPConfiguration{*configuration}) && configuration.Spec.NodeMeshPassword == nil,
				c.policy().Status.Mesh + ", next " + c.policy().Status.NextStep
		})
		stop()
		var peers calico.BGPPeerList
		c.must(c.client.List(t.Context(), &peers))
		if len(peers.Items) == 0 {
			t.Error("there are no BGPPeers")
		}
		for _, peer := range peers.Items {
			if p := peer.Spec.Password; p == nil || p.SecretKeyRef == nil || p.SecretKeyRef.Name != "bgp-secrets" || p.SecretKeyRef.Key != "mesh" {
				t.Errorf("BGPPeer %s has the password %v", peer.Name, p)
			}
		}
		if !strings.Contains(c.policy().Annotations[v1alpha1.MeshAnnotation], "bgp-secrets") {
			t.Errorf("what was the mesh's is not kept aside: %v", c.policy().Annotations)
		}
		if secret := asked.of("/secrets"); secret != "" {
			t.Errorf("the controller asked for %s", secret)
		}
	})
}
