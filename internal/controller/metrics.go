package controller

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"tapetum.dev/tapetum/internal/rollout"
)

var (
	stepsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tapetum_steps_total", Help: "Steps written, by action.",
	}, []string{"action"})
	writesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tapetum_api_writes_total", Help: "Writes to the API server, by kind of object and result; events and leases not counted.",
	}, []string{"object", "result"})
	revertsTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tapetum_reverts_total", Help: "Times that somebody undid what had been written.",
	})
	gateSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tapetum_gate_wait_seconds", Help: "How long the rollout waited before each step.",
		Buckets: []float64{0.1, 0.5, 1, 2, 5, 10, 20, 60, 300, 1800},
	})
	nodesGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tapetum_nodes", Help: "Nodes that speak BGP.",
	})
	reflectorsGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tapetum_reflectors", Help: "Nodes that are route reflectors now.",
	})
	degradedGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tapetum_degraded", Help: "1 while something needs a person.",
	})
	frozenGauge = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tapetum_frozen", Help: "1 while Calico's API group cannot be used.",
	})
)

func init() {
	metrics.Registry.MustRegister(stepsTotal, writesTotal, revertsTotal, gateSeconds,
		nodesGauge, reflectorsGauge, degradedGauge, frozenGauge)
}

func observe(out *rollout.Output) {
	nodesGauge.Set(float64(out.Status.Nodes))
	reflectorsGauge.Set(float64(out.Status.ReflectorCount))
	degradedGauge.Set(0)
	if isDegraded(out.Status.Conditions) {
		degradedGauge.Set(1)
	}
}

func observeAbsent() {
	nodesGauge.Set(0)
	reflectorsGauge.Set(0)
	degradedGauge.Set(0)
}

func countWrite(object string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	writesTotal.WithLabelValues(object, result).Inc()
}
