package controller

import (
	"context"
	"time"

	"github.com/go-logr/logr"
)

// groupWatch looks again and again whether the API server still serves what was
// found at the start.
type groupWatch struct {
	discoverer *Discoverer
	start      Finding
	interval   time.Duration
	log        logr.Logger
	nudged     chan struct{}

	// change is called when another group is to be used, or other kinds.
	change func()
	// freeze is called with a reason when the group in use has become unavailable,
	// and with "" when it is back. Nil where all is frozen from the start.
	freeze func(reason string)
	frozen bool
}

func newGroupWatch(discoverer *Discoverer, start Finding, interval time.Duration, log logr.Logger) *groupWatch {
	return &groupWatch{discoverer: discoverer, start: start, interval: interval, log: log, nudged: make(chan struct{}, 1)}
}

// nudge makes it look soon: somebody has met an error that it may explain.
func (w *groupWatch) nudge() {
	select {
	case w.nudged <- struct{}{}:
	default:
	}
}

func (w *groupWatch) run(ctx context.Context) {
	interval := w.interval
	if w.start.Frozen != "" {
		interval = min(interval, waitInterval)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-w.nudged:
			// Errors come in bursts, one look answers them all.
			sleep(ctx, time.Second)
		}
		if w.look(ctx) {
			w.change()
			return
		}
	}
}

// look tells whether all must begin anew.
func (w *groupWatch) look(ctx context.Context) bool {
	finding, err := w.discoverer.Find(ctx)
	if err != nil {
		// The API server is away. Watches and writes fail by themselves.
		w.log.V(1).Info("discovery failed", "reason", err.Error())
		return false
	}
	switch {
	case w.start.Frozen != "":
		return finding.Frozen != w.start.Frozen || !finding.Policy
	case finding.Frozen != "":
		if !w.frozen {
			w.log.Info("frozen", "reason", finding.Frozen)
			w.frozen = true
			w.freeze(finding.Frozen)
			frozenGauge.Set(1)
		}
		return false
	case finding.Group != w.start.Group || finding.Kinds != w.start.Kinds || finding.Sources != w.start.Sources || !finding.Policy:
		w.log.Info("what the API server serves has changed, starting again",
			"group", finding.Group.String(), "before", w.start.Group.String())
		return true
	case w.frozen:
		w.log.Info("no longer frozen", "group", finding.Group.String())
		w.frozen = false
		w.freeze("")
		frozenGauge.Set(0)
	}
	return false
}
