// Package dump reads clusters out of what kubectl prints: nodes and Calico's
// resources as YAML or JSON, as a List, as typed lists or as documents one after
// another, in either of Calico's API groups.
//
// Pure: it takes bytes, whoever has read them, and knows no files and no client.
// It judges nothing: whether the cluster is any good is internal/bgp's answer.
package dump
