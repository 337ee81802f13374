// Package topology answers: how many reflectors, on which nodes, and who peers
// with whom? One file decides one thing; a topology is a file.
//
// A plan is a function of the nodes and of what stands now: a small change moves
// little. Pure. It must not know Calico's resources (internal/calico/render says
// the plan in Calico's words) nor what BGP makes of them (internal/bgp checks).
package topology
