// Command e2e measures what every transition and fault costs the routes of a real
// cluster on this machine (internal/e2e), and writes the results into a document
// and as JSON. It needs Linux, and root or user namespaces.
package main
