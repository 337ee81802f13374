package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/sessions"
)

// TestOthersReports: CalicoNodeStatuses of somebody else's take places of ours, whether they
// are there before or come later; and a rollout works with what is left.
func TestOthersReports(t *testing.T) {
	period := uint32(sessions.RestSeconds)
	others := func(v *virtual, n int) {
		for i := range n {
			v.statuses = append(v.statuses, calico.CalicoNodeStatus{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("theirs-%d", i)},
				Spec:       calico.NodeStatusSpec{Node: v.nodes[i].Name, UpdatePeriodSeconds: &period},
			})
		}
	}
	ours := func(v *virtual) (n int) {
		for i := range v.statuses {
			if sessions.Ours(&v.statuses[i]) {
				n++
			}
		}
		return n
	}
	for theirs, want := range map[int]int{3: sessions.MaxReports - 3, sessions.MaxReports: 1} {
		v := settled(t, 152, 30, 12, 1)
		if n := ours(v); n != sessions.MaxReports {
			t.Fatalf("%d reports", n)
		}
		others(v, theirs)
		v.run(10 * time.Minute)
		if n := ours(v); n != want {
			t.Errorf("%d of ours besides %d of others, want %d; steps:\n%s", n, theirs, want, v.story())
		}
		v.set(exactly(11, 1))
		v.run(30 * time.Minute)
		v.noLoss()
		v.expect(11)
	}
}

// TestPausedWhileWatching: a pause means no write at all, so that reports which are asked for
// often stay so; the message says it.
func TestPausedWhileWatching(t *testing.T) {
	v := newVirtual(t, 153, 12, 3)
	v.set(ratio(4), single)
	watched := func() (n int) {
		for i := range v.statuses {
			if sessions.Watched(&v.statuses[i]) {
				n++
			}
		}
		return n
	}
	for watched() < 2 {
		v.passes()
		v.advance()
	}
	v.annotate(v1alpha1.PauseAnnotation, "true")
	v.steps = nil
	v.runFor(10 * time.Minute)
	told := meta.FindStatusCondition(v.autoscaler.Status.Conditions, v1alpha1.ConditionProgressing)
	if want := fmt.Sprintf("%d reports (CalicoNodeStatus) still asked for every 5 s", watched()); len(v.steps) > 0 || !strings.Contains(told.Message, want) {
		t.Errorf("%s; steps:\n%s", told.Message, v.story())
	}
	v.annotate(v1alpha1.PauseAnnotation, "")
	v.run(10 * time.Minute)
	v.noLoss()
}
