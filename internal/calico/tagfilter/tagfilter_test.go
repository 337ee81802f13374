package tagfilter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tapetum.dev/tapetum/internal/topology"
)

const group = "projectcalico.org"

// rule is the schema of a rule with the given properties.
func rule(properties string) string {
	return `{"type":"object","properties":{"action":{"type":"string"}` + properties + `}}`
}

const (
	communities = `,"communities":{"type":"object","properties":{"values":{"type":"array","items":{"type":"string"}}}}`
	operations  = `,"operations":{"type":"array","items":{"type":"object","properties":{"addCommunity":{"type":"object","properties":{"value":{"type":"string"}}}}}}`
)

// filterSchema is the schema of BGPFilter with rules, without its last brace.
func filterSchema(importRule, exportRule string) string {
	list := func(name, rule string) string { return fmt.Sprintf(`%q:{"type":"array","items":%s}`, name, rule) }
	return `{"type":"object","properties":{"spec":{"type":"object","properties":{` + strings.Join([]string{
		list("importV4", importRule), list("importV6", importRule), list("exportV4", exportRule), list("exportV6", exportRule),
	}, ",") + `}}}`
}

// served is how an API server describes it.
func served(schema, more string) string {
	return `{"openapi":"3.0.0","components":{"schemas":{"x.other":{"type":"string"},"x.BGPFilter":` +
		schema + `,"x-kubernetes-group-version-kind":[{"group":"` + group + `","kind":"BGPFilter","version":"v3"}]}` + more + `}}}`
}

// defined is how its CustomResourceDefinition does.
func defined(schema string) string {
	return `{"spec":{"versions":[{"name":"old","schema":{"openAPIV3Schema":{}}},{"name":"v1","storage":true,"schema":{"openAPIV3Schema":` + schema + `}}}]}}`
}

func TestSchemaProblem(t *testing.T) {
	t.Parallel()
	both := rule(communities + operations)
	tests := []struct {
		name, imports, exports string
		want                   string // "": none
	}{
		{name: "all fields", imports: both, exports: both},
		{name: "only those that the filter has", imports: rule(operations), exports: rule(communities)},
		{name: "Calico v3.31", imports: rule(""), exports: rule(""), want: "BGPFilter.spec.exportV4[].communities"},
		{name: "no operations", imports: rule(communities), exports: both, want: "BGPFilter.spec.importV4[].operations"},
		{name: "no such operation", imports: rule(`,"operations":{"type":"array","items":{"type":"object"}}`), exports: both,
			want: "BGPFilter.spec.importV4[].operations[].addCommunity"},
		{name: "no values", imports: both, exports: rule(`,"communities":{"type":"object"}`), want: "BGPFilter.spec.exportV4[].communities.values"},
		{name: "anything is kept", imports: `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`, exports: both},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := filterSchema(test.imports, test.exports)
			for how, read := range map[string]func() (string, error){
				"served": func() (string, error) {
					problem, described, err := OpenAPIProblem([]byte(served(text, "")), group)
					if !described {
						t.Error("served: not described")
					}
					return problem, err
				},
				"defined": func() (string, error) { return DefinitionProblem([]byte(defined(text))) },
			} {
				got, err := read()
				if err != nil {
					t.Errorf("%s: %v", how, err)
				}
				if (test.want == "") != (got == "") || !strings.HasSuffix(got, test.want) {
					t.Errorf("%s: problem %q, want %q", how, got, test.want)
				}
			}
		})
	}
}

func TestReferencesAreFollowed(t *testing.T) {
	t.Parallel()
	reference := `{"allOf":[{"$ref":"#/components/schemas/x.Rule"}],"default":{}}`
	text := filterSchema(reference, `{"$ref":"#/components/schemas/x.Rule"}`)
	got, _, err := OpenAPIProblem([]byte(served(text, `,"x.Rule":`+rule(communities+operations))), group)
	if err != nil || got != "" {
		t.Errorf("problem %q, error %v", got, err)
	}
	got, _, err = OpenAPIProblem([]byte(served(text, `,"x.Rule":{"$ref":"#/components/schemas/x.Rule"}`)), group)
	if err != nil || got == "" {
		t.Errorf("a reference to itself: problem %q, error %v", got, err)
	}
}

