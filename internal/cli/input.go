package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/dump"
)

// inputFlags say where a command takes its cluster from.
type inputFlags struct {
	from                string
	kubeconfig, context string
}

// inputHelp is for the long help of every command that has inputFlags.
const inputHelp = `
The cluster comes from --from, a file ("-": standard input) that holds what
  kubectl get nodes,bgppeers,bgpconfigurations,bgpfilters -o yaml
prints; add ippools, clusterinformations and rra where there are any. JSON, typed
lists and several documents will do as well, in either of Calico's API groups.
Without --from it is read from the cluster that the kubeconfig points at.`

func (f *inputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.from, "from", "f", "", "`file` to read the cluster from, - for standard input; unset: the live cluster")
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; unset: $KUBECONFIG, then ~/.kube/config")
	cmd.Flags().StringVar(&f.context, "context", "", "`name` of the context in the kubeconfig; unset: its current one")
}

// read returns the cluster, and tells on the error output what it left out.
func (f *inputFlags) read(cmd *cobra.Command) (*dump.Cluster, error) {
	cluster, err := f.load(cmd)
	if err != nil {
		return nil, err
	}
	for _, note := range cluster.Notes {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), "note:", note); err != nil {
			return nil, err
		}
	}
	return cluster, nil
}

func (f *inputFlags) load(cmd *cobra.Command) (*dump.Cluster, error) {
	if err := errors.Join(oneOf(cmd, "from", "kubeconfig"), oneOf(cmd, "from", "context")); err != nil {
		return nil, err
	}
	switch f.from {
	case "":
		return f.readLive(cmd.Context())
	case "-":
		data, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return dump.Read("standard input", data)
	}
	data, err := os.ReadFile(f.from)
	if err != nil {
		return nil, fmt.Errorf("--from: %w", err)
	}
	return dump.Read(f.from, data)
}

// network is the part of a cluster that decides about sessions and routes.
func network(c *dump.Cluster) bgp.Input {
	in := bgp.Input{
		Nodes: c.Nodes, Peers: c.Peers, Configurations: c.Configurations, Filters: c.Filters,
		Pools: c.Pools, Blocks: c.Blocks,
	}
	if c.Information != nil {
		in.CalicoVersion = c.Information.Spec.CalicoVersion
	}
	return in
}

// reportOptions take what the cluster's policy says, or its defaults.
func reportOptions(c *dump.Cluster) bgp.ReportOptions {
	policy := policyOf(c)
	return bgp.ReportOptions{
		ZoneLabel: policy.ZoneLabel, PathsPerRoute: int(policy.Limits.PathsPerRoute),
		SessionsPerReflector: int(policy.Limits.SessionsPerReflector),
	}
}
