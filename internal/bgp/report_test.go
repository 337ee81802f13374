package bgp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
)

// codesOf are the codes of the findings, in their order, each once.
func codesOf(r Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		if len(out) == 0 || out[len(out)-1] != f.Code {
			out = append(out, f.Code)
		}
	}
	return out
}

// zoned gives the nodes ready-made zones of the standard label.
func (in Input) zoned(zones ...string) Input {
	in = in.clone()
	for i := range in.Nodes {
		in.Nodes[i].Labels["topology.kubernetes.io/zone"] = zones[i%len(zones)]
	}
	return in
}

func TestFindings(t *testing.T) {
	tests := []struct {
		name string
		in   Input
		want []string
	}{
		{"mesh", newInput(4, 1).withMesh(true), []string{}},
		{"mesh off and nothing else", newInput(4, 1), []string{CodeUnreachable, CodeNodeWithoutPeer}},
		{"single, three zones", singleID(3, 6).zoned("a", "b", "c"), []string{}},
		{"one reflector, three zones", singleID(1, 6).zoned("a", "b", "c"), []string{CodeSinglePoint, CodeZoneFatal}},
		{"all reflectors in one zone", singleID(2, 4).zoned("a", "a", "b"), []string{CodeZoneFatal}},
		{"disjoint reflectors", newInput(4, 1).reflectors(2, oneID).homes(2, 0).homes(3, 1).reflectorMesh(), []string{CodeUnreachable, CodeDisjoint}},
		{"path explosion", full(5), []string{CodePathExplosion}},
		{"mesh on besides reflectors", singleID(3, 3).withMesh(true), []string{CodeMeshOn}},
		{"reflectors without peering", singleID(2, 3).without("reflectors"), []string{CodeUnreachable, CodeReflectorAlone}},
		{"overlap", singleID(3, 3).peer("other", calico.BGPPeerSpec{NodeSelector: "!has(rr)", PeerSelector: "has(rr)", SourceAddress: "None"}), []string{CodeOverlap}},
		{"bad selector", newInput(3, 1).withMesh(true).selectors("x", "has(", "all()"), []string{codeSelectorInvalid}},
		{"selector of nothing", newInput(3, 1).withMesh(true).selectors("x", "has(rr)", "all()"), []string{codePeerMatchesNothing}},
		{"peerIP without AS", newInput(3, 1).withMesh(true).peer("x", calico.BGPPeerSpec{PeerIP: "192.0.2.1"}), []string{codePeerWithoutAS}},
		{"bad cluster ID", newInput(3, 1).withMesh(true).role(1, "reflector-1"), []string{codeClusterIDInvalid}},
		{"cluster ID is a network", singleID(3, 3).role(1, "10.0.0.0/8"), []string{codeClusterIDNetwork}},
		{"missing filter", singleID(3, 3).selectors("reflectors", "has(rr)", "has(rr)", "gone"), []string{codeFilterMissing}},
		{"AS mismatch", func() Input {
			in := singleID(3, 3).clone()
			in.Nodes[5].ASNumber = 64999
			return in.peer("wrong", calico.BGPPeerSpec{Node: nodeName(0), PeerIP: address(IPv4, 5).String(), ASNumber: 64512})
		}(), []string{CodeSessionUnfit}},
		{"Windows reflector", func() Input {
			in := singleID(3, 3).clone()
			in.Nodes[0].OS = "windows"
			return in
		}(), []string{CodeReflectorWindows}},
		{"NotReady reflector", func() Input {
			in := singleID(3, 3).clone()
			in.Nodes[0].Ready = false
			return in
		}(), []string{CodeReflectorNotReady}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Build(tt.in).Report(ReportOptions{})
			if diff := cmp.Diff(tt.want, codesOf(r)); diff != "" {
				t.Errorf("codes (-want +got):\n%s\n%+v", diff, r.Findings)
			}
			for _, f := range r.Findings {
				if f.Message == "" || f.Action == "" || len(f.Objects) == 0 || f.Severity == "" {
					t.Errorf("incomplete finding %+v", f)
				}
			}
		})
	}
}

