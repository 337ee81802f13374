package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
		Args: wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return flags.play(cmd, "demo", func(ctx context.Context, o demo.Options) error {
				_, err := demo.Run(ctx, o)
				return err
			})
		},
	}
	flags.add(cmd)
	flags.addStory(cmd, "an event", 5*time.Minute)
	return cmd
}

// addStory adds the flags of a story that is played in a lab. part is what may take
// so long at most.
func (f *demoFlags) addStory(cmd *cobra.Command, part string, timeout time.Duration) {
	flags := cmd.Flags()
	flags.BoolVar(&f.plain, "plain", false, "plain lines for a log; so too where the output is no terminal")
	flags.BoolVar(&f.keep, "keep", false, "leave everything up at the end, until Ctrl-C")
	flags.StringVar(&f.report, "report", "", "`file` for the result as JSON")
	flags.DurationVar(&f.timeout, "timeout", timeout, "longest `time` that "+part+" may take")
}

// play runs a story in a folder that no other lab uses in the meantime.
func (f *demoFlags) play(cmd *cobra.Command, name string, story func(context.Context, demo.Options) error) (err error) {
	out, dir := cmd.OutOrStdout(), ""
	if flag := cmd.Flag("dir"); flag != nil && flag.Changed {
		dir = flag.Value.String()
	}
	base, err := f.options(dir)
	if err != nil {
		return err
	}
	if err := f.checkStory(); err != nil {
		return err
	}
	if dir, err = storyFolder(dir, name); err != nil {
		return err
	}
	ctx, release, err := claim(cmd.Context(), dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	o := demo.Options{
		Nodes: f.nodes, Zones: f.zones, Seed: f.seed, Group: base.Group,
		Plain: f.plain, Keep: f.keep, Report: f.report, Timeout: f.timeout,
		Dir: dir, Executable: executable, Out: out,
	}
	onTerminal(&o, out)
	err = story(ctx, o)
	switch {
	case errors.Is(err, demo.ErrLost), errors.Is(err, demo.ErrStuck):
		return &exitError{code: exitFindings, err: err}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return &exitError{code: exitUnusable, err: fmt.Errorf("the %s was interrupted; everything is cleaned up", name)}
	}
	return err
}

// storyFolder makes a temporary folder where none is asked for.
func storyFolder(dir, name string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "tapetum-"+name+"-")
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir) // $TMPDIR may be relative
}

// checkStory refuses what would come to nothing only after minutes.
func (f *demoFlags) checkStory() error {
	if f.timeout <= 0 {
		return fmt.Errorf("--timeout %s: want something like 30s or 5m", f.timeout)
	}
	if f.report == "" {
		return nil
	}
	_, before := os.Lstat(f.report)
	file, err := os.OpenFile(f.report, os.O_WRONLY|os.O_CREATE, 0o644) //nolint:gosec // no secret
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	if errors.Is(before, os.ErrNotExist) {
		return os.Remove(f.report) // until there is something to report
	}
	return nil
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
