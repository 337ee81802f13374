package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/lab"
)

func init() { register(newLabCommand) }

// defaultLabDir is where "lab up" keeps a lab, and where the other commands look
// for it.
func defaultLabDir() string {
	return filepath.Join(os.TempDir(), "tapetum-lab-"+strconv.Itoa(os.Getuid()))
}

func newLabCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Run a Calico cluster on this machine, and let things happen to it",
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			// What client libraries have to say of an API server that is away is
			// part of the show, and none of the user's business.
			ctrl.SetLogger(logr.Discard())
			klog.SetLogger(logr.Discard())
			// It is given to processes that run elsewhere, and to the user to copy.
			if dir == "" {
				return errors.New("--dir names no folder: leave it out for " + defaultLabDir())
			}
			dir, err = filepath.Abs(dir)
			return err
		},
		Long: `A lab is a real kube-apiserver and etcd on this machine with simulated nodes that
behave as kubelet and calico-node do: they register, derive their BGP sessions from
what the API says, take as long as real ones to bring them up, and report them.

"lab demo" tells a whole story with the controller, "lab walk" goes through all
topologies. "lab up" starts a lab and leaves
the rest to you; the other commands let things happen to the nodes of a running lab.`,
	}
	cmd.PersistentFlags().StringVar(&dir, "dir", defaultLabDir(), "`folder` of the lab")
	return family(cmd,
		newLabDemoCommand(), newLabWalkCommand(), newLabUpCommand(&dir),
		labNodes(&dir, "kill", "Cut the power of nodes: their neighbors keep their routes until BGP's hold time is over"),
		labNodes(&dir, "revive", "Give nodes their power back"),
		labNodes(&dir, "cordon", "Make nodes unschedulable"),
		labNodes(&dir, "uncordon", "Make nodes schedulable again"),
		labNodes(&dir, "delete", "Take nodes away, machine and all"),
		newLabAddCommand(&dir), newLabStormCommand(&dir), newLabStopAPICommand(&dir), newLabVersionCommand(&dir),
		newLabStatusCommand(&dir),
	)
}

// ask gives a command to the running lab and prints the answer.
func ask(cmd *cobra.Command, dir string, r lab.Request) error {
	text, err := lab.Ask(cmd.Context(), dir, r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

func labNodes(dir *string, command, short string) *cobra.Command {
	return &cobra.Command{
		Use: command + " NODE...", Short: short, Args: wants,
		RunE: func(cmd *cobra.Command, nodes []string) error {
			return ask(cmd, *dir, lab.Request{Command: command, Nodes: nodes})
		},
	}
}

func newLabAddCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "add N", Short: "Register N more nodes", Args: wants,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("number of nodes %q: want a whole number", args[0])
			}
			return ask(cmd, *dir, lab.Request{Command: "add", Count: n})
		},
	}
}

func newLabStormCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "storm PERCENT DURATION", Short: "Let a share of the nodes be NotReady for a while, though their sessions are fine",
		Example: "  tapetum lab storm 30 45s", Args: wants,
		RunE: func(cmd *cobra.Command, args []string) error {
			percent, err := strconv.Atoi(args[0])
			if err != nil {
				return fmt.Errorf("share of the nodes %q: want a whole number of percent", args[0])
			}
			d, err := duration(args[1])
			if err != nil {
				return err
			}
			return ask(cmd, *dir, lab.Request{Command: "storm", Percent: percent, Duration: d})
		},
	}
}

func newLabStopAPICommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "stop-api DURATION", Short: "Take the API server away for a while", Args: wants,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := duration(args[0])
			if err != nil {
				return err
			}
			return ask(cmd, *dir, lab.Request{Command: "stop-api", Duration: d})
		},
	}
}

func newLabVersionCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "calico-version VERSION [NODE...]", Short: "Bring calico-node on nodes, or without names all of Calico, to another version",
		Example: "  tapetum lab calico-version v3.31.0 node-007", Args: wants,
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, *dir, lab.Request{Command: "calico-version", Version: args[0], Nodes: args[1:]})
		},
	}
}

func newLabStatusCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell how the lab is: nodes, sessions, routes missing and lost", Args: wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, *dir, lab.Request{Command: "status"})
		},
	}
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("duration %q: want something like 30s or 2m", text)
	}
	return d, nil
}

// labFlags are those of "up" and "demo".
type labFlags struct {
	nodes, zones, racks int
	seed                uint64
	group, version      string
	dualStack           bool
	verbose             bool
}

func (f *labFlags) add(cmd *cobra.Command) { f.addWith(cmd, lab.DefaultOptions().Nodes) }

// addWith adds them with another default for the number of nodes.
func (f *labFlags) addWith(cmd *cobra.Command, nodes int) {
	defaults := lab.DefaultOptions()
	flags := cmd.Flags()
	flags.IntVar(&f.nodes, "nodes", nodes, "`number` of nodes")
	flags.IntVar(&f.zones, "zones", defaults.Zones, "`number` of zones")
	flags.Uint64Var(&f.seed, "seed", defaults.Seed, "`seed` of the simulated sessions")
	flags.StringVar(&f.group, "calico-group", "v3", "`group` of Calico's kinds: v3 (projectcalico.org) or v1 (crd.projectcalico.org)")
}

// addMore adds the flags of labs that the demo's story does without.
func (f *labFlags) addMore(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.racks, "racks", 0, "`number` of racks, told by the node label "+lab.RackLabel+" (0: no such label)")
	flags.StringVar(&f.version, "calico-version", lab.DefaultOptions().CalicoVersion, "`version` of Calico")
}

func (f *labFlags) options(dir string) (lab.Options, error) {
	o := lab.DefaultOptions()
	o.Nodes, o.Zones, o.Seed, o.DualStack, o.Dir = f.nodes, f.zones, f.seed, f.dualStack, dir
	o.ControlPlanes = min(f.zones, f.nodes)
	o.Racks = f.racks
	if f.version != "" {
		o.CalicoVersion = f.version
	}
	switch f.group {
	case "v3":
		o.Group = calico.GroupV3
	case "v1":
		o.Group = calico.GroupV1
	default:
		return o, fmt.Errorf("--calico-group %q: want v1 or v3", f.group)
	}
	return o, nil
}

func newLabUpCommand(dir *string) *cobra.Command {
	var flags labFlags
	cmd := &cobra.Command{
		Use: "up", Short: "Run a lab until Ctrl-C", Args: wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return labUp(cmd.Context(), *dir, flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.add(cmd)
	flags.addMore(cmd)
	cmd.Flags().BoolVar(&flags.dualStack, "dual-stack", false, "nodes have IPv6 addresses as well")
	cmd.Flags().BoolVar(&flags.verbose, "verbose", false, "show what etcd and kube-apiserver print")
	return cmd
}

func labUp(ctx context.Context, dir string, flags labFlags, out, errOut io.Writer) (err error) {
	o, err := flags.options(dir)
	if err != nil {
		return err
	}
	ctx, release, err := claim(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	o.Progress = func(text string) { _, _ = fmt.Fprintln(errOut, text) }
	if flags.verbose {
		o.Log = errOut
	}
	cluster, err := lab.Start(ctx, o)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	if err := cluster.Serve(ctx); err != nil {
		return err
	}
	other := ""
	if dir != defaultLabDir() {
		other = " --dir " + dir
	}
	_, _ = fmt.Fprintf(out, `
%d nodes in %d zones are up, on Calico's node-to-node mesh.

  export KUBECONFIG=%s
  tapetum controller --kubeconfig %s --leader-election-namespace %s
  tapetum lab status%s

Ctrl-C ends it and removes everything.
`, o.Nodes, o.Zones, cluster.Kubeconfig(), cluster.ControllerKubeconfig(), cluster.ControllerNamespace(), other)
	<-ctx.Done()
	return nil
}

// claim takes a folder for a lab. Until its release no signal ends the process: further
// ones after the first, a terminal that is closed, or a reader of the output that is gone
// only end the context, so that no process and no folder is left behind.
func claim(ctx context.Context, dir string) (context.Context, func() error, error) {
	release, err := lab.Claim(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	return ctx, func() error {
		defer stop()
		return release()
	}, nil
}

// stopped: Ctrl-C is no error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
