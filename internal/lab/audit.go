package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tapetum.dev/tapetum/deploy"
)

// controllerUser is whom the API server sees when the controller writes.
const controllerUser = "system:serviceaccount:" + deploy.Namespace + ":" + deploy.ServiceAccount

// auditPolicy makes the API server note every write of the controller's service
// account, except the renewals of its lease and its Kubernetes events.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    resources:
      - {group: coordination.k8s.io, resources: [leases]}
      - {group: "", resources: [events]}
      - {group: events.k8s.io, resources: [events]}
  - level: Metadata
    users: ["` + controllerUser + `"]
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
`

// auditLog is the API server's own record of what the controller wrote.
type auditLog struct {
	policy, path string
	offset       int64
}

// Writes counts the controller's successful writes.
type Writes struct {
	// Objects: everything but Status, which are reports on the
	// RouteReflectorAutoscaler.
	Objects, Status int
	// Nodes are those of Objects that went to Node objects.
	Nodes int
	// Refused: conflicts and other refusals, not counted above.
	Refused int
}

func newAuditLog(dir string) (*auditLog, error) {
	a := &auditLog{policy: filepath.Join(dir, "audit-policy.yaml"), path: filepath.Join(dir, "audit.log")}
	if err := os.WriteFile(a.policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("audit policy of the lab: %w", err)
	}
	return a, nil
}

func (a *auditLog) flags() []string {
	return []string{"--audit-policy-file=" + a.policy, "--audit-log-path=" + a.path, "--audit-log-mode=blocking"}
}

// read counts what was written since the last call.
func (a *auditLog) read() (Writes, error) {
	var w Writes
	file, err := os.Open(a.path)
	if os.IsNotExist(err) {
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(a.offset, io.SeekStart); err != nil {
		return w, fmt.Errorf("audit log: %w", err)
	}
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return w, nil // an unfinished line is read next time
		}
		if err != nil {
			return w, fmt.Errorf("audit log: %w", err)
		}
		a.offset += int64(len(line))
		if err := w.count(bytes.TrimSpace(line)); err != nil {
			return w, err
		}
	}
}

func (w *Writes) count(line []byte) error {
	var event struct {
		Stage     string `json:"stage"`
		ObjectRef struct {
			Resource    string `json:"resource"`
			Subresource string `json:"subresource"`
		} `json:"objectRef"`
		ResponseStatus struct {
			Code int `json:"code"`
		} `json:"responseStatus"`
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	switch {
	case event.Stage != "ResponseComplete":
	case event.ResponseStatus.Code >= 300:
		w.Refused++
	case event.ObjectRef.Subresource == "status":
		w.Status++
	default:
		w.Objects++
		if event.ObjectRef.Resource == "nodes" {
			w.Nodes++
		}
	}
	return nil
}

// Writes counts what the controller has written since the last call, by the API
// server's audit log.
func (c *Cluster) Writes() (Writes, error) { return c.audit.read() }
