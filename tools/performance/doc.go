// Command performance runs the benchmarks of planner, oracle and controller and
// writes their results as tables into docs/performance.md, between two markers.
//
// It must not decide anything: what is measured, and of what, is said where the
// benchmarks are (internal/simulate, internal/controller).
package main
