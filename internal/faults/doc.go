// Package faults is a whole cluster in virtual time in which the real controller
// runs and everything else may fail: an API server in memory, caches that lag, nodes
// whose BIRDs are those of internal/lab/fabric, and people who edit.
//
// It answers one question: does anything that happens to the controller, to the API
// or to the nodes cost an ordinary node a route? Runs with the same seed are the same.
// It must not know how a rollout decides. What it models is in docs/design/faults.md.
package faults
