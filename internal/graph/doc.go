// Package graph draws who peers with whom: zones as boxes, their route reflectors
// and clients in few blocks with counts, so that thousands of nodes stay readable.
//
// Pure: values in, text out (Graphviz's dot, Mermaid, or SVG made here). It knows
// no topologies; what it draws is what internal/bgp finds.
package graph
