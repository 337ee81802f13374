package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/rollout"
)

// brakesStory is what explain brakes tells.
type brakesStory struct {
	NextStep string                 `json:"nextStep,omitempty"`
	Active   []v1alpha1.BrakeStatus `json:"active,omitempty"`
	HeldStep *v1alpha1.HeldStep     `json:"heldStep,omitempty"`
	Force    *v1alpha1.ForceStatus  `json:"force,omitempty"`
	// RoleChanges of the last ten minutes, of Budget.
	RoleChanges int `json:"roleChanges"`
	Budget      int `json:"budget"`
	// Unreliable nodes were lost as reflectors not long ago, with the time.
	Unreliable map[string]time.Time `json:"unreliable,omitempty"`
}

func newExplainBrakesCommand() *cobra.Command {
	var input inputFlags
	cmd := &cobra.Command{
		Use:   "brakes",
		Short: "Say what holds the rollout, which step waits, and how many role changes may still be made",
		Long: `Says, as the controller has last written it into the status, which brakes are on and
since when, which step waits for whatever reason, and how many role changes ten minutes
have seen.
` + inputHelp + `

A step that waits is taken at once, by its id and only that one, by
  kubectl annotate --overwrite rra default ` + v1alpha1.ForceStepAnnotation + `=ID
What it may do, and what not, is in docs/policy.md.`,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML)
	input.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cluster, err := input.read(cmd)
		if err != nil {
			return err
		}
		if cluster.Autoscaler == nil {
			return errors.New("there is no RouteReflectorAutoscaler in the input: its status tells what holds a rollout")
		}
		told := explainBrakes(cluster.Autoscaler, time.Now())
		return output.show(cmd.OutOrStdout(), told, told.print)
	}
	return cmd
}

func explainBrakes(policy *v1alpha1.RouteReflectorAutoscaler, now time.Time) *brakesStory {
	status := &policy.Status
	told := &brakesStory{
		NextStep: status.NextStep, Budget: int(*policy.Spec.WithDefaults().Brakes.RoleChangesPerTenMinutes),
		RoleChanges: rollout.BudgetUsed(status, now), Unreliable: rollout.Unreliable(rollout.Clocks(status)),
	}
	if brakes := status.Brakes; brakes != nil {
		told.Active, told.HeldStep, told.Force = brakes.Active, brakes.HeldStep, brakes.Force
	}
	return told
}

func (t *brakesStory) print(w io.Writer) error {
	text := ""
	for _, on := range t.Active {
		text += fmt.Sprintf("%s since %s\n%s\n", on.Reason, moment(on.Since.Time), wrap("  ", on.Message))
	}
	if len(t.Active) == 0 {
		text += "No brake is on.\n"
	}
	if t.HeldStep != nil {
		text += fmt.Sprintf("\nHeld by %s: step %s\n%s\n", t.HeldStep.HeldBy, t.HeldStep.ID, wrap("  ", t.HeldStep.Step+": "+t.HeldStep.Why))
	} else if t.NextStep != "" {
		text += "\nNext: " + t.NextStep + "\n"
	}
	if t.Force != nil {
		text += "\n" + wrap("", t.Force.Message) + "\n"
	}
	text += fmt.Sprintf("\n%d of %s within ten minutes.\n", t.RoleChanges, counted(t.Budget, "role change"))
	for _, name := range slices.Sorted(maps.Keys(t.Unreliable)) {
		text += fmt.Sprintf("%s was lost as a route reflector at %s: others come first.\n", name, moment(t.Unreliable[name]))
	}
	_, err := io.WriteString(w, text)
	return err
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
