package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/lab"
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen := ""
			if f := cmd.Flag("dir"); f != nil && f.Changed {
				chosen = f.Value.String()
			}
			return runWalk(cmd.Context(), flags, chosen, cmd.OutOrStdout())
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
	f.BoolVar(&flags.plain, "plain", false, "plain lines for a log; so too where the output is no terminal")
	f.BoolVar(&flags.keep, "keep", false, "leave everything up after the walk, until Ctrl-C")
	f.StringVar(&flags.report, "report", "", "`file` for the result as JSON")
	f.DurationVar(&flags.timeout, "timeout", 15*time.Minute, "longest `time` that a leg may take")
	return cmd
}

func runWalk(ctx context.Context, flags walkFlags, dir string, out io.Writer) (err error) {
	base, err := flags.options(dir)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tapetum-walk-"); err != nil {
			return err
		}
	}
	release, err := lab.Claim(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	o := demo.WalkOptions{
		Options: demo.Options{
			Nodes: flags.nodes, Zones: flags.zones, Seed: flags.seed, Group: base.Group,
			Plain: flags.plain, Keep: flags.keep, Report: flags.report, Timeout: flags.timeout,
			Dir: dir, Executable: executable, Out: out,
		},
		Racks: flags.racks, DualStack: flags.dualStack, CalicoVersion: flags.version,
		From: topologyNamed(flags.from), To: topologyNamed(flags.to), KeepGoing: flags.keepGoing,
		NodesPerReflector: flags.nodesPerReflector, ReflectorsPerClient: flags.perClientRR,
	}
	if o.NodesPerReflector == 0 {
		o.NodesPerReflector = int32((flags.nodes + 5) / 6) //nolint:gosec // a number of nodes
	}
	onTerminal(&o.Options, out)
	_, err = demo.Walk(ctx, o)
	switch {
	case errors.Is(err, demo.ErrLost), errors.Is(err, demo.ErrStuck):
		return &exitError{code: exitFindings, err: err}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return &exitError{code: exitUnusable, err: errors.New("the walk was interrupted; everything is cleaned up")}
	}
	return err
}

// topologyNamed takes a name in any case.
func topologyNamed(name string) v1alpha1.Topology {
	if name == "" {
		return ""
	}
	return v1alpha1.Topology(strings.ToUpper(name[:1]) + strings.ToLower(name[1:]))
}
