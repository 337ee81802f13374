package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"tapetum.dev/tapetum/internal/controller"
)

func init() { register(newControllerCommand) }

// namespaceFile is where Kubernetes tells a pod its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// collectAt is by how many percent the heap may grow before it is collected. The
// controller does little most of the time, and its memory counts on every cluster:
// with 5,000 nodes this saves a quarter of it. $GOGC says otherwise.
const collectAt = 40

type controllerFlags struct {
	kubeconfig, context string
	leaderElect         bool
	leaseNamespace      string
	probes, metrics     string
	metricsInsecure     bool
	metricsCertDir      string
	logFormat, logLevel string
}

func newControllerCommand() *cobra.Command {
	var flags controllerFlags
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run the controller against a cluster",
		Long: `Runs the controller until it is told to stop. It takes the cluster from --kubeconfig,
then from $KUBECONFIG, then from the service account of the pod it runs in.`,
		Args: wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runController(cmd.Context(), flags, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; unset: $KUBECONFIG, then in-cluster")
	f.StringVar(&flags.context, "context", "", "`name` of the context in the kubeconfig; unset: its current one")
	f.BoolVar(&flags.leaderElect, "leader-elect", true, "choose one of several replicas by a lease")
	f.StringVar(&flags.leaseNamespace, "leader-election-namespace", "", "`namespace` of the lease; unset: the pod's own, outside a pod kube-system")
	f.StringVar(&flags.probes, "health-probe-bind-address", "127.0.0.1:8081", "`address` for /healthz and /readyz, such as :8081 for all of the machine's; 0: none")
	f.StringVar(&flags.metrics, "metrics-bind-address", "127.0.0.1:8080", "`address` for /metrics, such as :8080 for all of the machine's, served with TLS to those who may get that path; 0: none")
	f.BoolVar(&flags.metricsInsecure, "metrics-insecure", false, "serve /metrics to everybody, and without TLS: for use on one's own machine")
	f.StringVar(&flags.metricsCertDir, "metrics-cert-dir", "", "`folder` with tls.crt and tls.key for /metrics, taken up anew when they change; unset: one of its own making")
	f.StringVar(&flags.logFormat, "log-format", "json", "`format` of the log: json or text")
	f.StringVar(&flags.logLevel, "log-level", "info", "least `level` that is logged: debug, info, warn or error")
	return cmd
}

func runController(ctx context.Context, flags controllerFlags, logTo io.Writer) error {
	log, err := newLogger(logTo, flags.logFormat, flags.logLevel)
	if err != nil {
		return err
	}
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))
	if err := checkAddresses(flags); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	config, err := restConfig(flags.kubeconfig, flags.context)
	if err != nil {
		return err
	}
	log.Info("starting", "version", Version(), "server", config.Host)
	return controller.Run(ctx, controller.Options{
		Config:                  config,
		Log:                     log,
		LeaderElect:             flags.leaderElect,
		LeaderElectionNamespace: leaseNamespace(flags.leaseNamespace),
		ProbeAddress:            flags.probes,
		MetricsAddress:          flags.metrics,
		MetricsInsecure:         flags.metricsInsecure,
		MetricsCertDir:          flags.metricsCertDir,
	})
}

func newLogger(to io.Writer, format, level string) (logr.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level %q: want debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(to, options)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(to, options)), nil
	}
	return logr.Logger{}, fmt.Errorf("--log-format %q: want json or text", format)
}

func checkAddresses(flags controllerFlags) error {
	for name, address := range map[string]string{
		"--health-probe-bind-address": flags.probes, "--metrics-bind-address": flags.metrics,
	} {
		if address == "" || address == "0" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s %q: want [host]:port, or 0 for none: %w", name, address, err)
		}
	}
	return nil
}

// restConfig says how to reach the cluster.
func restConfig(kubeconfig, context string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	if kubeconfig == "" {
		if err := checkKubeconfigVariable(); err != nil {
			return nil, err
		}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err == nil {
		return config, nil
	}
	if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("no cluster: give --kubeconfig, set $KUBECONFIG, or run in a pod with a service account")
	}
	return nil, fmt.Errorf("kubeconfig: %w", err)
}

// checkKubeconfigVariable refuses a $KUBECONFIG of which no file exists: client-go would
// take another cluster without a word.
func checkKubeconfigVariable() error {
	variable := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if variable == "" {
		return nil
	}
	for _, file := range filepath.SplitList(variable) {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			return nil // what is wrong with it, if anything, is told when it is read
		}
	}
	return fmt.Errorf("$KUBECONFIG is %s, which does not exist: correct or unset it, or give --kubeconfig", variable)
}

func leaseNamespace(flag string) string {
	if flag != "" {
		return flag
	}
	if raw, err := os.ReadFile(namespaceFile); err == nil {
		if namespace := strings.TrimSpace(string(raw)); namespace != "" {
			return namespace
		}
	}
	return "kube-system"
}
