package cli

import (
	"strings"
	"testing"
)

const braked = `
kind: RouteReflectorAutoscaler
apiVersion: tapetum.dev/v1alpha1
metadata: {name: default}
spec: {brakes: {roleChangesPerTenMinutes: 7}}
status:
  nodes: 100
  reflectorCount: 3
  nextStep: "waiting: MassNotReady"
  clocks:
  - {name: Unreliable/node-9, since: "2026-01-01T11:30:00.000000Z"}
  brakes:
    active:
    - {reason: MassNotReady, since: "2026-01-01T12:00:00.000000Z", message: "30 of 100 nodes turned not ready within 1m0s: look at the network"}
    heldStep: {id: 0123456789, step: taking the role from node-1, why: it is cordoned, heldBy: MassNotReady}
    force: {id: aaaaaaaaaa, message: "the annotation tapetum.dev/force-step names no step that is held now"}
    roleChanges:
    - {minute: "2000-01-01T00:00:00Z", count: 5}
`

func TestExplainBrakes(t *testing.T) {
	t.Parallel()
	text := strings.Replace(braked, "id: 0123456789", `id: "0123456789"`, 1)
	code, out, told := tapetum(t, text, "explain", "brakes", "-f", "-")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, told)
	}
	golden(t, "explain-brakes.txt", out)
	if code, _, told := tapetum(t, "", "explain", "brakes", "-f", meshFile); code == 0 || !strings.Contains(told, "no RouteReflectorAutoscaler") {
		t.Errorf("without a policy: exit code %d, %s", code, told)
	}
}
