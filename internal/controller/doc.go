// Package controller is the loop: read the cluster, ask internal/rollout for the
// one safe next step, write it, report. It is thin on purpose.
//
// It knows clients and nothing of topologies, sessions or routes: what to write is
// always a rollout.Step, how to write it so that nobody else's work is lost is all
// that is decided here.
package controller
