package faults

import (
	"fmt"
	"testing"
)

// TestCrashAfterEachWrite kills the controller after every single write of every
// transition: each in a run of its own (writes of status only in the long version),
// and after one write in three in one run.
func TestCrashAfterEachWrite(t *testing.T) {
	for _, tr := range transitions() {
		t.Run(tr.String(), func(t *testing.T) {
			t.Parallel()
			want := tr.reference(t)
			runs, exact := 0, 0
			for write := 1; write <= want.writes; write++ {
				if !long && want.status[write] {
					continue
				}
				hit := false
				if tr.verify(t, begin(1), once(write, CrashAfter, &hit), fmt.Sprintf("crash after write %d", write)) {
					exact++
				}
				if !hit {
					t.Errorf("write %d never came", write)
				}
				runs++
			}
			// And one run with many crashes, at random: after each write a status that tells
			// the time of the step that follows would be written for ever.
			r := seeded(1, tr.String())
			many := plague{inject: func(_ *World, request *Request) Fault {
				if request.Writes() && r.IntN(3) == 0 {
					return CrashAfter
				}
				return None
			}}
			tr.verify(t, begin(1), many, "crash after every third write")
			t.Logf("%d writes, %d runs, %d ended the same in every name", want.writes, runs, exact)
		})
	}
}

// once injects a fault at one write.
func once(write int, fault Fault, hit *bool) plague {
	return plague{inject: func(_ *World, r *Request) Fault {
		if r.Write == write {
			*hit = true
			return fault
		}
		return None
	}}
}
