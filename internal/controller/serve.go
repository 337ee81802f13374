package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

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

// serve answers probes and metrics until the context ends.
func serve(ctx context.Context, o Options, p *probes) error {
	health := http.NewServeMux()
	health.HandleFunc("/healthz", p.healthz)
	health.HandleFunc("/readyz", p.readyz)
	if err := listen(ctx, o, "health probes", o.ProbeAddress, health); err != nil {
		return err
	}
	numbers := http.NewServeMux()
	numbers.Handle("/metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	return listen(ctx, o, "metrics", o.MetricsAddress, numbers)
}

func listen(ctx context.Context, o Options, what, address string, handler http.Handler) error {
	if address == "" || address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve %s on %s: %w", what, address, err)
	}
	o.Log.Info("serving", "what", what, "address", listener.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error(err, "server ended", "what", what)
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}
