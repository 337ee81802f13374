package rollout

import (
	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/topology"
)

// verdict is what one rule of the chain says: a step, or what to wait for.
type verdict struct {
	step *Step
	wait *wait
}

func take(step *Step) *verdict { return &verdict{step: step} }

// rule looks at one thing. Nil: that is in order, ask the next.
type rule func(*state) *verdict

// Next decides. The same input always gives the same output.
func Next(in Input) Output { return next(in, topology.Make) }

// next decides with another planner.
func next(in Input, plan func(topology.Request) topology.Plan) Output {
	s := newState(in, plan)
	return s.output(s.override(s.decide()))
}

// decide asks the rules in their order; the first that has something to say
// decides. The order is that of design: repair what somebody broke, add, observe,
// take away.
func (s *state) decide() *verdict {
	if s.meshOn {
		s.since(clockMeshOn)
	}
	s.watchMesh()
	if v := s.refuse(); v != nil {
		return v
	}
	if contest := s.refuseContest(); contest != nil {
		return s.despiteContest(contest)
	}
	v := s.attend(firstOf(s, s.rules()))
	if v == nil || v.step == nil {
		return v
	}
	return s.admit(v)
}

func firstOf(s *state, rules []rule) *verdict {
	for _, ask := range rules {
		if v := ask(s); v != nil {
			return v
		}
	}
	return nil
}

func (s *state) rules() []rule {
	if s.plan.Topology == v1alpha1.TopologyMesh {
		return []rule{
			(*state).probe,
			(*state).meshMayStayOff,
			(*state).tagFilter,
			(*state).turnMeshOn,
			(*state).repairLeaving,
			(*state).dropLeftIDs,
			(*state).reportSessions,
			(*state).pinStanding,
			(*state).dropStalePins,
			(*state).serveLast,
			(*state).restoreMesh,
			(*state).demote,
			(*state).dropPeers,
			(*state).dropFilter,
			(*state).moveHomes,
			(*state).protect,
			(*state).dropReports,
			(*state).leftByBrake,
			(*state).awaitSuspects,
			(*state).forgetMesh,
			(*state).finishDeletion,
		}
	}
	return []rule{
		(*state).probe,
		// Whom to peer with, before there is anybody.
		(*state).whoPeers,
		// Put back, and add.
		(*state).repairRoles,
		(*state).dropLeftIDs,
		(*state).reportSessions,
		(*state).pinStanding,
		(*state).dropStalePins,
		(*state).giveHomesFirst,
		(*state).promote,
		(*state).withdrawIdle,
		(*state).serve,
		(*state).protect,
		(*state).giveHomes,
		(*state).widen,
		(*state).leaveHomes,
		(*state).keepTwins,
		// Each behind what has been seen of the one before.
		(*state).settle,
		(*state).changeRoles,
		(*state).regroup,
		(*state).narrow,
		(*state).withdraw,
		(*state).demote,
		(*state).dropPeerings,
		(*state).dropFilter,
		(*state).moveHomes,
		(*state).dropReports,
		(*state).turnMeshOff,
		(*state).changeIDs,
		(*state).renew,
		(*state).awaitHomes,
		(*state).leftByBrake,
		(*state).awaitSuspects,
	}
}

// admit lets a step pass, or puts something before it: a mode that does not
// write, a person who keeps undoing it, the finalizer.
func (s *state) admit(v *verdict) *verdict {
	step := v.step
	if step.Subtractive && s.heldBy() != nil {
		return s.braked(step.brief())
	}
	if held := s.overBudget(step); held != nil {
		return held
	}
	if step.Repair {
		if w := s.contested(step.Object); w != nil {
			return &verdict{wait: w}
		}
	}
	if s.spec.Mode == v1alpha1.ModeApply && !s.deleting() && !s.hasFinalizer() {
		return take(&Step{
			Action: AddFinalizer, Object: s.autoscalerObject(),
			Why: "the mesh must come back before this RouteReflectorAutoscaler may go",
		})
	}
	return v
}

// refuse names what forbids every write.
func (s *state) refuse() *verdict {
	switch {
	case s.deleting() && !s.hasFinalizer():
		return waitFor(ReasonDeleted, "deleted: nothing is written any more")
	case s.abandoned():
		return take(&Step{
			Action: RemoveFinalizer, Object: s.autoscalerObject(),
			Why: "deleted with " + v1alpha1.AbandonAnnotation + ": everything stays as it is",
		})
	}
	if w := s.paused(); w != nil {
		return &verdict{wait: w}
	}
	switch {
	case s.spec.Mode == v1alpha1.ModeDryRun && s.hasFinalizer():
		return take(&Step{
			Action: RemoveFinalizer, Object: s.autoscalerObject(),
			Why: "in DryRun nothing is to be undone at deletion",
		})
	case s.in.Frozen != "":
		return waitFor(ReasonFrozen, "%s", s.in.Frozen)
	case !s.in.DatastoreReady:
		return waitFor(ReasonDatastoreNotReady,
			"ClusterInformation/default says datastoreReady: false (a migration or upgrade of Calico runs): all writes pause until it is true")
	}
	return nil
}
