// Package sessions answers: which BGP sessions are really up?
//
// It names the CalicoNodeStatus objects by which calico-node is asked, and reads
// what it answers. Pure: objects come in and go out as values, internal/controller
// fetches and writes them. It must not know which sessions there should be.
package sessions