func TestSchemaThatIsNotThere(t *testing.T) {
	t.Parallel()
	text := served(filterSchema(rule(""), rule("")), "")
	if _, described, err := OpenAPIProblem([]byte(text), "crd."+group); err != nil || described {
		t.Errorf("another group: described %v, error %v", described, err)
	}
	if _, _, err := OpenAPIProblem([]byte(text[:99]), group); err == nil {
		t.Error("half a description is no error")
	}
	if got, err := DefinitionProblem([]byte(`{}`)); err != nil || got == "" {
		t.Errorf("empty definition: problem %q, error %v", got, err)
	}
	if _, err := DefinitionProblem([]byte(`[]`)); err == nil {
		t.Error("a definition that is none is no error")
	}
}

func TestJudgeAgents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		agents []Agent
		want   Agents
	}{
		{name: "none", want: Agents{Nodes: map[string]bool{}}},
		{name: "new enough", agents: []Agent{
			{"a", "docker.io/calico/node:v3.32.0"}, {"b", "localhost:5000/calico/node:v3.33.1@sha256:00"}, {"c", "node:v3.34.0-0.dev-3-gabc"},
		}, want: Agents{Nodes: map[string]bool{"a": true, "b": true, "c": true}}},
		{name: "old", agents: []Agent{{"a", "calico/node:v3.31.7"}, {"b", "calico/node:v3.32.0"}},
			want: Agents{Nodes: map[string]bool{"a": false, "b": true}, Why: "calico-node is older than v3.32.0 on a (v3.31.7)"}},
		{name: "two on one node, in both orders", agents: []Agent{
			{"a", "calico/node:v3.31.7"}, {"a", "calico/node:v3.32.0"}, {"b", "calico/node:v3.32.0"}, {"b", "calico/node:v3.31.7"},
		}, want: Agents{Nodes: map[string]bool{"a": false, "b": false}, Why: "calico-node is older than v3.32.0 on a (v3.31.7), b (v3.31.7)"}},
		{name: "not told", agents: []Agent{
			{"a", "calico/node@sha256:0123"}, {"b", "calico/node"}, {"c", "calico/node:master"}, {"d", "localhost:5000/calico/node"}, {"e", ""},
		}, want: Agents{
			Nodes: map[string]bool{"a": false, "b": false, "c": false, "d": false, "e": false},
			Why: "the image of calico-node does not tell its version on a (calico/node@sha256:0123), b (calico/node), " +
				"c (calico/node:master) and 2 more",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, JudgeAgents(test.agents)); diff != "" {
				t.Errorf("JudgeAgents (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSupport(t *testing.T) {
	t.Parallel()
	agents := Agents{Nodes: map[string]bool{"a": true, "b": false}, Why: "b is old"}
	tests := []struct {
		name  string
		facts Facts
		want  topology.TagFilterSupport
	}{
		{"all there", Facts{CalicoVersion: "v3.32.0", Agents: agents}, topology.TagFilterSupport{Cluster: true, Why: "b is old", Nodes: agents.Nodes}},
		{"a problem", Facts{Problem: "no field x", CalicoVersion: "v3.32.0", Agents: agents}, topology.TagFilterSupport{Why: "no field x"}},
		{"old", Facts{CalicoVersion: "v3.31.7", Agents: agents}, topology.TagFilterSupport{Why: "Calico is v3.31.7, and v3.32.0 is needed"}},
		{"unknown", Facts{CalicoVersion: "master", Agents: agents},
			topology.TagFilterSupport{Why: `ClusterInformation does not tell the version of Calico: "master" is no version of Calico such as v3.32.0`}},
		{"not told", Facts{Agents: agents}, topology.TagFilterSupport{Why: "ClusterInformation does not tell the version of Calico"}},
		{"no calico-node", Facts{CalicoVersion: "v3.32.0"},
			topology.TagFilterSupport{Why: "no pod with the label k8s-app=calico-node was found in the namespaces calico-system and kube-system"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, Support(test.facts)); diff != "" {
				t.Errorf("Support (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzOpenAPIProblem(f *testing.F) {
	f.Add([]byte(served(filterSchema(rule(communities), rule(operations)), "")))
	f.Add([]byte(`{"components":{"schemas":{"BGPFilter":{"$ref":"#/components/schemas/BGPFilter"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Whatever is said, the filter is believed in only where its fields are named.
		got, described, err := OpenAPIProblem(text, group)
		if err == nil && got == "" && described && !strings.Contains(string(text), "BGPFilter") {
			t.Errorf("no problem with %q", text)
		}
	})
}
