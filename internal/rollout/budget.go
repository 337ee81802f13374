package rollout

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
)

// budgetWindow is the time over which role changes are counted.
const budgetWindow = 10 * time.Minute

// changesRoleOf tells whether a step gives a node the role, takes it, or changes its
// tier or cluster ID: what restarts sessions of the node. Groups that a reflector
// serves, homes of clients and protection do not count.
func (s *state) changesRoleOf(step *Step) bool {
	if step.Action != SetRole && step.Action != ClearRole || step.Role == nil {
		return false
	}
	node := s.nodes[step.Role.Node]
	return node == nil || node.ClusterID != step.Role.ClusterID ||
		node.Labels[v1alpha1.ReflectorLabel] != step.Role.Labels[v1alpha1.ReflectorLabel]
}

// overBudget holds a role change for which the budget of ten minutes has nothing left.
// What restores redundancy is not held. Nil: it may go on.
func (s *state) overBudget(step *Step) *verdict {
	if s.forced || !s.changesRoleOf(step) {
		return nil
	}
	used, next := s.budgetUsed()
	budget := int(*s.spec.Brakes.RoleChangesPerTenMinutes)
	if used < budget || s.restores(step) {
		return nil
	}
	s.wakeAt(next)
	return waitFor(ReasonRoleBudget,
		"%s waits: %d role changes within %v are as many as spec.brakes.roleChangesPerTenMinutes allows; it goes on at %s",
		step.brief(), used, budgetWindow, next.UTC().Format(time.RFC3339))
}

// budgetUsed is how many role changes count now, and when the oldest cease to.
func (s *state) budgetUsed() (used int, next time.Time) { return budgetUsed(s.roleChanges, s.in.Now) }

// BudgetUsed is how many role changes of a status count at a moment.
func BudgetUsed(status *v1alpha1.RouteReflectorAutoscalerStatus, now time.Time) int {
	if status.Brakes == nil {
		return 0
	}
	used, _ := budgetUsed(status.Brakes.RoleChanges, now)
	return used
}

func budgetUsed(changes []v1alpha1.RoleChanges, now time.Time) (used int, next time.Time) {
	for _, minute := range changes {
		if end := leaves(minute); end.After(now) && !minute.Minute.After(now) {
			used += int(minute.Count)
			if next.IsZero() || end.Before(next) {
				next = end
			}
		}
	}
	return used, next
}

// leaves is when the changes of a minute cease to count: all of them at once, when
// the last one that there may have been in it does.
func leaves(minute v1alpha1.RoleChanges) time.Time {
	return minute.Minute.Add(time.Minute + budgetWindow)
}

// recallBudget reads what earlier passes have spent.
func (s *state) recallBudget() {
	if brakes := s.in.Autoscaler.Status.Brakes; brakes != nil {
		s.roleChanges = slices.Clone(brakes.RoleChanges)
	}
}

// spend notes a role change. What counts no more is forgotten now and not before, so
// that time alone changes nothing in the status.
func (s *state) spend() {
	s.roleChanges = slices.DeleteFunc(s.roleChanges, func(minute v1alpha1.RoleChanges) bool {
		return !leaves(minute).After(s.in.Now) || minute.Minute.After(s.in.Now)
	})
	now := metav1.NewTime(s.in.Now.Truncate(time.Minute))
	if last := len(s.roleChanges) - 1; last >= 0 && s.roleChanges[last].Minute.Equal(&now) {
		s.roleChanges[last].Count++
		return
	}
	s.roleChanges = append(s.roleChanges, v1alpha1.RoleChanges{Minute: now, Count: 1})
}
