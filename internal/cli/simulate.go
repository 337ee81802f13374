package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"tapetum.dev/tapetum/api/v1alpha1"
	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/calico"
	"tapetum.dev/tapetum/internal/simulate"
	"tapetum.dev/tapetum/internal/topology"
)

func init() { register(newSimulateCommand) }

type simulateFlags struct {
	nodes, zones, racks            int
	topology, policy, grow, calico string
	dualStack                      bool
}

func newSimulateCommand() *cobra.Command {
	var flags simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Say what a policy would make of a cluster of any size that does not exist",
		Long: `Makes up a cluster of so many healthy nodes on the mesh, plans the topology that the
policy asks for, and reports what it would be worth, as verify does, with the time
that planning took and the writes that lead there. With --grow it does so for many
sizes and prints a table; topologies that the plan refuses are reported with why.

Exit code 0: every node would have a route to every other. 1: not so. 2: wrong flags.`,
		Example: `  tapetum simulate --nodes 600 --zones 3
  tapetum simulate --grow 100..5000 --topology single -o csv`,
		Args: wants,
	}
	output := addOutput(cmd, formatTable, formatJSON, formatYAML, formatCSV)
	f := cmd.Flags()
	f.IntVar(&flags.nodes, "nodes", 300, "`number` of nodes")
	f.IntVar(&flags.zones, "zones", 3, "`number` of zones")
	f.IntVar(&flags.racks, "racks", 0, "`number` of racks (spec.rackLabel, or \"rack\" where the policy has none); 0: none")
	f.StringVar(&flags.topology, "topology", "", "`name` of the topology, in any case; unset: what the policy says")
	f.StringVar(&flags.policy, "policy", "", "`file` with a RouteReflectorAutoscaler; unset: its defaults")
	f.StringVar(&flags.calico, "calico-version", "", "`version` of Calico, such as v3.31; unset: one that has all it takes. From v3.32 on it has the filter that Multi needs")
	f.BoolVar(&flags.dualStack, "dual-stack", false, "give every node an IPv6 address as well")
	f.StringVar(&flags.grow, "grow", "", "`range` of sizes such as 100..5000, in the steps 1, 2, 5, 10; in place of --nodes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(cmd, "grow", "nodes"); err != nil {
			return err
		}
		policy, err := flags.spec()
		if err != nil {
			return err
		}
		if flags.grow != "" {
			return growth(cmd.OutOrStdout(), output.value, flags, policy)
		}
		if output.value == formatCSV {
			return errors.New("--output csv is for --grow")
		}
		result, err := flags.run(flags.nodes, policy)
		if err != nil {
			return err
		}
		if err := printSimulation(cmd.OutOrStdout(), output.value, result); err != nil {
			return err
		}
		return result.exit()
	}
	return cmd
}

var calicoVersion = regexp.MustCompile(`^v?3\.\d+(\.\d+)?$`)

// spec is the policy that the flags ask for.
func (f *simulateFlags) spec() (v1alpha1.RouteReflectorAutoscalerSpec, error) {
	var spec v1alpha1.RouteReflectorAutoscalerSpec
	if f.calico != "" && !calicoVersion.MatchString(f.calico) {
		return spec, fmt.Errorf("--calico-version %q: want a version such as v3.31 or v3.31.2", f.calico)
	}
	if f.policy != "" {
		policy, err := readPolicyFile(f.policy)
		if err != nil {
			return spec, err
		}
		spec = policy.Spec
	}
	if f.topology != "" {
		name, err := parseTopology(f.topology)
		if err != nil {
			return spec, fmt.Errorf("--%w", err)
		}
		spec.Topology = name
	}
	return spec, nil
}

// filter tells whether the version of Calico can do the tag filter.
func (f *simulateFlags) filter() topology.TagFilterSupport {
	if f.calico == "" {
		return topology.TagFilterSupport{Cluster: true}
	}
	text := strings.TrimPrefix(f.calico, "v")
	if strings.Count(text, ".") == 1 {
		text += ".0"
	}
	version, err := calico.ParseVersion(text)
	if err != nil || !version.AtLeast(calico.TagFilterRelease) {
		return topology.TagFilterSupport{Why: fmt.Sprintf("Calico %s is older than %s", f.calico, calico.TagFilterRelease)}
	}
	return topology.TagFilterSupport{Cluster: true}
}

// simulation is the result for one size. Its JSON is that of a report and more.
type simulation struct {
	bgp.Report
	// Why this topology, in a sentence or two.
	Why        string          `json:"why,omitempty"`
	PlanMillis float64         `json:"planMillis"`
	Writes     simulate.Writes `json:"writes"`
	// Problems say why the plan is not what was asked for.
	Problems []string `json:"problems,omitempty"`
}

func (f *simulateFlags) run(nodes int, policy v1alpha1.RouteReflectorAutoscalerSpec) (*simulation, error) {
	if f.racks > 0 && policy.RackLabel == "" {
		policy.RackLabel = "rack"
	}
	full, now := policy.WithDefaults(), time.Now()
	options := simulate.Options{
		Nodes: nodes, Zones: f.zones, ZoneLabel: full.ZoneLabel, Racks: f.racks, RackLabel: full.RackLabel, DualStack: f.dualStack, Now: now,
	}
	if err := options.Validate(); err != nil {
		return nil, err
	}
	made := simulate.Nodes(options)
	plan := simulate.Plan(made, policy, f.filter(), now)
	result := &simulation{PlanMillis: float64(time.Since(now).Microseconds()) / 1000, Why: plan.Why}
	goal := simulate.Reach(plan, made, policy)
	result.Writes = goal.Writes
	result.Report = bgp.Build(goal.Network).Report(bgp.ReportOptions{
		Topology: string(plan.Topology), ZoneLabel: full.ZoneLabel,
		PathsPerRoute: int(full.Limits.PathsPerRoute), SessionsPerReflector: int(full.Limits.SessionsPerReflector),
	})
	for _, problem := range plan.Problems {
		result.Problems = append(result.Problems, problem.Message)
	}
	return result, nil
}

