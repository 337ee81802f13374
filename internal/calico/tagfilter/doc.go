// Package tagfilter decides whether the tag filter (docs/design/topologies.md) can
// be relied on: whether the API server keeps what the filter says, whether Calico
// is new enough, and on which nodes calico-node is. Wrongly believed, an old
// calico-node would reject every route between reflectors; so what is not known
// counts as no. It must not know where the facts come from.
package tagfilter
