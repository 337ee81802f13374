// Package birdctl finds a BIRD 1.6, and talks to it over its control socket: it
// sends commands and reads the answers about protocols and routes.
//
// It knows nothing of Kubernetes or Calico, and nothing of what the answers should
// be: the tests that measure and compare do.
package birdctl
