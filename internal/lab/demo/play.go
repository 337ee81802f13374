package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/standin"
	"tapetum.dev/tapetum/internal/rollout"
)

const (
	// glance is how often the demo looks.
	glance = 200 * time.Millisecond
	// steady is how long everything must have been as told.
	steady = 1200 * time.Millisecond
	// plainEvery is how often a log shows where things stand.
	plainEvery = 5 * time.Second
)

// view is what the demo sees at one moment.
type view struct {
	state  lab.State
	policy *v1alpha1.RouteReflectorAutoscaler // nil where there is none
}

func (d *demo) look(ctx context.Context) (view, error) {
	var v view
	var err error
	if v.state, err = d.cluster.State(ctx); err != nil {
		return v, err
	}
	var policy v1alpha1.RouteReflectorAutoscaler
	err = d.cluster.Client().Get(ctx, client.ObjectKey{Name: v1alpha1.SingletonName}, &policy)
	if err == nil {
		v.policy = &policy
	}
	return v, client.IgnoreNotFound(err)
}

// chapter is one event being played.
type chapter struct {
	*demo
	event  *event
	begun  time.Time
	result Result

	goodSince time.Time // everything is as told since then
	said      string    // plain: the last thing it was seen to wait for
	saidAt    time.Time
	frame     int
}

// play makes one event happen and watches it to its end. The result is nil only
// where the event did not begin.
func (d *demo) play(ctx context.Context, number, of int, e *event) (*Result, error) {
	v, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.forget(); err != nil {
		return nil, err
	}
	d.screen.line("")
	d.screen.line(d.screen.style(bold, fmt.Sprintf("%d/%d  %s", number, of, e.name)))
	d.cluster.ResetAccount()
	c := &chapter{demo: d, event: e, begun: time.Now()}
	c.result.Name, c.result.ReflectorsBefore = e.name, len(v.state.Reflectors())
	text, err := e.act(ctx, v.state)
	if err != nil {
		return nil, err
	}
	d.screen.wrapped("     ", "     ", "", text)
	err = c.watch(ctx)
	return &c.result, err
}

// forget leaves what was written and logged before to the event before.
func (d *demo) forget() error {
	if _, err := d.cluster.Writes(); err != nil {
		return err
	}
	_, err := d.journal.Read()
	return err
}

func (c *chapter) watch(ctx context.Context) error {
	for {
		if err := c.controller.ended(); err != nil {
			return c.stuck(err.Error())
		}
		v, err := c.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		missing := "the API server does not answer"
		if err == nil {
			missing = c.missing(&v)
		}
		if err := c.showSteps(); err != nil {
			return err
		}
		now := time.Now()
		switch {
		case missing != "":
			c.goodSince = time.Time{}
		case c.goodSince.IsZero():
			c.goodSince = now
		case now.Sub(c.goodSince) >= steady:
			return c.close(&v)
		}
		c.showProgress(&v, missing)
		if now.Sub(c.begun) > c.options.Timeout {
			return c.stuck(missing)
		}
		if err := sleep(ctx, glance); err != nil {
			return err
		}
	}
}

// missing says what is not as told yet; "" when the event is over.
func (c *chapter) missing(v *view) string {
	if v.policy == nil {
		return "there is no RouteReflectorAutoscaler"
	}
	status := &v.policy.Status
	reflectors := len(v.state.Reflectors())
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	switch {
	case status.ObservedGeneration != v.policy.Generation || ready == nil:
		return "the controller has not looked at the policy yet"
	case c.event.topology != "":
		if text := standin.Arrived(v.policy, c.event.topology, v.state.MeshOn, identities(&v.state)); text != "" {
			return text
		}
	case reflectors != c.event.reflectors:
		return fmt.Sprintf("%d reflectors, want %d", reflectors, c.event.reflectors)
	case v.state.MeshOn != c.event.mesh:
		return "the node-to-node mesh is " + onOff(v.state.MeshOn)
	}
	if c.event.also != nil {
		if text := c.event.also(&v.state); text != "" {
			return text
		}
	}
	if !rollout.AtRest(status.Conditions) || int(status.ReflectorCount) != reflectors {
		return "not Ready: " + ready.Message
	}
	return calm(&v.state)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// showSteps prints what the controller has done since the last look.
func (c *chapter) showSteps() error {
	entries, err := c.journal.Read()
	if err != nil {
		return err
	}
	for i := range entries {
		switch e := &entries[i]; e.Message {
		case standin.MessageStep:
			c.result.Steps++
			c.showStep(e)
		case messageDegraded:
			c.note(e.Time, yellow, "degraded ("+e.Reason+"): "+e.Text)
		case messageRecovered:
			c.note(e.Time, green, "no longer degraded: "+e.Reason)
		}
	}
	return nil
}

func (c *chapter) showStep(e *standin.Entry) {
	s := c.screen
	at := stamp(max(e.Time.Sub(c.begun), 0))
	s.line(fmt.Sprintf("%s  %s", at, s.style(bold, fmt.Sprintf("%2d  %s", c.result.Steps, title(e)))))
	const indent = "             "
	for _, part := range []struct{ label, text, code string }{
		{"why: ", e.Why, dim},
		{"proved: ", strings.TrimPrefix(e.Proof, "proved: "), dim},
		{"costs: ", costs(e.Costs), yellow},
		{"then waits for: ", e.WaitsFor, dim},
	} {
		if part.text != "" {
			s.wrapped(indent, indent+"  ", part.code, part.label+part.text)
		}
	}
}

func costs(nodes []string) string {
	if len(nodes) == 0 {
		return ""
	}
	return "the own routes of " + strings.Join(nodes, ", ") + " for a moment"
}

func (c *chapter) note(at time.Time, code, text string) {
	c.screen.wrapped(stamp(max(at.Sub(c.begun), 0))+"  ", "             ", code, text)
}

// showProgress draws the live lines, or prints one now and then.
func (c *chapter) showProgress(v *view, missing string) {
	waits := waitsFor(v, missing)
	numbers := c.numbers(&v.state)
	if !c.screen.plain {
		c.frame++
		spinner := [...]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}[c.frame%10]
		c.screen.live(fmt.Sprintf("%s%s %s", stamp(time.Since(c.begun)), spinner, numbers), "         "+waits)
		return
	}
	if time.Since(c.saidAt) < plainEvery && c.said == waits || time.Since(c.saidAt) < time.Second {
		return
	}
	c.said, c.saidAt = waits, time.Now()
	c.screen.line(fmt.Sprintf("%s  %s; %s", stamp(time.Since(c.begun)), numbers, waits))
}

