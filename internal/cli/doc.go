// Package cli is the command line: it reads flags and files, calls one package
// that does the work, and prints. One file a command, named after it.
//
// It decides nothing about clusters.
package cli