// exit is the exit code as an error.
func (s *simulation) exit() error {
	if broken(&s.Report) {
		return &exitError{code: exitFindings}
	}
	return nil
}

func printSimulation(w io.Writer, format string, s *simulation) error {
	if format != formatTable {
		return printData(w, format, s)
	}
	rows := append(reportRows(&s.Report),
		[]string{"Planned in", fmt.Sprintf("%.1f ms", s.PlanMillis)},
		[]string{"Writes from the mesh", fmt.Sprintf("%d of nodes, %d of BGPPeers, %d others", s.Writes.Nodes, s.Writes.BGPPeers, s.Writes.Other)})
	if err := printTable(w, rows); err != nil {
		return err
	}
	if s.Why != "" {
		if _, err := io.WriteString(w, "\nWhy this topology\n"+wrap("  ", s.Why)+"\n"); err != nil {
			return err
		}
	}
	for _, problem := range s.Problems {
		if _, err := io.WriteString(w, "\nNot as asked for\n"+wrap("  ", problem)+"\n"); err != nil {
			return err
		}
	}
	return printFindings(w, s.Findings)
}

// growth prints one line a size.
func growth(w io.Writer, format string, flags simulateFlags, policy v1alpha1.RouteReflectorAutoscalerSpec) error {
	from, to, err := parseRange(flags.grow)
	if err != nil {
		return err
	}
	var results []*simulation
	for _, size := range simulate.Sizes(from, to) {
		result, err := flags.run(size, policy)
		if err != nil {
			return err
		}
		results = append(results, result)
	}
	switch format {
	case formatJSON, formatYAML:
		err = printData(w, format, results)
	case formatCSV:
		err = printCSV(w, results)
	default:
		err = printGrowth(w, results)
	}
	if err != nil {
		return err
	}
	for _, result := range results {
		if err := result.exit(); err != nil {
			return err
		}
	}
	return nil
}

func parseRange(text string) (from, to int, err error) {
	var rest string
	if n, _ := fmt.Sscanf(text, "%d..%d%s", &from, &to, &rest); n != 2 || from < 1 || to < from || to > simulate.MaxNodes {
		return 0, 0, fmt.Errorf("--grow %q: want a range of sizes from 1 to %d, such as 100..5000", text, simulate.MaxNodes)
	}
	return from, to, nil
}

func growthRow(s *simulation) []string {
	paths := fmt.Sprint(s.PathsPerRouteMax)
	if s.PathsCapped {
		paths = ">" + paths
	}
	most := s.Sessions.PerClientMax
	if s.Reflectors > 0 {
		most = s.Sessions.PerReflectorMax
	}
	return []string{
		fmt.Sprint(s.Nodes), s.Topology, fmt.Sprint(s.Reflectors), fmt.Sprint(s.BGPPeers), fmt.Sprint(most), paths,
		yesNo(s.Visibility.Complete), yesNo(s.Robust.AnyReflector), yesNo(s.Robust.AnyZone),
		fmt.Sprintf("%.1f", s.PlanMillis),
	}
}

func printGrowth(w io.Writer, results []*simulation) error {
	rows := [][]string{{"NODES", "TOPOLOGY", "REFLECTORS", "BGPPEERS", "MAX SESSIONS", "MAX PATHS", "ALL ROUTES", "ANY REFLECTOR", "ANY ZONE", "PLAN MS"}}
	for _, result := range results {
		rows = append(rows, growthRow(result))
	}
	if err := printTable(w, rows); err != nil {
		return err
	}
	var before map[string]bool
	for _, result := range results {
		now := map[string]bool{}
		for _, problem := range result.Problems {
			key := wording(problem)
			now[key] = true
			if before[key] {
				continue
			}
			text := fmt.Sprintf("\nFrom %s\n%s\n", counted(result.Nodes, "node"), wrap("  ", problem))
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		before = now
	}
	return nil
}

// wording is a problem without its numbers, which differ from size to size: one that
// goes on from the size before is not told again, one that comes back is.
func wording(problem string) string {
	return strings.Map(func(r rune) rune {
		if r == ',' || unicode.IsDigit(r) {
			return -1
		}
		return r
	}, problem)
}

func printCSV(w io.Writer, results []*simulation) error {
	if _, err := fmt.Fprintln(w, "nodes,topology,reflectors,bgpPeers,sessionsMax,pathsPerRouteMax,complete,anyReflector,anyZone,planMillis"); err != nil {
		return err
	}
	for _, result := range results {
		row := growthRow(result)
		for i, cell := range []bool{result.Visibility.Complete, result.Robust.AnyReflector, result.Robust.AnyZone} {
			row[6+i] = fmt.Sprint(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, ",")); err != nil {
			return err
		}
	}
	return nil
}
