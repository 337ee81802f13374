package lab

import (
	"path/filepath"

	"tapetum.dev/tapetum/deploy"
)

// ControllerKubeconfig is the path of the controller's kubeconfig.
func (c *Cluster) ControllerKubeconfig() string {
	return filepath.Join(c.options.Dir, "controller.kubeconfig")
}

// ControllerNamespace is where the controller keeps its lease.
func (c *Cluster) ControllerNamespace() string { return deploy.Namespace }
