package standin

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"tapetum.dev/tapetum/internal/calico"
)

// desk is one CalicoNodeStatus, and the calico-node that answers it.
type desk struct {
	t       *testing.T
	reports *Reports
	object  *calico.CalicoNodeStatus
	queue   []func()
	asleep  bool
	up      int   // sessions that the node sees up
	fails   error // of the answer
	asked   int
}

var morning = time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)

func newDesk(t *testing.T, period *uint32) *desk {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := calico.AddToScheme(scheme, calico.GroupV3); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, up: 3, object: &calico.CalicoNodeStatus{
		ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "1"},
		Spec:       calico.NodeStatusSpec{Node: "a", Classes: []string{calico.ClassBGP}, UpdatePeriodSeconds: period},
	}}
	api := &API{Subresource: true, Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(d.object).WithStatusSubresource(d.object).Build()}
	d.reports = &Reports{
		API: api, Awake: func(string) bool { return !d.asleep }, Start: func(do func()) { d.queue = append(d.queue, do) },
		Answer: func(context.Context, string) (calico.NodeStatusStatus, error) {
			d.asked++
			return calico.NodeStatusStatus{
				Agent: calico.NodeAgentStatus{BIRDV4: calico.DaemonStatus{State: calico.DaemonReady}},
				BGP:   calico.NodeBGPStatus{NumberEstablishedV4: d.up},
			}, d.fails
		},
	}
	d.meet(0)
	return d
}

func (d *desk) meet(after time.Duration) {
	d.reports.Meet(morning.Add(after), []calico.CalicoNodeStatus{*d.object})
}

// at runs what is due after a time, and wants so many answers asked for since the
// last call, and that the object says so many sessions are up.
func (d *desk) at(after time.Duration, asked, says int) {
	d.t.Helper()
	d.asked = 0
	d.reports.Run(d.t.Context(), morning.Add(after))
	for _, do := range d.queue {
		do()
	}
	d.queue = nil
	if d.asked != asked {
		d.t.Errorf("after %s: %d answers, want %d", after, d.asked, asked)
	}
	if got := d.stored(); got.Status.BGP.NumberEstablishedV4 != says {
		d.t.Errorf("after %s: the object says %d up, want %d", after, got.Status.BGP.NumberEstablishedV4, says)
	}
}

func (d *desk) stored() *calico.CalicoNodeStatus {
	d.t.Helper()
	var object calico.CalicoNodeStatus
	if err := d.reports.API.Client.Get(d.t.Context(), client.ObjectKey{Name: "a"}, &object); err != nil {
		d.t.Fatal(err)
	}
	return &object
}

func seconds(n uint32) *uint32 { return &n }

func TestReportsPeriod(t *testing.T) {
	t.Parallel()
	d := newDesk(t, seconds(60))
	d.at(0, 1, 3)
	version := d.stored().ResourceVersion
	d.at(59*time.Second, 0, 3)
	d.at(60*time.Second, 1, 3)
	if now := d.stored().ResourceVersion; now != version {
		t.Error("a report that says nothing new was written")
	}
	d.up = 2
	d.at(119*time.Second, 0, 3)
	d.at(120*time.Second, 1, 2)
	// Another specification is answered at once.
	d.up = 1
	d.object.Spec.UpdatePeriodSeconds = seconds(30)
	d.meet(130 * time.Second)
	d.at(130*time.Second, 1, 1)
	// A node that is asleep does not answer; what it said stays.
	d.asleep, d.up = true, 0
	d.at(160*time.Second, 0, 1)
}

func TestReportsOnceAndNever(t *testing.T) {
	t.Parallel()
	once := newDesk(t, seconds(0))
	once.at(0, 1, 3)
	once.at(time.Hour, 0, 3)
	newDesk(t, nil).at(0, 0, 0)
	other := newDesk(t, seconds(60))
	other.object.Spec.Classes = []string{"Routes"}
	other.meet(0)
	other.at(0, 1, 0)
}

// TestReportsClasses: what was said of a class stays.
func TestReportsClasses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, seconds(60))
	d.at(0, 1, 3)
	if state := d.stored().Status.Agent.BIRDV4.State; state != "" {
		t.Errorf("the state of BIRD is %q, though nobody asked", state)
	}
	d.object.Spec.Classes = []string{calico.ClassAgent}
	d.meet(time.Second)
	d.up = 2
	d.at(time.Second, 1, 3)
	d.object.Spec.Classes = []string{calico.ClassBGP}
	d.meet(2 * time.Second)
	d.at(2*time.Second, 1, 2)
	if state := d.stored().Status.Agent.BIRDV4.State; state != calico.DaemonReady {
		t.Errorf("the state of BIRD is %q, want what it was", state)
	}
}

func TestReportsAgain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, seconds(60))
	d.fails = errors.New("BIRD does not answer")
	before := time.Now()
	d.at(0, 1, 0)
	d.fails = nil
	d.at(59*time.Second, 0, 0)
	d.at(60*time.Second, 1, 3)
	if updated := d.stored().Status.LastUpdated.Time; updated.Before(before.Truncate(time.Second)) {
		t.Errorf("last updated %s, before the answer", updated)
	}
	// One of the same name that is another object begins anew; one that is gone is
	// not answered.
	d.object.UID = types.UID("2")
	d.meet(0)
	d.at(0, 1, 3)
	d.reports.Meet(morning, nil)
	d.at(time.Hour, 0, 3)
}