// waitsFor says what is being waited for: in the controller's words where it
// waits, else what is not as told yet. What it does is shown as steps.
func waitsFor(v *view, missing string) string {
	if missing == "" {
		return "everything is as asked for"
	}
	if v.policy == nil {
		return missing
	}
	conditions := v.policy.Status.Conditions
	progressing := meta.FindStatusCondition(conditions, v1alpha1.ConditionProgressing)
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case progressing == nil || ready == nil || progressing.Status != metav1.ConditionTrue:
		return missing
	case progressing.Reason != ready.Reason: // a step, not a wait
		return v.policy.Status.NextStep
	}
	return progressing.Message
}

func (c *chapter) numbers(s *lab.State) string {
	of := ""
	if c.event.topology == "" {
		of = fmt.Sprintf(" of %d", c.event.reflectors)
	}
	return fmt.Sprintf("reflectors %d%s · mesh %s · sessions %d of %d up · pairs without a route %d · lost %.1f s (ordinary %.1f)",
		len(s.Reflectors()), of, onOff(s.MeshOn), s.SessionsUp, s.SessionsConfigured, s.MissingPairs,
		(s.Lost.Ordinary.RouteTime + s.Lost.Changing.RouteTime).Seconds(), s.Lost.Ordinary.RouteTime.Seconds())
}

// close adds the event up.
func (c *chapter) close(v *view) error {
	if err := c.sum(v); err != nil {
		return err
	}
	r, s := &c.result, c.screen
	lost := s.style(green, "no ordinary node lost a route")
	if r.LostOrdinarySeconds > 0 {
		lost = s.style(red, fmt.Sprintf("ordinary nodes lost %.2f route-seconds", r.LostOrdinarySeconds))
	}
	s.line(fmt.Sprintf("%s  %s %d → %d reflectors, mesh %s, %d sessions, %d steps, %d writes; %s", stamp(c.goodSince.Sub(c.begun)),
		s.style(green, "done:"), r.ReflectorsBefore, r.ReflectorsAfter, onOff(v.state.MeshOn), v.state.SessionsUp, r.Steps, r.Writes, lost))
	if names := v.state.Reflectors(); len(names) > 0 {
		s.wrapped("         ", "         ", dim, "reflectors: "+places(&v.state))
	}
	return nil
}

func (c *chapter) sum(v *view) error {
	writes, err := c.cluster.Writes()
	if err != nil {
		return err
	}
	end := c.goodSince
	if end.IsZero() {
		end = time.Now()
	}
	c.result.ReflectorsAfter = len(v.state.Reflectors())
	c.result.account(c.cluster.Account(), writes, end.Sub(c.begun))
	return nil
}

// places lists the reflectors with their zones.
func places(s *lab.State) string {
	var all []string
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Reflector {
			all = append(all, n.Name+" ("+n.Zone+")")
		}
	}
	return strings.Join(all, ", ")
}

// stuck says where things stand and gives up.
func (c *chapter) stuck(missing string) error {
	s := c.screen
	s.erase()
	s.line(s.style(red, "This is where it stands:"))
	v, err := c.look(context.Background())
	if err != nil {
		s.line("  " + err.Error())
	} else {
		s.line("  " + c.numbers(&v.state))
		s.wrapped("  reflectors: ", "    ", "", places(&v.state))
		for _, p := range v.state.Sample[:min(3, len(v.state.Sample))] {
			s.line(fmt.Sprintf("  %s has no route to %s", p.Node, p.Destination))
		}
		if v.policy != nil {
			for _, condition := range v.policy.Status.Conditions {
				s.wrapped("  ", "    ", "", fmt.Sprintf("%s=%s (%s): %s", condition.Type, condition.Status, condition.Reason, condition.Message))
			}
		}
		if err := c.sum(&v); err != nil {
			s.line("  " + err.Error())
		}
	}
	s.line("  the last lines of the controller's log:")
	for _, line := range c.journal.Tail(8) {
		s.line("    " + line)
	}
	return fmt.Errorf("%w: %q did not end within %s: %s", ErrStuck, c.event.name, c.options.Timeout, missing)
}
