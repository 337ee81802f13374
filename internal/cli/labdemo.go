package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tapetum.dev/tapetum/internal/lab"
	"tapetum.dev/tapetum/internal/lab/demo"
)

type demoFlags struct {
	labFlags
	plain, keep bool
	report      string
	timeout     time.Duration
}

func newLabDemoCommand() *cobra.Command {
	var flags demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a cluster go from the mesh to route reflectors and back without losing a route",
		Long: `Starts a lab and the controller, and plays six events: migration from the mesh to
route reflectors, more nodes, a reflector that dies, a zone that is cordoned, fewer
nodes, and back to the mesh. A table at the end tells what each one took.

Exit code 0: no ordinary node lost a route. 1: one did, or the story got stuck.
2: it could not be played.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen := ""
			if f := cmd.Flag("dir"); f != nil && f.Changed {
				chosen = f.Value.String()
			}
			return runDemo(cmd.Context(), flags, chosen, cmd.OutOrStdout())
		},
	}
	flags.add(cmd)
	f := cmd.Flags()
	f.BoolVar(&flags.plain, "plain", false, "plain lines for a log; so too where the output is no terminal")
	f.BoolVar(&flags.keep, "keep", false, "leave everything up after the story, until Ctrl-C")
	f.StringVar(&flags.report, "report", "", "`file` for the result as JSON")
	f.DurationVar(&flags.timeout, "timeout", 5*time.Minute, "longest `time` that an event may take")
	return cmd
}

func runDemo(ctx context.Context, flags demoFlags, dir string, out io.Writer) (err error) {
	base, err := flags.options(dir)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tapetum-demo-"); err != nil {
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
	o := demo.Options{
		Nodes: flags.nodes, Zones: flags.zones, Seed: flags.seed, Group: base.Group,
		Plain: flags.plain, Keep: flags.keep, Report: flags.report, Timeout: flags.timeout,
		Dir: dir, Executable: executable, Out: out,
	}
	onTerminal(&o, out)
	_, err = demo.Run(ctx, o)
	switch {
	case errors.Is(err, demo.ErrLost), errors.Is(err, demo.ErrStuck):
		return &exitError{code: exitFindings, err: err}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return &exitError{code: exitUnusable, err: errors.New("the demo was interrupted; everything is cleaned up")}
	}
	return err
}

// onTerminal turns the live view on where there is a terminal to show it.
func onTerminal(o *demo.Options, out io.Writer) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		o.Plain = true
		return
	}
	o.Color = os.Getenv("NO_COLOR") == ""
	o.Width = func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}
