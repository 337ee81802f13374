package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/internal/plain"
)

// Exit codes of all commands.
const (
	exitOK = 0
	// exitFindings: the command did its work, and found what is broken.
	exitFindings = 1
	// exitUnusable: the command could not do its work: wrong flags, unusable input,
	// no cluster.
	exitUnusable = 2
)

// commands are the constructors of all commands beside "version"; each command's
// file adds its own.
var commands []func() *cobra.Command

func register(command func() *cobra.Command) { commands = append(commands, command) }

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Main runs the command line of this process until it is told to stop. A second signal
// ends it at once, but for a lab, which is taken down in order: see claim.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, args, os.Stdin, os.Stdout, os.Stderr)
}

// Run runs the command line and returns the exit code of the process.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		if !drawsItself(cmd) {
			root.SetOut(plain.Writer(out))
			root.SetErr(plain.Writer(errOut))
		}
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUnusable
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		code = coded.code
		if coded.err == nil {
			return code // the command has said all there is to say
		}
	}
	_, _ = fmt.Fprintln(errOut, plain.Text(fmt.Sprintf("tapetum: %v", err)))
	return code
}

// drawsItself tells the commands that draw on the terminal, of a cluster of their own
// making. All others show what strangers have named, and the terminal must not obey it.
func drawsItself(cmd *cobra.Command) bool {
	for ; cmd != nil; cmd = cmd.Parent() {
		if cmd.Name() == "lab" {
			return true
		}
	}
	return false
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tapetum",
		Short: "Keeps the BGP route reflectors of a Calico cluster right while the cluster changes",
		Long: `Tapetum keeps the BGP route reflector topology of a Calico cluster right while the
cluster changes: how many reflectors, on which nodes, who peers with whom, and in
which order to get there without losing a route.`,
		Version:       Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(newHelpCommand())
	family(root, newVersionCommand())
	for _, command := range commands {
		root.AddCommand(command())
	}
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		if command.Name() == "completion" {
			family(command)
		}
	}
	return root
}
