package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// probes answer the kubelet. They outlive the managers, of which there may be
// several in the life of a process.
type probes struct {
	ready atomic.Bool
}

func (p *probes) setReady(ready bool) { p.ready.Store(ready) }

func (p *probes) healthz(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, "ok")
}

func (p *probes) readyz(w http.ResponseWriter, _ *http.Request) {
	if !p.ready.Load() {
		http.Error(w, "the caches are not filled yet", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// serve answers probes and metrics until the context ends. Probes say yes or no to
// anybody; metrics go to those who may read them, unless Options say otherwise.
func serve(ctx context.Context, o Options, p *probes) error {
	health := http.NewServeMux()
	health.HandleFunc("/healthz", p.healthz)
	health.HandleFunc("/readyz", p.readyz)
	if err := listen(ctx, o, "health probes", o.ProbeAddress, health, nil); err != nil {
		return err
	}
	numbers := http.NewServeMux()
	numbers.Handle("/metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	if o.MetricsInsecure || !serving(o.MetricsAddress) {
		return listen(ctx, o, "metrics", o.MetricsAddress, numbers, nil)
	}
	access, err := newAccess(o.Config, o.Log)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	secured, err := serverTLS(ctx, o.MetricsCertDir, o.Log)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return listen(ctx, o, "metrics", o.MetricsAddress, access.protect(numbers), secured)
}

func serving(address string) bool { return address != "" && address != "0" }

// listen serves with TLS where a configuration is given.
func listen(ctx context.Context, o Options, what, address string, handler http.Handler, secured *tls.Config) error {
	if !serving(address) {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve %s on %s: %w", what, address, err)
	}
	o.Log.Info("serving", "what", what, "address", listener.Addr().String(), "tls", secured != nil)
	if secured != nil { // strangers can reach it
		listener = tls.NewListener(&fewConnections{Listener: listener, taken: slots(maxConnections)}, secured)
	}
	// Whoever sends slowly, much, or nothing holds nothing up for long.
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		// Strangers who do not speak TLS are nothing to report.
		ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(o.Log.V(1)), slog.LevelInfo),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error(err, "server ended", "what", what)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}
