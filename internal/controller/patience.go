package controller

import "time"

// maxPatience is the longest time between two looks at a cache that contradicts the
// API server. A cache that catches up asks for a pass by itself, unless it is only in
// the status of the policy that it was behind.
const maxPatience = time.Second

// cachePatience counts how often in a row a pass was in vain because the cache is behind
// the API server: each time the next look is later, or a watch that hangs for minutes
// would cost the API server fifty requests a second.
type cachePatience int

// next is when to look again.
func (p *cachePatience) next() time.Duration {
	d := min(settleRetry<<min(int(*p), 10), maxPatience)
	*p++
	return d
}
