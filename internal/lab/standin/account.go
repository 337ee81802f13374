package standin

import (
	"context"
	"fmt"

	"tapetum.dev/tapetum/deploy"
	"tapetum.dev/tapetum/internal/controlplane"
)

// AdmitController makes the controller's service account with the rights that
// deploy/ gives it, and writes a kubeconfig of it: the controller has no other rights
// than in a real cluster, and its writes can be told from those of others.
func AdmitController(ctx context.Context, plane *controlplane.ControlPlane, kubeconfig string) error {
	manifests, err := deploy.Rights()
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		objects, err := controlplane.DecodeObjects(manifest)
		if err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
		if err := controlplane.Apply(ctx, plane.Config(), objects); err != nil {
			return fmt.Errorf("rights of the controller: %w", err)
		}
	}
	config, err := plane.ServiceAccountConfig(ctx, deploy.Namespace, deploy.ServiceAccount)
	if err != nil {
		return err
	}
	return controlplane.WriteKubeconfig(kubeconfig, config)
}
