package dump

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/topology"
)

// podFile is the part of a pod of calico-node that is read.
type podFile struct {
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              struct {
		NodeName   string `json:"nodeName,omitempty"`
		Containers []struct {
			Name  string `json:"name,omitempty"`
			Image string `json:"image,omitempty"`
		} `json:"containers,omitempty"`
	} `json:"spec,omitempty"`
	Status struct {
		Phase corev1.PodPhase `json:"phase,omitempty"`
	} `json:"status,omitempty"`
}

// isAgent: the pod runs calico-node on a node.
func (p *podFile) isAgent() bool {
	return slices.Contains(tagfilter.AgentNamespaces, p.Namespace) &&
		p.Labels[tagfilter.AgentLabel] == tagfilter.AgentLabelValue && p.Spec.NodeName != "" &&
		p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

func (p *podFile) agent() tagfilter.Agent {
	out := tagfilter.Agent{Node: p.Spec.NodeName}
	for _, container := range p.Spec.Containers {
		if container.Name == tagfilter.AgentContainer {
			out.Image = container.Image
		}
	}
	return out
}

// definitions of BGPFilter by name, the one that counts first.
var definitions = []string{"bgpfilters." + calico.GroupV3.Group, "bgpfilters." + calico.GroupV1.Group}

// definitionFile is a CustomResourceDefinition, read only where it is needed.
type definitionFile struct {
	metav1.ObjectMeta
	text []byte
}

// UnmarshalJSON keeps the text.
func (d *definitionFile) UnmarshalJSON(text []byte) error {
	var head struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	d.ObjectMeta, d.text = head.Metadata, slices.Clone(text)
	return nil
}

// needless tells of objects of a kind that is read which of them are not.
func needless(object metav1.Object) bool {
	switch object := object.(type) {
	case *podFile:
		return !object.isAgent()
	case *definitionFile:
		return !slices.Contains(definitions, object.Name)
	}
	return false
}

// tagFilter judges as far as the dump tells. What it does not hold at all (the
// definition of BGPFilter, the pods of calico-node) is taken to be as the version in
// ClusterInformation says.
func (c *Cluster) tagFilter(agents []tagfilter.Agent, defined map[string][]byte) topology.TagFilterSupport {
	facts := tagfilter.Facts{}
	if c.Information != nil {
		facts.CalicoVersion = c.Information.Spec.CalicoVersion
	}
	for _, name := range definitions {
		if text, ok := defined[name]; ok {
			problem, err := tagfilter.DefinitionProblem(text)
			if err != nil {
				problem = err.Error()
			}
			facts.Problem = problem
			break
		}
	}
	if len(agents) > 0 {
		facts.Agents = tagfilter.JudgeAgents(agents)
		return tagfilter.Support(facts)
	}
	if why := facts.Against(); why != "" {
		return topology.TagFilterSupport{Why: why}
	}
	return topology.TagFilterSupport{
		Cluster: true, Why: "every calico-node is taken to be as new as ClusterInformation says: none of their pods is here",
	}
}
