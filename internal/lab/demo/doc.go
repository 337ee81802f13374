// Package demo tells the story of one cluster on a lab: from the node-to-node
// mesh to route reflectors, through growth, failure and maintenance, and back to
// the mesh. The controller runs as a process of its own; the demo only watches
// it through the API and its log, and adds up what it cost.
//
// It must not know how the controller decides.
package demo
