package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	noon   = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	blocks = map[string]netip.Prefix{
		"a": netip.MustParsePrefix("10.64.0.0/26"), "b": netip.MustParsePrefix("10.64.0.64/26"), "c": netip.MustParsePrefix("10.64.0.128/26"),
	}
)

func at(d time.Duration) time.Time { return noon.Add(d) }

func to(node, owner string) pair { return pair{node, blocks[owner]} }

const ms = time.Millisecond

func TestLedger(t *testing.T) {
	t.Parallel()
	type found struct {
		length time.Duration
		lost   bool
	}
	end := at(time.Second)
	tests := []struct {
		name string
		play func(*ledger)
		want []found
		has  bool
	}{
		{
			name: "never there",
			play: func(l *ledger) { l.deleted(to("a", "b"), 32, at(0)) },
		},
		{
			name: "coming up is no gap",
			play: func(l *ledger) { l.added(to("a", "b"), 32, at(0)) },
			has:  true,
		},
		{
			name: "replaced in one message",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.added(to("a", "b"), 32, at(5*ms))
			},
			has: true,
		},
		{
			name: "deleted and added: a replacement",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.deleted(to("a", "b"), 32, at(200*ms))
				l.added(to("a", "b"), 32, at(217*ms))
			},
			want: []found{{17 * ms, false}},
			has:  true,
		},
		{
			name: "as short, but BIRD had no path",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.removed(to("a", "b"), at(199*ms))
				l.deleted(to("a", "b"), 32, at(200*ms))
				l.added(to("a", "b"), 32, at(217*ms))
			},
			want: []found{{17 * ms, true}},
			has:  true,
		},
		{
			name: "BIRD had no path long before, or elsewhere",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.removed(to("a", "b"), at(50*ms))
				l.removed(to("a", "c"), at(200*ms))
				l.deleted(to("a", "b"), 32, at(200*ms))
				l.added(to("a", "b"), 32, at(201*ms))
			},
			want: []found{{ms, false}},
			has:  true,
		},
		{
			name: "100 ms are a loss",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.deleted(to("a", "b"), 32, at(200*ms))
				l.added(to("a", "b"), 32, at(300*ms))
			},
			want: []found{{100 * ms, true}},
			has:  true,
		},
		{
			name: "one of two metrics stays",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.added(to("a", "b"), 1024, at(0))
				l.deleted(to("a", "b"), 32, at(200*ms))
			},
			has: true,
		},
		{
			name: "still away",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.deleted(to("a", "b"), 32, at(400*ms))
			},
			want: []found{{600 * ms, true}},
		},
		{
			name: "the machine is gone: not its kernel's fault",
			play: func(l *ledger) {
				l.added(to("a", "b"), 32, at(0))
				l.deleted(to("a", "b"), 32, at(400*ms))
				l.forget("a")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			tt.play(l)
			var got []found
			for _, g := range l.since(noon) {
				got = append(got, found{g.length(end), g.lost(end)})
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(found{})); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if has := l.has(to("a", "b")); has != tt.has {
				t.Errorf("has a route: %v, want %v", has, tt.has)
			}
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	l := newLedger()
	for _, start := range []time.Duration{0, 500 * ms} {
		l.added(to("a", "b"), 32, at(start))
		l.deleted(to("a", "b"), 32, at(start+100*ms))
		l.added(to("a", "b"), 32, at(start+300*ms))
	}
	for _, tt := range []struct {
		then time.Duration
		want int
	}{{0, 2}, {250 * ms, 2}, {350 * ms, 1}, {time.Second, 0}} {
		if got := len(l.since(at(tt.then))); got != tt.want {
			t.Errorf("since %s: %d gaps, want %d", tt.then, got, tt.want)
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	who := sides{
		owners:   map[netip.Prefix]string{blocks["a"]: "a", blocks["b"]: "b", blocks["c"]: "c"},
		changing: map[string]bool{"c": true},
	}
	gaps := []gap{
		{pair: to("a", "b"), from: at(0), to: at(10 * ms)},                                    // a replacement
		{pair: to("a", "b"), from: at(1 * time.Second), to: at(1200 * ms)},                    // ordinary
		{pair: to("a", "b"), from: at(2 * time.Second), to: at(2300 * ms)},                    // the same pair again
		{pair: to("b", "c"), from: at(2 * time.Second), to: at(4 * time.Second)},              // to a changing node
		{pair: to("c", "a"), from: at(2 * time.Second), to: at(2010 * ms), pathless: true},    // from one
		{pair: to("b", "a"), from: at(-10 * time.Second), to: at(500 * ms)},                   // counted from the beginning on
		{pair: to("c", "b"), from: at(9 * time.Second)},                                       // lasts
		{pair: to("a", "c"), from: at(9950 * ms)},                                             // lasts, but not for long
		{pair: to("a", "c"), from: at(9 * time.Second), to: at(9*time.Second + 20*ms + 1000)}, // the longest replacement
	}
	got := add(gaps, &who, noon, at(10*time.Second))
	got.losses = nil
	want := account{
		replaced: 3, longestReplaced: 50 * ms,
		classes: [3]tally{
			ordinary: {lost: 2, seconds: 1, longest: 500 * ms},
			changing: {lost: 3, seconds: 3.01, longest: 2 * time.Second},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(account{}, tally{})); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}

	// c fails from 3 s to 9.5 s: what touches that is its failure's.
	who.outages = []outage{{node: "c", from: at(3 * time.Second), to: at(9500 * ms)}}
	got = add(gaps, &who, noon, at(10*time.Second))
	if got.classes[ordinary].lost != 2 || got.classes[changing].lost != 1 || got.classes[failed].lost != 2 {
		t.Errorf("with an outage: %+v", got.classes)
	}
}

// TestWatched: a pair is ordinary where neither end changes its role, or is away for
// most of the time.
func TestWatched(t *testing.T) {
	t.Parallel()
	all := []pair{to("a", "b"), to("b", "a"), to("a", "c"), to("c", "a"), to("b", "c"), to("c", "b")}
	who := sides{owners: map[netip.Prefix]string{blocks["a"]: "a", blocks["b"]: "b", blocks["c"]: "c"}}
	count := func() int { return watched(all, &who, noon, at(10*time.Second)) }
	if got := count(); got != 6 {
		t.Errorf("%d pairs are watched, want all 6", got)
	}
	who.outages = []outage{
		{node: "b", from: at(-time.Hour), to: at(-time.Minute)}, // long ago
		{node: "b", from: at(-time.Second), to: at(4 * time.Second)},
	}
	if got := count(); got != 6 {
		t.Errorf("one is away for 4 of 10 s: %d pairs are watched, want all 6", got)
	}
	who.outages = append(who.outages, outage{node: "b", from: at(8 * time.Second)})
	if got := count(); got != 2 {
		t.Errorf("one is away for 6 of 10 s: %d pairs are watched, want 2", got)
	}
	who.changing = map[string]bool{"c": true}
	if got := count(); got != 0 {
		t.Errorf("and another changes its role: %d pairs are watched, want none", got)
	}
}
