package demo

import (
	"strings"

	"tapetum.dev/tapetum/internal/lab/standin"
)

// Messages in the controller's log.
const (
	messageDegraded  = "degraded"
	messageRecovered = "no longer degraded"
)

// title says in a few words what the step did.
func title(e *standin.Entry) string {
	kind, name, _ := strings.Cut(e.Object, "/")
	switch e.Action {
	case "SetRole":
		return "make " + name + " a route reflector"
	case "ClearRole":
		return "take the role from " + name
	case "SetHomes":
		return "tell clients their group: " + e.Object
	case "MeshOff":
		return "turn the node-to-node mesh off"
	case "MeshOn":
		return "turn the node-to-node mesh on"
	case "SaveMesh":
		return "keep what the mesh settings were"
	case "ForgetMesh":
		return "forget what the mesh settings were"
	case "AddFinalizer":
		return "hold the policy until the mesh can come back"
	case "RemoveFinalizer":
		return "let the policy go"
	}
	for prefix, verb := range map[string]string{"Create": "create", "Patch": "change", "Delete": "delete"} {
		if strings.HasPrefix(e.Action, prefix) {
			return verb + " " + kind + " " + name
		}
	}
	return e.Action + " " + e.Object
}
