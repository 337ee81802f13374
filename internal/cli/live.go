package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/calico/tagfilter"
	"tapetum.dev/tapetum/internal/controller"
	"tapetum.dev/tapetum/internal/dump"
)

// calicoGroups are the API groups in which BGPFilter may be defined.
var calicoGroups = []string{calico.GroupV3.Group, calico.GroupV1.Group}

// livePage is how many objects one answer of the API server holds.
const livePage = "500"

// readLive lists everything from an API server, and reads the answers as a dump.
func (f *inputFlags) readLive(ctx context.Context) (*dump.Cluster, error) {
	config, err := restConfig(f.kubeconfig, f.context)
	if err != nil {
		return nil, fmt.Errorf("%w (--from FILE reads the cluster from a file)", err)
	}
	config.UserAgent = rest.DefaultKubernetesUserAgent()
	discoverer, err := controller.NewDiscoverer(config)
	if err != nil {
		return nil, err
	}
	finding, err := discoverer.Find(ctx)
	if err != nil {
		return nil, err
	}
	if finding.Frozen != "" {
		return nil, errors.New(finding.Frozen)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	reader := &liveReader{client: client.RESTClient()}
	notes, err := reader.listAll(ctx, "/apis/"+finding.Group.String()+"/")
	if err != nil {
		return nil, err
	}
	cluster, err := dump.Read(config.Host, reader.answers.Bytes())
	if err != nil {
		return nil, err
	}
	cluster.Notes = notes // empty lists are nothing to tell of here
	return cluster, nil
}

// liveReader gathers the API server's answers.
type liveReader struct {
	client  rest.Interface
	answers bytes.Buffer
}

// listAll lists every kind that is read, and notes those that may not be read.
func (r *liveReader) listAll(ctx context.Context, base string) (notes []string, err error) {
	for _, path := range []string{"/api/v1/nodes", base + "bgppeers", base + "bgpconfigurations"} {
		if err := r.list(ctx, path, ""); err != nil {
			return nil, fmt.Errorf("list %s: %w", path, err)
		}
	}
	paths := []string{
		base + "bgpfilters", base + "ippools", base + "clusterinformations", base + "caliconodestatuses", base + "blockaffinities",
		"/apis/" + v1alpha1.GroupVersion.String() + "/routereflectorautoscalers",
	}
	for _, group := range calicoGroups {
		paths = append(paths, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgpfilters."+group)
	}
	for _, namespace := range tagfilter.AgentNamespaces {
		paths = append(paths, "/api/v1/namespaces/"+namespace+"/pods")
	}
	for _, path := range paths {
		labels := ""
		if strings.HasSuffix(path, "/pods") {
			labels = tagfilter.AgentLabel + "=" + tagfilter.AgentLabelValue
		}
		// These are not in every cluster, nor may everybody read them.
		err := r.list(ctx, path, labels)
		switch {
		case apierrors.IsForbidden(err):
			notes = append(notes, "not read: "+err.Error())
		case err != nil && !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err):
			return nil, fmt.Errorf("list %s: %w", path, err)
		}
	}
	return notes, nil
}

// list reads one kind, page by page, or one object.
func (r *liveReader) list(ctx context.Context, path, labels string) error {
	for next := ""; ; {
		raw, err := r.client.Get().AbsPath(path).Param("limit", livePage).Param("continue", next).Param("labelSelector", labels).
			SetHeader("Accept", "application/json").DoRaw(ctx)
		if err != nil {
			return err
		}
		var list struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("unreadable answer: %w", err)
		}
		r.answers.Write(raw)
		r.answers.WriteByte('\n')
		if next = list.Metadata.Continue; next == "" {
			return nil
		}
	}
}
