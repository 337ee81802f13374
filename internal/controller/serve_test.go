package controller

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// served is what serve serves.
type served struct {
	t                *testing.T
	probes           *probes
	metrics, probing string // addresses
}

// startServer serves until the test ends.
func startServer(t *testing.T, o Options) *served {
	t.Helper()
	var mu sync.Mutex
	addresses := map[string]string{}
	o.ProbeAddress, o.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	o.Log = funcr.NewJSON(func(line string) {
		var said struct{ What, Address string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Address != "" {
			mu.Lock()
			defer mu.Unlock()
			addresses[said.What] = said.Address
		}
	}, funcr.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s := &served{t: t, probes: &probes{}}
	if err := serve(ctx, o, s.probes); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	s.metrics, s.probing = addresses["metrics"], addresses["health probes"]
	return s
}

// get returns the status and the body of an answer; status 0: there was none.
func (s *served) get(url, token string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nobody signed it
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// someone makes a service account, and returns its token.
func (c *cluster) someone(name, clusterRole string) string {
	c.t.Helper()
	objects := []client.Object{&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}}
	if clusterRole != "" {
		objects = append(objects, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
		})
	}
	c.create(objects...)
	c.t.Cleanup(func() {
		for _, object := range objects {
			c.must(c.client.Delete(context.Background(), object))
		}
	})
	config, err := c.plane.ServiceAccountConfig(c.t.Context(), "default", name)
	c.must(err)
	return config.BearerToken
}

func TestServeMetrics(t *testing.T) {
	c := ownV3(t)
	reader, stranger := c.someone("prometheus", "tapetum-metrics-reader"), c.someone("stranger", "")
	s := startServer(t, Options{Config: c.config()})
	url := "https://" + s.metrics + "/metrics"

	c.eventually("the reader's right to count", func() (bool, string) {
		status, body := s.get(url, reader)
		return status == http.StatusOK && strings.Contains(body, "tapetum_nodes"), body
	})
	for name, test := range map[string]struct {
		url, token string
		want       int
	}{
		"nobody":                {url, "", http.StatusUnauthorized},
		"no token of this API":  {url, "abc.def.ghi", http.StatusUnauthorized},
		"a stranger":            {url, stranger, http.StatusForbidden},
		"another path":          {"https://" + s.metrics + "/debug/pprof/", reader, http.StatusForbidden},
		"the controller itself": {url, c.config().BearerToken, http.StatusForbidden},
	} {
		if got, body := s.get(test.url, test.token); got != test.want || strings.Contains(body, "tapetum_nodes") {
			t.Errorf("%s: status %d, want %d\n%s", name, got, test.want, body)
		}
	}
	if status, body := s.get("http://"+s.metrics+"/metrics", reader); status == http.StatusOK {
		t.Errorf("without TLS: %s", body)
	}
	if status, _ := s.get("http://"+s.probing+"/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz answers a kubelet without a token: %d", status)
	}
	if status, _ := s.get("http://"+s.probing+"/readyz", ""); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz before the caches are filled: %d", status)
	}
	if status, body := s.get("http://"+s.probing+"/metrics", ""); status != http.StatusNotFound {
		t.Errorf("metrics beside the probes: %d %s", status, body)
	}
}

func TestServeMetricsInsecure(t *testing.T) {
	s := startServer(t, Options{MetricsInsecure: true})
	if status, body := s.get("http://"+s.metrics+"/metrics", ""); status != http.StatusOK || !strings.Contains(body, "tapetum_nodes") {
		t.Errorf("status %d\n%s", status, body)
	}
}
