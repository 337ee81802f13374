package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/topology"
)

// fakeAPI serves the lists of a small cluster, nodes in two pages.
func fakeAPI(t *testing.T) *httptest.Server {
	t.Helper()
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	status := func(w http.ResponseWriter, code int, reason string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"no","code":%d}`, reason, code)
	}
	type object = map[string]any
	resource := func(name string) object { return object{"name": name, "kind": name, "verbs": []string{"list"}} }
	node := func(i int) object {
		return object{"metadata": object{"name": fmt.Sprintf("n%d", i), "annotations": object{"projectcalico.org/IPv4Address": fmt.Sprintf("10.0.0.%d/24", i)}}}
	}
	list := func(kind, version, next string, items ...object) object {
		return object{"kind": kind, "apiVersion": version, "metadata": object{"continue": next}, "items": items}
	}
	const v3 = "projectcalico.org/v3"
	mux := http.NewServeMux()
	mux.HandleFunc("/api", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, object{"kind": "APIVersions", "versions": []string{"v1"}})
	})
	mux.HandleFunc("/apis", func(w http.ResponseWriter, _ *http.Request) {
		version := object{"groupVersion": v3, "version": "v3"}
		answer(w, object{"kind": "APIGroupList", "apiVersion": "v1", "groups": []object{
			{"name": "projectcalico.org", "versions": []object{version}, "preferredVersion": version},
		}})
	})
	mux.HandleFunc("/apis/projectcalico.org/v3", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": v3,
			"resources": []object{resource("bgppeers"), resource("bgpconfigurations")}})
	})
	mux.HandleFunc("/api/v1/nodes", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") == "" {
			answer(w, list("NodeList", "v1", "more", node(1), node(2)))
			return
		}
		answer(w, list("NodeList", "v1", "", node(3)))
	})
	mux.HandleFunc("/apis/projectcalico.org/v3/bgppeers", func(w http.ResponseWriter, _ *http.Request) { answer(w, list("BGPPeerList", v3, "")) })
	mux.HandleFunc("/apis/projectcalico.org/v3/bgpconfigurations", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, list("BGPConfigurationList", v3, "", object{"metadata": object{"name": "default"}}))
	})
	mux.HandleFunc("/apis/projectcalico.org/v3/ippools", func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusForbidden, "Forbidden") })
	mux.HandleFunc("/apis/projectcalico.org/v3/clusterinformations", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, list("ClusterInformationList", v3, "", object{"metadata": object{"name": "default"}, "spec": object{"calicoVersion": "v3.32.0"}}))
	})
	mux.HandleFunc("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgpfilters.crd.projectcalico.org", func(w http.ResponseWriter, _ *http.Request) {
		anything := object{"x-kubernetes-preserve-unknown-fields": true}
		answer(w, object{"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": object{"name": "bgpfilters.crd.projectcalico.org"},
			"spec": object{"versions": []object{{"name": "v1", "storage": true, "schema": object{"openAPIV3Schema": anything}}}}})
	})
	mux.HandleFunc("/api/v1/namespaces/kube-system/pods", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("labelSelector"); got != "k8s-app=calico-node" {
			t.Errorf("pods are asked for with the selector %q", got)
		}
		answer(w, list("PodList", "v1", "", object{
			"metadata": object{"name": "calico-node-1", "namespace": "kube-system", "labels": object{"k8s-app": "calico-node"}},
			"spec":     object{"nodeName": "n1", "containers": []object{{"name": "calico-node", "image": "calico/node:v3.32.0"}}},
		}))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusNotFound, "NotFound") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"a",
"contexts":[{"name":"a","context":{"cluster":"a"}}],"clusters":[{"name":"a","cluster":{"server":%q}}]}`, server)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestVerifyLive(t *testing.T) {
	t.Parallel()
	file := kubeconfig(t, fakeAPI(t).URL)
	code, out, errOut := tapetum(t, "", "verify", "--kubeconfig", file, "-o", "json")
	var report struct {
		Nodes    int `json:"nodes"`
		Sessions struct {
			Total int `json:"total"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("exit code %d, %s%s", code, errOut, out)
	}
	if code != 0 || report.Nodes != 3 || report.Sessions.Total != 3 {
		t.Errorf("exit code %d, %+v", code, report)
	}
	if !strings.HasPrefix(errOut, "note: not read: ") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("notes: %q", errOut)
	}
}

func TestLiveTellsOfTheTagFilter(t *testing.T) {
	t.Parallel()
	flags := inputFlags{kubeconfig: kubeconfig(t, fakeAPI(t).URL)}
	cluster, err := flags.readLive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := topology.TagFilterSupport{Cluster: true, Nodes: map[string]bool{"n1": true}}
	if diff := cmp.Diff(want, cluster.TagFilter); diff != "" {
		t.Errorf("tag filter (-want +got):\n%s", diff)
	}
}

func TestVerifyWithoutCluster(t *testing.T) {
	t.Parallel()
	code, _, errOut := tapetum(t, "", "verify", "--kubeconfig", filepath.Join(t.TempDir(), "none"))
	if code != 2 || !strings.Contains(errOut, "--from FILE") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	server := fakeAPI(t)
	file := kubeconfig(t, server.URL)
	server.Close()
	if code, _, errOut := tapetum(t, "", "verify", "--kubeconfig", file); code != 2 || !strings.Contains(errOut, "connect") {
		t.Errorf("server away: exit code %d, %s", code, errOut)
	}
}
