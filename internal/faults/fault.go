package faults

// Fault is what happens to one request.
type Fault uint8

// Faults of requests. Before: nothing has been written; After: it has been.
const (
	None          Fault = iota
	CrashBefore         // the process dies
	CrashAfter          // the process dies, the write is done
	TimeoutBefore       // no answer, nothing is written
	TimeoutAfter        // no answer, the write is done
	Conflict            // 409
	TooMany             // 429 with Retry-After
	Unavailable         // 503
	Deny                // 403 by a webhook
	Expire              // 410: a continue token that is too old

	// What the caches make of a write that is done and answered.
	EventLate // what has been written, and all else of its kind, is shown late
	EventLost // nothing of its kind is heard of until a new list is taken
	ListOld   // the cache takes a list from before the write, for a while
	CrashOld  // the process dies, and the next one begins with such a list
	faultsEnd
)

var faultNames = [faultsEnd]string{
	"none", "crash before", "crash after", "timeout before", "timeout after", "conflict", "too many requests",
	"unavailable", "denied", "expired", "event late", "event lost", "old list", "crash and old list",
}

func (f Fault) String() string { return faultNames[f] }

func (f Fault) after() bool { return f == CrashAfter || f == TimeoutAfter || f >= EventLate }

// WriteFaults are those that can happen to a write, ReadFaults to a read; CacheFaults
// to what the caches make of a write.
var (
	WriteFaults = []Fault{CrashBefore, CrashAfter, TimeoutBefore, TimeoutAfter, Conflict, TooMany, Unavailable, Deny}
	ReadFaults  = []Fault{CrashBefore, TimeoutBefore, TooMany, Unavailable, Expire}
	CacheFaults = []Fault{EventLate, EventLost, ListOld, CrashOld}
)
