package controller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
)

// Finding is what the API server says it serves.
type Finding struct {
	// Policy: the RouteReflectorAutoscaler kind is there.
	Policy bool
	// Group in which Calico's kinds are to be read and written; empty when Frozen.
	Group schema.GroupVersion
	// Kinds of Group that are served beside the ones without which nothing works.
	Kinds Kinds
	// Sources are where the configuration of the seed is looked for.
	Sources Sources
	// Frozen says why no group can be used, and what to do.
	Frozen string
}

// Kinds tells which of Calico's less needed kinds are served. Old releases, and
// clusters where only some definitions are installed, lack some.
type Kinds struct {
	Filters, Statuses, Information bool
}

// needed are the resources without which a group is of no use.
var needed = []string{"bgppeers", "bgpconfigurations"}

// resourceDiscovery is the part of the discovery client that is used.
type resourceDiscovery interface {
	GroupsAndMaybeResourcesWithContext(context.Context) (*metav1.APIGroupList,
		map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error)
	ServerResourcesForGroupVersionWithContext(context.Context, string) (*metav1.APIResourceList, error)
}

// Discoverer finds Calico's API group.
type Discoverer struct {
	client resourceDiscovery
	// broken returns why the aggregated API behind a group is unavailable, ""
	// when it is available, not aggregated, or cannot be told.
	broken func(context.Context, schema.GroupVersion) (string, error)
}

// NewDiscoverer returns a Discoverer for the API server of config.
func NewDiscoverer(config *rest.Config) (*Discoverer, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("discovery client: %w", err)
	}
	return &Discoverer{
		client: client,
		broken: func(ctx context.Context, group schema.GroupVersion) (string, error) {
			return unavailable(ctx, client.RESTClient(), group)
		},
	}, nil
}

// Find asks the API server. projectcalico.org/v3 comes first wherever it is served;
// where it is registered but does not answer there is no falling back, because
// crd.projectcalico.org/v1 may then be storage that somebody else migrates.
// An error means that the API server could not be asked at all.
func (d *Discoverer) Find(ctx context.Context) (Finding, error) {
	resources, failed, err := d.resources(ctx)
	if err != nil {
		return Finding{}, err
	}
	finding := Finding{Policy: serves(resources[v1alpha1.GroupVersion], "routereflectorautoscalers")}
	reason, err := d.broken(ctx, calico.GroupV3)
	if err != nil {
		return Finding{}, err
	}
	switch {
	case failed[calico.GroupV3] != nil:
		finding.Frozen = frozenMessage(failed[calico.GroupV3].Error())
	case reason != "":
		finding.Frozen = frozenMessage(reason)
	case serves(resources[calico.GroupV3], needed...):
		finding.Group = calico.GroupV3
	case failed[calico.GroupV1] != nil:
		finding.Frozen = fmt.Sprintf("API group %s does not answer: %v", calico.GroupV1, failed[calico.GroupV1])
	case serves(resources[calico.GroupV1], needed...):
		finding.Group = calico.GroupV1
	default:
		finding.Frozen = fmt.Sprintf("this API server serves BGPPeers and BGPConfigurations neither in %s nor in %s: install Calico first",
			calico.GroupV3, calico.GroupV1)
	}
	if list := resources[finding.Group]; finding.Frozen == "" {
		finding.Sources = sourcesOf(resources)
		finding.Kinds = Kinds{
			Filters:     serves(list, "bgpfilters"),
			Statuses:    serves(list, "caliconodestatuses"),
			Information: serves(list, "clusterinformations"),
		}
	}
	return finding, nil
}

// resources returns what the groups of interest serve, and which of them fail.
func (d *Discoverer) resources(ctx context.Context) (map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error) {
	_, resources, failed, err := d.client.GroupsAndMaybeResourcesWithContext(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the API server which groups it serves: %w", err)
	}
	if resources != nil {
		return resources, failed, nil
	}
	// A server without aggregated discovery.
	resources = map[schema.GroupVersion]*metav1.APIResourceList{}
	for _, group := range []schema.GroupVersion{v1alpha1.GroupVersion, calico.GroupV3, calico.GroupV1} {
		list, err := d.client.ServerResourcesForGroupVersionWithContext(ctx, group.String())
		switch {
		case err == nil:
			resources[group] = list
		case !apierrors.IsNotFound(err):
			failed[group] = err
		}
	}
	return resources, failed, nil
}

func frozenMessage(reason string) string {
	return fmt.Sprintf("API group %s is registered but unavailable (%s): repair Calico's API server, or remove its APIService; nothing is written until then",
		calico.GroupV3, reason)
}

func serves(list *metav1.APIResourceList, names ...string) bool {
	if list == nil {
		return false
	}
	for _, name := range names {
		if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == name }) {
			return false
		}
	}
	return true
}

// apiService is the part of an APIService that is read; the module of the
// aggregator is not worth its weight for this.
type apiService struct {
	Spec struct {
		Service *struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"service"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

// unavailable reads the APIService of a group. It counts as unavailable unless its
// condition Available is True. Without permission to read it, discovery alone
// decides.
func unavailable(ctx context.Context, client rest.Interface, group schema.GroupVersion) (string, error) {
	raw, err := client.Get().
		AbsPath("/apis/apiregistration.k8s.io/v1/apiservices", group.Version+"."+group.Group).
		SetHeader("Accept", "application/json").
		DoRaw(ctx)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read APIService %s.%s: %w", group.Version, group.Group, err)
	}
	return judgeAPIService(raw)
}

var errAPIService = errors.New("the API server returned an APIService that cannot be read")

func judgeAPIService(raw []byte) (string, error) {
	var service apiService
	if err := json.Unmarshal(raw, &service); err != nil {
		return "", fmt.Errorf("%w: %w", errAPIService, err)
	}
	if service.Spec.Service == nil {
		return "", nil // served by the API server itself
	}
	for _, condition := range service.Status.Conditions {
		if condition.Type != "Available" {
			continue
		}
		if condition.Status == "True" {
			return "", nil
		}
		return cmp.Or(condition.Message, "its APIService does not say why"), nil
	}
	return "its APIService has not been checked yet", nil
}
