package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab/demo"
)

type walkFlags struct {
	demoFlags
	from, to                       string
	keepGoing                      bool
	nodesPerReflector, perClientRR int32
}

func newLabWalkCommand() *cobra.Command {
	var flags walkFlags
	cmd := &cobra.Command{
		Use:   "walk",
		Short: "Take a cluster from each topology to each other, and tell what every leg costs",
		Long: `Starts a lab and the controller, and changes spec.topology of the policy again and
again: Mesh, Single, Multi, Quorum and Hierarchy, so that each is left for each other
once (20 legs). A table at the end tells what each one took.

Exit code 0: no ordinary node lost a route. 1: one did, or a leg got stuck.
2: it could not be walked.`,
		Example: `  tapetum lab walk --nodes 60 --report walk.json
  tapetum lab walk --nodes 600 --from Single --to Multi`,
		Args: wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (flags.from == "") != (flags.to == "") {
				return errors.New("--from and --to: give both ends of the leg, or neither for all legs")
			}
			return flags.play(cmd, "walk", func(ctx context.Context, o demo.Options) error {
				_, err := demo.Walk(ctx, flags.walk(o))
				return err
			})
		},
	}
	flags.addWith(cmd, 60)
	flags.addMore(cmd)
	f := cmd.Flags()
	f.StringVar(&flags.from, "from", "", "first `topology` of the only leg")
	f.StringVar(&flags.to, "to", "", "last `topology` of the only leg")
	f.BoolVar(&flags.keepGoing, "keep-going", false, "go on from where a leg got stuck")
	f.Int32Var(&flags.nodesPerReflector, "nodes-per-reflector", 0, "`number` for the policy (0: a sixth of the nodes)")
	f.Int32Var(&flags.perClientRR, "reflectors-per-client", 3, "`number` for the policy")
	f.BoolVar(&flags.dualStack, "dual-stack", false, "nodes have IPv6 addresses as well")
	flags.addStory(cmd, "a leg", 15*time.Minute)
	return cmd
}

// walk adds what only a walk has.
func (f *walkFlags) walk(o demo.Options) demo.WalkOptions {
	walk := demo.WalkOptions{
		Options: o, Racks: f.racks, DualStack: f.dualStack, CalicoVersion: f.version,
		From: topologyNamed(f.from), To: topologyNamed(f.to), KeepGoing: f.keepGoing,
		NodesPerReflector: f.nodesPerReflector, ReflectorsPerClient: f.perClientRR,
	}
	if walk.NodesPerReflector == 0 {
		walk.NodesPerReflector = int32((f.nodes + 5) / 6) //nolint:gosec // a number of nodes
	}
	return walk
}

// topologyNamed takes a name in any case.
func topologyNamed(name string) v1alpha1.Topology {
	if name == "" {
		return ""
	}
	return v1alpha1.Topology(strings.ToUpper(name[:1]) + strings.ToLower(name[1:]))
}
