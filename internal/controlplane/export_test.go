package controlplane

// Dir returns the folder of the control plane.
func (c *ControlPlane) Dir() string { return c.scratch.dir }

// Pids returns the process ids of etcd and kube-apiserver.
func (c *ControlPlane) Pids() []int {
	return []int{c.etcd.cmd.Process.Pid, c.api.cmd.Process.Pid}
}
