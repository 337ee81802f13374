package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// outputFlag is -o of a command, one of its formats.
type outputFlag struct {
	value   string
	formats []string
}

// addOutput adds -o; the first format is the default. An unknown one is refused before
// any work is done.
func addOutput(cmd *cobra.Command, formats ...string) *outputFlag {
	f := &outputFlag{formats: formats}
	cmd.PreRunE = func(*cobra.Command, []string) error { return f.check() }
	cmd.Flags().StringVarP(&f.value, "output", "o", formats[0], "`format` of the output: "+strings.Join(formats, ", "))
	return f
}

// show prints a value as a table or as data.
func (f *outputFlag) show(w io.Writer, value any, table func(io.Writer) error) error {
	if f.value == formatTable {
		return table(w)
	}
	return printData(w, f.value, value)
}

func (f *outputFlag) check() error {
	if slices.Contains(f.formats, f.value) {
		return nil
	}
	return fmt.Errorf("--output %q: want %s", f.value, strings.Join(f.formats, ", "))
}

// printData prints a value as JSON or YAML.
func printData(w io.Writer, format string, value any) error {
	if format == formatYAML {
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// Formats of output.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
	formatCSV   = "csv"
)

// printTable aligns rows in columns.
func printTable(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// wrapWidth is how long a line of prose may get.
const wrapWidth = 100

// wrap breaks prose into lines; all begin with the indentation.
func wrap(indent, text string) string {
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(text) {
		switch width := len([]rune(word)); {
		case length == 0:
			b.WriteString(indent + word)
			length = len(indent) + width
		case length+1+width > wrapWidth:
			b.WriteString("\n" + indent + word)
			length = len(indent) + width
		default:
			b.WriteString(" " + word)
			length += 1 + width
		}
	}
	return b.String()
}

// counted returns "1 node" or "3 nodes".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// few lists up to so many names and counts the rest.
func few(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}
