package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wants refuses any other arguments than those that cmd.Use names after the command:
// "NAME" once, "NAME..." once or more often, "[NAME...]" any number of times.
func wants(cmd *cobra.Command, given []string) error {
	words := strings.Fields(cmd.Use)[1:]
	least, most := len(words), len(words)
	if n := len(words); n > 0 && strings.HasSuffix(strings.TrimSuffix(words[n-1], "]"), "...") {
		most = len(given)
		if strings.HasPrefix(words[n-1], "[") {
			least--
		}
	}
	if least <= len(given) && len(given) <= most {
		return nil
	}
	want := strings.Join(words, " ")
	if want == "" {
		want = "none"
	}
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return fmt.Errorf("%s: %s given, want %s (see %s --help)", name, argumentsGiven(given), want, cmd.CommandPath())
}

func argumentsGiven(given []string) string {
	switch len(given) {
	case 0:
		return "no argument"
	case 1:
		return fmt.Sprintf("argument %q", given[0])
	}
	return fmt.Sprintf("%d arguments (%s)", len(given), strings.Join(given, " "))
}

// family makes cmd a command that only holds others: alone it prints its help, and what is
// none of them is refused.
func family(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func unknownCommand(parent *cobra.Command, name string) error {
	hint := ""
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf(": did you mean %q?", near[0])
	}
	return fmt.Errorf("unknown command %q for %q%s (%s --help lists all)", name, parent.CommandPath(), hint, parent.CommandPath())
}

// wrongFlag says in plain words what is wrong with the flags.
func wrongFlag(cmd *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := invalid.GetFlag()
		return fmt.Errorf("--%s %q: want %s", flag.Name, invalid.GetValue(), wantedValue(flag.Value.Type()))
	}
	return fmt.Errorf("%w (%s --help lists all)", err, cmd.CommandPath())
}

func wantedValue(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "duration":
		return "something like 30s or 5m"
	case "int32":
		return "a whole number, at most 2147483647"
	case "uint64":
		return "a whole number from 0 on, not too large"
	case "int":
		return "a whole number, not too large"
	}
	return "a " + kind
}

// oneOf refuses two flags of which each says what the other does.
func oneOf(cmd *cobra.Command, a, b string) error {
	if cmd.Flags().Changed(a) && cmd.Flags().Changed(b) {
		return fmt.Errorf("--%s and --%s: give only one of them", a, b)
	}
	return nil
}

func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Tell about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
