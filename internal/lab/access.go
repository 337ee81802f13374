package lab

import (
	"context"
	"fmt"
	"path/filepath"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
)

// The controller has a user of its own, as deploy/rbac.yaml says: it has no
// other rights than in a real cluster, and its writes can be told from the lab's.
const (
	controllerNamespace = "tapetum-system"
	controllerAccount   = "tapetum"
	controllerUser      = "system:serviceaccount:" + controllerNamespace + ":" + controllerAccount
)

// admitController makes the controller's service account and its rights.
func (c *Cluster) admitController(ctx context.Context) error {
	manifests, err := deploy.Rights()
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		objects, err := controlplane.DecodeObjects(manifest)
		if err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
		if err := controlplane.Apply(ctx, c.plane.Config(), objects); err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
	}
	config, err := c.plane.ServiceAccountConfig(ctx, controllerNamespace, controllerAccount)
	if err != nil {
		return err
	}
	return controlplane.WriteKubeconfig(c.ControllerKubeconfig(), config)
}

// ControllerKubeconfig is the path of the controller's kubeconfig.
func (c *Cluster) ControllerKubeconfig() string {
	return filepath.Join(c.options.Dir, "controller.kubeconfig")
}

// ControllerNamespace is where the controller keeps its lease.
func (c *Cluster) ControllerNamespace() string { return controllerNamespace }
