package faults

import (
	"fmt"
	"testing"
)

// statusOneIn is of how many writes of status alone the short version tries one, another
// one in each transition: together all kinds of them.
const statusOneIn = 8

// TestCrashAfterEachWrite kills the controller after every single write of every
// transition: each in a run of its own (of writes of status alone some in the short
// version), and after one write in three in one run.
func TestCrashAfterEachWrite(t *testing.T) {
	for i, tr := range transitions() {
		t.Run(tr.String(), func(t *testing.T) {
			t.Parallel()
			want := tr.reference(t)
			runs, exact, status := 0, 0, 0
			for write := 1; write <= want.writes; write++ {
				if want.status[write] {
					if status++; !long && (status+i)%statusOneIn != 0 {
						continue
					}
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
			t.Logf("%d writes, %d of status alone, %d runs, %d ended the same in every name", want.writes, status, runs, exact)
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
