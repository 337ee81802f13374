package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
	"tapetum.dev/tapetum/internal/controlplane/controlplanetest"
)

func TestControllerRefusesBadFlags(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	tests := map[string]struct {
		args []string
		want string
	}{
		"log format":        {[]string{"--log-format=xml"}, "want json or text"},
		"log level":         {[]string{"--log-level=loud"}, "want debug, info, warn or error"},
		"probe address":     {[]string{"--health-probe-bind-address=8081"}, "--health-probe-bind-address"},
		"metrics address":   {[]string{"--metrics-bind-address=nowhere"}, "--metrics-bind-address"},
		"no cluster":        {nil, "give --kubeconfig"},
		"missing file":      {[]string{"--kubeconfig=/does/not/exist"}, "/does/not/exist"},
		"broken kubeconfig": {[]string{"--kubeconfig=" + broken}, "kubeconfig"},
		"argument":          {[]string{"extra"}, `tapetum: controller: argument "extra" given, want none`},
		"unknown flag":      {[]string{"--leader"}, "unknown flag"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var errOut bytes.Buffer
			code := Run(t.Context(), append([]string{"controller"}, test.args...), strings.NewReader(""), io.Discard, &errOut)
			if code != exitUnusable || !strings.Contains(errOut.String(), test.want) {
				t.Errorf("exit code %d and %q, want %d and %q", code, errOut.String(), exitUnusable, test.want)
			}
		})
	}
}

// client-go would take another cluster without a word.
func TestKubeconfigVariableNamesNothing(t *testing.T) {
	t.Setenv("KUBECONFIG", "/does/not/exist:/nor/does/this")
	for _, command := range []string{"controller", "verify"} {
		code, _, errOut := tapetum(t, "", command)
		if code != exitUnusable || !strings.Contains(errOut, "$KUBECONFIG is /does/not/exist:/nor/does/this, which does not exist") {
			t.Errorf("%s: exit code %d, %s", command, code, errOut)
		}
	}
}

// Whoever runs it on their own machine opens nothing to the network; deploy says what a
// cluster needs.
func TestControllerListensOnLoopback(t *testing.T) {
	for _, name := range []string{"health-probe-bind-address", "metrics-bind-address"} {
		address, err := netip.ParseAddrPort(newControllerCommand().Flag(name).DefValue)
		if err != nil || !address.Addr().IsLoopback() {
			t.Errorf("--%s: %s, %v", name, address, err)
		}
	}
}

func TestLoggerFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"found","node":"n1"`, "text": `msg=found node=n1`} {
		var out bytes.Buffer
		log, err := newLogger(&out, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		log.Info("found", "node", "n1")
		log.V(1).Info("hidden")
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

// transcript is a log that may be read while it is written.
type transcript struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

// served returns the address of an endpoint, once the log tells of it.
func (l *transcript) served(what string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.lines.String()) {
		var entry struct{ Msg, What, Address string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" && entry.What == what {
			return entry.Address
		}
	}
	return ""
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestControllerLifeOnAnAPIServer(t *testing.T) {
	plane := controlplanetest.ForTest(t, controlplane.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log transcript
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{
			"controller", "--kubeconfig", plane.Kubeconfig(), "--leader-election-namespace=kube-system",
			"--health-probe-bind-address=127.0.0.1:0", "--metrics-bind-address=127.0.0.1:0", "--metrics-insecure",
		}, strings.NewReader(""), io.Discard, &log)
	}()
	eventually := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited two minutes for: %s; log:\n%s", what, &log.lines)
			}
		}
	}
	eventually("the endpoints", func() bool { return log.served("health probes") != "" && log.served("metrics") != "" })
	probes := "http://" + log.served("health probes")

	// Without its kind on the API server it lives, waits and says for what.
	eventually("the log to say what is missing", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return strings.Contains(log.lines.String(), "install Tapetum's CustomResourceDefinition")
	})
	if code, body := fetch(t, probes+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, _ := fetch(t, probes+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d before there is anything to do, want %d", code, http.StatusServiceUnavailable)
	}

	manifests, err := deploy.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := controlplane.DecodeObjects(manifests)
	if err != nil {
		t.Fatal(err)
	}
	if err := controlplane.Apply(t.Context(), plane.Config(), objects); err != nil {
		t.Fatal(err)
	}
	// Without Calico it is frozen: ready to work, and it says so in the status.
	eventually("/readyz", func() bool { code, _ := fetch(t, probes+"/readyz"); return code == http.StatusOK })
	code, body := fetch(t, "http://"+log.served("metrics")+"/metrics")
	if code != http.StatusOK || !strings.Contains(body, "tapetum_frozen 1") || !strings.Contains(body, "tapetum_nodes 0") {
		t.Errorf("/metrics: %d\n%s", code, body)
	}

	// It goes on as soon as Calico's kinds are there.
	set, err := controlplane.OwnCalicoCRDs("crd.projectcalico.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.InstallCRDs(t.Context(), set.Files); err != nil {
		t.Fatal(err)
	}
	eventually("the end of the frost", func() bool {
		_, body := fetch(t, "http://"+log.served("metrics")+"/metrics")
		return strings.Contains(body, "tapetum_frozen 0")
	})
	eventually("/readyz", func() bool { code, _ := fetch(t, probes+"/readyz"); return code == http.StatusOK })

	cancel()
	select {
	case code := <-ended:
		if code != exitOK {
			t.Errorf("exit code %d after a stop, want %d", code, exitOK)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not stop")
	}
	if !strings.Contains(log.lines.String(), `"msg":"stopped"`) {
		t.Errorf("the log does not end with the stop:\n%s", &log.lines)
	}
}

func TestVersionCommand(t *testing.T) {
	var out bytes.Buffer
	if code := Run(t.Context(), []string{"version"}, strings.NewReader(""), &out, io.Discard); code != exitOK || !strings.Contains(out.String(), "go1.") {
		t.Errorf("exit code %d, output %q", code, out.String())
	}
}

func TestWrongUse(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"simulate --nodes x", `tapetum: --nodes "x": want a whole number`},
		{"lab demo --timeout soon", `tapetum: --timeout "soon": want something like 30s or 5m`},
		{"simulate --grow 1..5 --nodes 4", "--grow and --nodes: give only one of them"},
		{"verify --from a --kubeconfig b", "--from and --kubeconfig: give only one of them"},
		{"verify --from a --context b", "--from and --context: give only one of them"},
		{"verify --nope", "unknown flag: --nope (tapetum verify --help lists all)"},
		{"verify --from none.yaml", "--from: open none.yaml"},
		{"simulate --policy none.yaml", "--policy: open none.yaml"},
		{"completion nope", `unknown command "nope" for "tapetum completion"`},
		{"reflect", `unknown command "reflect" for "tapetum"`},
		{"verfy", `did you mean "verify"?`},
		{"explain nobody", `unknown command "nobody" for "tapetum explain"`},
		{"help nobody", `unknown command "nobody" for "tapetum"`},
		{"help lab nobody", `unknown command "nobody" for "tapetum lab"`},
	} {
		code, out, errOut := tapetum(t, "", strings.Fields(tt.args)...)
		if code != exitUnusable || out != "" || !strings.Contains(errOut, tt.want) {
			t.Errorf("%s: exit code %d, %q, %q", tt.args, code, out, errOut)
		}
	}
	for _, args := range []string{"", "lab", "explain", "help explain", "explain --help"} {
		if code, out, errOut := tapetum(t, "", strings.Fields(args)...); code != exitOK || !strings.Contains(out, "Available Commands") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, errOut)
		}
	}
}
