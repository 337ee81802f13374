// Package replan lists the ordered steps from what stands to the goal: it asks
// internal/rollout again and again, carries each step out on values, assumes that
// every session that should come up does, and lets time pass where rollout waits.
//
// Pure. It decides nothing itself, so that what it lists is what the controller
// would do.
package replan
