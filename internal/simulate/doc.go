// Package simulate makes up clusters of any size, to ask what a policy would do
// to them. Pure; the same options give the same cluster.
package simulate
