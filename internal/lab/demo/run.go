package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/standin"
)

// ErrLost says that ordinary nodes lost routes: what must never happen did.
var ErrLost = errors.New("ordinary nodes lost routes")

// ErrStuck says that an event did not come to its end in time.
var ErrStuck = errors.New("the story did not go on")

// meshTimeout bounds the wait for the mesh at the beginning.
const meshTimeout = 2 * time.Minute

// demo is one running demo.
type demo struct {
	options    Options
	lab        lab.Options
	rule       rule
	screen     *screen
	cluster    *lab.Cluster
	controller *child
	journal    standin.Journal
	abort      context.CancelFunc // ends the lab at once

	victim, zone string // of the events so far
}

// Run tells the story and returns what it took. The report is returned, as far as
// it got, with ErrLost and ErrStuck as well. Everything is gone when it returns,
// but for the report's file.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d := &demo{options: o, lab: o.lab(), rule: newRule(o.Nodes), screen: newScreen(&o)}
	d.intro()
	report := &Report{}
	err := d.tell(ctx, report)
	if err == nil || errors.Is(err, ErrStuck) || errors.Is(err, ErrLost) {
		err = errors.Join(err, d.finish(ctx, report, err))
	}
	return report, errors.Join(err, d.stop())
}

func (d *demo) intro() {
	s := d.screen
	s.line(s.style(bold, "Tapetum: from the mesh to route reflectors and back, without losing a route"))
	s.line("")
	s.wrapped("", "", "", fmt.Sprintf("A real kube-apiserver and etcd on this machine, %d simulated nodes in %d zones that behave as kubelet and calico-node do, "+
		"and the controller as a process of its own.", d.options.Nodes, d.options.Zones))
	s.wrapped("", "", dim, fmt.Sprintf("Compressed for the demo: a dead node is NotReady after %s (Kubernetes: 40s), "+
		"BGP's hold time is %s (240s). Sessions take as long as on real nodes.", notReadyAfter, holdTime))
	s.line("")
	s.line("The policy (RouteReflectorAutoscaler default):")
	for _, text := range d.rule.lines() {
		s.line("  " + s.style(cyan, text))
	}
	s.line("")
}

// tell starts everything and plays the events.
func (d *demo) tell(ctx context.Context, report *Report) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	events := d.story()
	for i := range events {
		result, err := d.play(ctx, i+1, len(events), &events[i])
		if result != nil {
			report.Events = append(report.Events, *result)
		}
		if err != nil {
			return err
		}
	}
	if lost := report.LostOrdinary(); lost > 0 {
		return fmt.Errorf("%w: %.2f route-seconds in all", ErrLost, lost)
	}
	return nil
}

func (d *demo) begin(ctx context.Context) error {
	o := d.lab
	o.Progress = func(text string) { d.screen.line(stamp(time.Since(d.screen.begun)) + "  " + text) }
	var err error
	// The lab ends with ctx only while it starts: later it is stopped after the
	// controller, in order.
	life, abort := context.WithCancel(context.WithoutCancel(ctx))
	d.abort = abort
	started := context.AfterFunc(ctx, abort)
	d.cluster, err = lab.Start(life, o)
	if !started() {
		return errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return err
	}
	o.Progress("waiting for the node-to-node mesh")
	if err := d.awaitMesh(ctx); err != nil {
		return err
	}
	o.Progress("starting the controller")
	d.controller, err = startController(d.options.Executable, d.options.Dir, d.cluster.ControllerKubeconfig(), d.cluster.ControllerNamespace())
	if err != nil {
		return err
	}
	d.journal.Path = d.controller.log
	return nil
}

func (d *demo) awaitMesh(ctx context.Context) error {
	deadline := time.Now().Add(meshTimeout)
	for {
		s, err := d.cluster.State(ctx)
		if err != nil {
			return err
		}
		if calm(&s) == "" {
			d.screen.line(fmt.Sprintf("%s  %d sessions of the mesh are up, every node has a route to every other",
				stamp(time.Since(d.screen.begun)), s.SessionsUp))
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: the mesh did not come up within %s: %s", ErrStuck, meshTimeout, calm(&s))
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// calm says what is not at rest; "" when everything is.
func calm(s *lab.State) string {
	switch {
	case s.MissingPairs > 0:
		return fmt.Sprintf("%d pairs of nodes have no route", s.MissingPairs)
	case s.SessionsUp != s.SessionsConfigured || s.SessionsUp == 0:
		return fmt.Sprintf("%d of %d sessions are up", s.SessionsUp, s.SessionsConfigured)
	case s.Busy:
		return "sessions are still changing"
	}
	return ""
}

// finish prints the result, writes it, and keeps everything up where asked to.
func (d *demo) finish(ctx context.Context, report *Report, failure error) error {
	if len(report.Events) > 0 {
		d.table(report)
	}
	var err error
	if d.options.Report != "" {
		err = writeReport(d.options.Report, report)
	}
	d.verdict(ctx, failure)
	return err
}

func (d *demo) verdict(ctx context.Context, failure error) {
	s := d.screen
	s.line("")
	if failure == nil {
		s.line(s.style(green, "No ordinary node lost a route."))
	} else {
		s.wrapped("", "", red, "Failed: "+failure.Error())
	}
	if d.options.Keep && d.cluster != nil && ctx.Err() == nil {
		d.keep(ctx)
	}
}

func (d *demo) keep(ctx context.Context) {
	s := d.screen
	hint := ""
	if err := d.cluster.Serve(ctx); err == nil {
		hint = "tapetum lab status --dir " + d.options.Dir
	}
	s.line("")
	s.line("The cluster and the controller stay up. Try:")
	s.line("  export KUBECONFIG=" + d.cluster.Kubeconfig())
	s.line("  kubectl get rra,bgppeers,nodes")
	s.line("  kubectl describe rra default")
	if hint != "" {
		s.line("  " + hint + "        (also kill, revive, cordon, delete, add, storm, stop-api)")
	}
	s.line("The controller's log is " + d.journal.Path)
	s.line("Ctrl-C ends it all.")
	<-ctx.Done()
}

func (d *demo) stop() error {
	d.screen.erase()
	var err error
	if d.controller != nil {
		err = d.controller.stop()
	}
	if d.cluster != nil {
		err = errors.Join(err, d.cluster.Stop())
	}
	if d.abort != nil {
		d.abort()
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