// Reflectors are pointless where BIRD programs the routes of no pool: in doubt they are not.
func TestReportPointless(t *testing.T) {
	vxlan, ipip, bare := calico.IPPoolSpec{VXLANMode: "CrossSubnet", IPIPMode: "Never"}, calico.IPPoolSpec{IPIPMode: "Always"}, calico.IPPoolSpec{}
	for _, tt := range []struct {
		pools          []calico.IPPoolSpec
		asked, version string
		want           string // in the message; "": no finding
	}{
		{pools: []calico.IPPoolSpec{vxlan}, want: "VXLAN"},
		{pools: []calico.IPPoolSpec{vxlan}, asked: "Enabled", version: "v3.33.0", want: "VXLAN"},
		{pools: []calico.IPPoolSpec{vxlan, bare}},
		{pools: []calico.IPPoolSpec{vxlan, bare}, asked: "Disabled", want: "programClusterRoutes is Disabled"},
		{pools: []calico.IPPoolSpec{bare}, asked: "EnabledNoEncapOnly"},
		{pools: []calico.IPPoolSpec{bare}, asked: "EnabledIPIPOnly", want: "programClusterRoutes is EnabledIPIPOnly"},
		{pools: []calico.IPPoolSpec{bare}, version: "v3.33.1"},
		{pools: []calico.IPPoolSpec{ipip}},
		{pools: []calico.IPPoolSpec{ipip}, version: "v3.32.1"},
		{pools: []calico.IPPoolSpec{ipip}, version: "master"},
		{pools: []calico.IPPoolSpec{ipip}, version: "v3.33.1", want: "the default of programClusterRoutes in Calico v3.33.1"},
		{pools: []calico.IPPoolSpec{ipip, bare}, version: "v3.33.1"},
		{pools: []calico.IPPoolSpec{ipip}, asked: "Enabled", version: "v3.33.1"},
		{pools: []calico.IPPoolSpec{ipip}, asked: "EnabledIPIPOnly"},
		{pools: []calico.IPPoolSpec{ipip}, asked: "EnabledNoEncapOnly", want: "programClusterRoutes is EnabledNoEncapOnly"},
	} {
		in := singleID(3, 3)
		in.CalicoVersion = tt.version
		in.Configurations = slices.Clone(in.Configurations)
		calico.Default(in.Configurations).Spec.ProgramClusterRoutes = tt.asked
		for i, spec := range tt.pools {
			in.Pools = append(in.Pools, calico.IPPool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("pool-", i)}, Spec: spec})
		}
		found := Build(in).Report(ReportOptions{}).Findings
		switch {
		case tt.want == "" && len(found) == 0:
		case tt.want != "" && len(found) == 1 && found[0].Code == CodePointless && strings.Contains(found[0].Message, tt.want) && slices.Contains(found[0].Objects, "IPPool/pool-0"):
		default:
			t.Errorf("%+v: found %+v", tt, found)
		}
	}
}

func TestReportJSON(t *testing.T) {
	got, err := json.Marshal(Build(singleID(3, 6).zoned("a", "b", "c")).Report(ReportOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"nodes":9,"topology":"Single","reflectors":3,"clusterIDs":1,"bgpPeers":2,` +
		`"sessions":{"total":21,"perReflectorMax":8,"perReflectorMin":8,"perClientMax":3},"pathsPerRouteMax":3,` +
		`"visibility":{"complete":true,"missingPairs":0},"robust":{"anyReflector":true,"anyZone":true},"findings":[]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportNumbers(t *testing.T) {
	tests := []struct {
		name     string
		in       Input
		shape    string
		sessions SessionNumbers
		missing  int
		robust   Robust
	}{
		{"mesh, dual stack", newInput(5, 1).dual().withMesh(true), ShapeMesh, SessionNumbers{20, 0, 0, 8}, 0, Robust{true, true}},
		{"nothing", newInput(5, 1), ShapeNone, SessionNumbers{}, 20, Robust{true, true}},
		{"mesh and Node_ to the same neighbors", newInput(4, 1).withMesh(true).selectors("x", "all()", "all()"),
			ShapeMesh, SessionNumbers{6, 0, 0, 3}, 0, Robust{true, true}},
		{"own IDs, tag filter", multi(5, 2, 6, true), ShapeMulti, SessionNumbers{22, 7, 6, 2}, 0, Robust{true, true}},
		{"hierarchy", hierarchy(3, 2, 2), ShapeHierarchy, SessionNumbers{24, 6, 4, 2}, 0, Robust{true, true}},
		{"quorum that survives nothing", quorum(fano), ShapeQuorum, SessionNumbers{42, 9, 9, 3}, 0, Robust{false, true}},
		{"one ID, arbitrary blocks", quorum(arbitrary), ShapeCustom, SessionNumbers{42, 10, 8, 3}, 10, Robust{false, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Build(tt.in).Report(ReportOptions{})
			if r.Topology != tt.shape || r.Visibility.MissingPairs != tt.missing {
				t.Errorf("%s with %d pairs missing, want %s with %d", r.Topology, r.Visibility.MissingPairs, tt.shape, tt.missing)
			}
			if diff := cmp.Diff(tt.sessions, r.Sessions); diff != "" {
				t.Errorf("sessions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.robust, r.Robust); diff != "" {
				t.Errorf("robust (-want +got):\n%s", diff)
			}
		})
	}
}
