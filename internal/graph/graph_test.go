package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/simulate"
	"tapetum.dev/tapetum/internal/topology"
)

var update = flag.Bool("update", false, "write the golden files anew")

const zoneLabel = "topology.kubernetes.io/zone"

// made is a cluster with the topology carried out.
func made(nodes, zones int, kind v1alpha1.Topology) bgp.Input {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	policy := v1alpha1.RouteReflectorAutoscalerSpec{Topology: kind}
	all := simulate.Nodes(simulate.Options{Nodes: nodes, Zones: zones, ZoneLabel: zoneLabel, Now: now})
	return simulate.Reach(simulate.Plan(all, policy, topology.TagFilterSupport{Cluster: true}, now), all, policy).Network
}

// zonal has a reflector with an ID of its own in each zone, and a node of a third
// zone that nobody peers with.
func zonal() bgp.Input {
	in := bgp.Input{Nodes: simulate.Nodes(simulate.Options{Nodes: 9, Zones: 3, ZoneLabel: zoneLabel})}
	for i := range 2 {
		in.Nodes[i].ClusterID = fmt.Sprintf("244.0.0.%d", i+1)
		in.Nodes[i].Labels["rr"] = "true"
		zone := in.Nodes[i].Labels[zoneLabel]
		in.Peers = append(in.Peers, calico.BGPPeer{Spec: calico.BGPPeerSpec{
			NodeSelector: zoneLabel + " == '" + zone + "' && !has(rr)", PeerSelector: zoneLabel + " == '" + zone + "' && has(rr)",
		}})
		in.Peers[i].Name = "zone-" + zone
	}
	rr := calico.BGPPeer{Spec: calico.BGPPeerSpec{NodeSelector: "has(rr)", PeerSelector: "has(rr)"}}
	rr.Name = "reflectors"
	off := false
	configuration := calico.BGPConfiguration{Spec: calico.BGPConfigurationSpec{NodeToNodeMeshEnabled: &off}}
	configuration.Name = "default"
	in.Peers, in.Configurations = append(in.Peers, rr), []calico.BGPConfiguration{configuration}
	return in
}

func TestGolden(t *testing.T) {
	t.Parallel()
	writers := map[string]func(*Graph, io.Writer) error{"dot": (*Graph).Dot, "mermaid": (*Graph).Mermaid, "svg": (*Graph).SVG}
	for name, in := range map[string]bgp.Input{
		"single-150":  made(150, 3, v1alpha1.TopologySingle),
		"single-5000": made(5000, 3, v1alpha1.TopologySingle),
		"mesh-60":     made(60, 2, v1alpha1.TopologyMesh),
		"racks-600":   made(600, 40, v1alpha1.TopologySingle),
		"zonal-9":     zonal(),
	} {
		for format, write := range writers {
			t.Run(name+"."+format, func(t *testing.T) {
				t.Parallel()
				var got bytes.Buffer
				if err := write(New(in, bgp.Build(in), zoneLabel), &got); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+format, got.Bytes())
				if format == "svg" {
					wellFormed(t, got.Bytes())
				}
			})
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Every node is in exactly one block, and the links count every session of the
// reflectors once, whatever the size.
func TestCounts(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{5, 120, 2000} {
		in := made(nodes, 7, v1alpha1.TopologySingle)
		network := bgp.Build(in)
		g := New(in, network, zoneLabel)
		seen, sessions := 0, 0
		for _, zone := range g.Zones {
			for _, block := range zone.Blocks {
				seen += len(block.Names)
			}
		}
		for _, link := range g.Links {
			sessions += link.Sessions
		}
		m := len(network.Reflectors())
		if want := m*(nodes-m) + m*(m-1)/2; seen != nodes || sessions != want {
			t.Errorf("%d nodes: %d in blocks, %d sessions in links, want %d", nodes, seen, sessions, want)
		}
	}
}

// Names of any sort do not break the formats.
func TestEscaping(t *testing.T) {
	t.Parallel()
	in := made(4, 1, v1alpha1.TopologySingle)
	for i := range in.Nodes {
		in.Nodes[i].Labels[zoneLabel] = `a"b<c>&\]`
	}
	g := New(in, bgp.Build(in), zoneLabel)
	var svg, dot, mermaid bytes.Buffer
	for _, err := range []error{g.SVG(&svg), g.Dot(&dot), g.Mermaid(&mermaid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wellFormed(t, svg.Bytes())
	if !strings.Contains(dot.String(), `a\"b<c>&\\]`) || !strings.Contains(mermaid.String(), "a#quot;b#lt;c#gt;&") {
		t.Errorf("not escaped:\n%s\n%s", dot.String(), mermaid.String())
	}
}

func TestNoNodes(t *testing.T) {
	t.Parallel()
	var svg bytes.Buffer
	if err := New(bgp.Input{}, bgp.Build(bgp.Input{}), zoneLabel).SVG(&svg); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, svg.Bytes())
}
