package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestHistories plays random histories of 200 events. TAPETUM_FAULT_SEED and
// TAPETUM_FAULT_EVENTS (numbers with commas) play one history again;
// TAPETUM_FAULT_SHRINK=1, and the long version, look for the fewest events that fail.
func TestHistories(t *testing.T) {
	for _, seed := range seeds(6, 200) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			h := History{Config: begin(seed), Events: 200, Gap: 80 * time.Second}
			h.Nodes, h.Zones, h.MaxNodes = 9+int(seed%3)*4, 1+int(seed%4), 30
			h.Spec = small("Auto")
			limit := int32(10)
			h.Spec.MeshUpTo = &limit
			for _, number := range strings.FieldsFunc(os.Getenv("TAPETUM_FAULT_EVENTS"), func(r rune) bool { return r == ',' }) {
				n, err := strconv.Atoi(number)
				if err != nil {
					t.Fatal(err)
				}
				h.Only = append(h.Only, n)
			}
			w, told := h.Play()
			if v := w.Violations(); len(v) > 0 {
				if h.Only == nil && (long || os.Getenv("TAPETUM_FAULT_SHRINK") != "") {
					h.Only = h.Shrink(60)
				}
				h.Verbose = true
				again, fewest := h.Play()
				t.Fatalf("%s\nTAPETUM_FAULT_SEED=%d TAPETUM_FAULT_EVENTS=%s: %v\n%s\n%s",
					v[0], seed, eventList(h.Only), again.Violations(), strings.Join(fewest, "\n"), again.Log())
			}
			t.Logf("%d events, %d passes, %d steps %v, %v, lost %v, by hands %v", len(told), w.Passes, w.Writes, w.Steps, w.Now().Sub(epoch), w.Lost(), w.check.byHand)
		})
	}
}

// TestSameSeedSameLog plays one history twice.
func TestSameSeedSameLog(t *testing.T) {
	h := History{Config: begin(7), Events: 40, Gap: time.Minute}
	h.Spec, h.MaxNodes, h.Verbose = small("Single"), 30, true
	first, _ := h.Play()
	second, _ := h.Play()
	if first.Log() != second.Log() {
		a, b := strings.Split(first.Log(), "\n"), strings.Split(second.Log(), "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("line %d differs:\n%s\n%s", i, a[i], b[min(i, len(b)-1)])
			}
		}
		t.Fatal("the second log is longer")
	}
	if len(first.Log()) < 1000 {
		t.Errorf("hardly anything happened:\n%s", first.Log())
	}
}
