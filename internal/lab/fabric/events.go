package fabric

type eventKind uint8

const (
	evApply     eventKind = iota // a node runs a version
	evEstablish                  // a session is Established and feeds
	evUp                         // a session is fed
	evBlip                       // a session of the tail goes down once more
	evHold                       // the hold time of a silent neighbor is over
)

type event struct {
	at   int64
	seq  uint64
	kind eventKind

	node *node
	boot uint32 // the node's boot the event belongs to
	ver  *version

	sess *session
	gen  uint32 // the session's generation the event belongs to
}

// eventQueue is a heap by time, then by order of scheduling.
type eventQueue []event

func (q eventQueue) Len() int { return len(q) }

func (q eventQueue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}

func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds an event; for container/heap.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }

// Pop takes the last one; for container/heap.
func (q *eventQueue) Pop() any {
	old := *q
	last := len(old) - 1
	e := old[last]
	old[last] = event{}
	*q = old[:last]
	return e
}
