package bgp

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The short cut says yes only where trying all choices does.
func TestPlentyIsEnough(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		n := Build(drawInput(t, 7))
		f := rapid.IntRange(1, 3).Draw(t, "f")
		l := newLosses(n, n.living(nil), nil)
		if len(l.reflectors) == 0 || !l.plenty(f) {
			return
		}
		used := make([]set, n.roles.count())
		if !l.complete(used, nowhere) {
			t.Fatal("a route is missing with all reflectors there")
		}
		for lost := 1; lost <= min(f, len(l.reflectors)); lost++ {
			if !l.withstands(used, l.reflectors, lost) {
				t.Fatalf("the loss of %d reflectors takes a route away", lost)
			}
		}
	})
}

// TestUnknownIsNotBroken: where there are too many choices of lost reflectors to try, it is
// not known whether all routes survive; where fewer reflectors are enough to lose one, it is.
func TestUnknownIsNotBroken(t *testing.T) {
	for name, test := range map[string]struct {
		n                 *Network
		survives, unknown bool
	}{
		"40 reflectors, four homes":    {Build(multiLike(80, 40, 4)), true, false},
		"41 reflectors, four homes":    {Build(multiLike(82, 41, 4)), false, true},
		"41 reflectors, two homes":     {Build(multiLike(82, 41, 2)), false, false},
		"41 reflectors that all serve": {Build(singleLike(82, 41)), true, false},
	} {
		if survives, known := test.n.Survival(3); survives != test.survives || known == test.unknown || survives != test.n.SurvivesReflectors(3) {
			t.Errorf("%s: survives %v, known %v", name, survives, known)
		}
	}
}

// Many reflectors, and many that may fail, must not take for ever. What it says of
// them is right for one ID with all clients on all, and no where it is not known.
func TestManyFailures(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		single := Build(singleLike(120, 60))
		if !single.SurvivesReflectors(10) {
			t.Error("60 reflectors with every client on each survive the loss of 10")
		}
		if Build(multiLike(400, 40, 3)).SurvivesReflectors(10) {
			t.Error("three homes do not survive the loss of 10")
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("no end in sight")
	}
}
