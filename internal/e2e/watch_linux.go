package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// glance is how often the controller's log is read: what is to happen in the
	// middle of something must not come late.
	glance = 20 * time.Millisecond
	// lookEvery is how often it is looked whether all is as wanted.
	lookEvery = 250 * time.Millisecond
	// steady is how long it must have been.
	steady = 2 * time.Second
)

// watch follows one scenario to its end.
type watch struct {
	*run
	scenario *scenario
	begun    time.Time

	steps     []time.Time // when each was written
	successor successor
	stepped   bool // onStep need not be told any more
	done      bool // what happens has happened
	looked    time.Time
	missing   string    // when it was looked last
	good      time.Time // nothing has been missing since
}

// follow returns when what happens has happened, all is as wanted, and has been for
// a while.
func (w *watch) follow(ctx context.Context, acted <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-acted:
			if err != nil {
				return err
			}
			w.done = true
		case <-time.After(glance):
		}
		if err := w.read(ctx); err != nil {
			return err
		}
		if time.Since(w.looked) < lookEvery {
			continue
		}
		over, err := w.look(ctx)
		if over || err != nil {
			return err
		}
		if time.Since(w.begun) > w.options.Timeout {
			return fmt.Errorf("%w within %s: %s; the controller's last words:\n%s", ErrStuck, w.options.Timeout, w.missing, w.cluster.controller.tail(8))
		}
	}
}

// read takes the controller's steps up.
func (w *watch) read(ctx context.Context) error {
	written, err := w.cluster.controller.steps()
	if err != nil {
		return err
	}
	for _, s := range written {
		w.steps = append(w.steps, s.Time)
		if w.scenario.replaced {
			w.successor.note(&s, w.begun)
		}
		w.say("  %2d  %s %s", len(w.steps), s.Action, s.Object)
		if !w.stepped {
			if w.stepped, err = w.scenario.onStep(ctx, w.run, s, len(w.steps)); err != nil {
				return err
			}
		}
	}
	return nil
}

// look tells whether it is over.
func (w *watch) look(ctx context.Context) (bool, error) {
	var err error
	if w.missing, err = w.lacks(ctx); err != nil {
		return false, err
	}
	w.looked = time.Now()
	w.successor.look(w.cluster.lan, w.looked.Sub(w.begun))
	switch {
	case w.missing != "":
		w.good = time.Time{}
	case w.good.IsZero():
		w.good = w.looked
	default:
		return w.looked.Sub(w.good) >= steady && w.looked.Sub(w.begun) >= w.scenario.atLeast, nil
	}
	return false, nil
}

// lacks says what is not as it must be. What has broken by itself is an error.
func (w *watch) lacks(ctx context.Context) (string, error) {
	if err := w.cluster.lan.health(); err != nil {
		return "", err
	}
	switch {
	case !w.done:
		return "it is still happening", nil
	case !w.stepped:
		return "what was to happen in the middle has not", nil
	}
	if err := w.cluster.controller.process.ended(); err != nil {
		return "", fmt.Errorf("%w; its last words:\n%s", err, w.cluster.controller.tail(8))
	}
	v, err := w.cluster.look(ctx)
	if err != nil {
		return "", err
	}
	if text := w.scenario.want(v); text != "" {
		return text, nil
	}
	if text := v.settled(); text != "" {
		return text, nil
	}
	return w.cluster.lan.calm(), nil
}

// sum adds up what the scenario cost.
func (w *watch) sum() Result {
	now := time.Now()
	changing, changes := w.cluster.changes()
	who := sides{owners: w.cluster.lan.owners, changing: changing, outages: w.cluster.lan.allOutages()}
	a := add(w.cluster.lan.ledger.since(w.begun), &who, w.begun, now)
	a.watched = watched(w.cluster.lan.ledger.pairs(), &who, w.begun, now)
	result := newResult(w.scenario.name, &a)
	result.Steps, result.RoleChanges = len(w.steps), changes
	if killed := w.killed.Load(); killed != nil {
		result.StepsBeforeKill = len(slices.DeleteFunc(slices.Clone(w.steps), killed.Before))
	}
	result.ReplacementRole, result.Replacement = w.successor.role.Seconds(), w.successor.sessions.Seconds()
	if !w.good.IsZero() {
		result.Seconds = w.good.Sub(w.begun).Seconds()
	}
	for _, g := range a.losses {
		had := "a path"
		if g.pathless {
			had = "no path"
		}
		w.say("      %s had no route to %s (%s) for %s, %.3f s after the beginning; BIRD had %s", g.node, who.owners[g.network], g.network,
			g.length(now).Round(time.Millisecond), g.from.Sub(w.begun).Seconds(), had)
	}
	return result
}
