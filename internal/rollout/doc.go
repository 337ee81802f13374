// Package rollout answers: given what stands now, the goal and the sessions that
// are seen up, what is the one safe next step, or what do we wait for?
//
// It decides; it writes nothing. Pure: the same input gives the same output, so a
// decision can be replayed from a dump. It relies on internal/bgp alone to know
// what a step would do to the routes.
package rollout
