package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Result is what one scenario cost. A pair is a node and another's address block;
// it is lost where the node's kernel had no route for 100 ms, or for less while
// BIRD itself had no path.
type Result struct {
	Name string `json:"name"`
	// LostOrdinaryPairs have two ends that neither changed their role nor failed.
	LostOrdinaryPairs int `json:"lostOrdinaryPairs"`
	// LostChangingPairs have an end that got or lost the role of a reflector.
	LostChangingPairs int `json:"lostChangingPairs"`
	// LongestSeconds is the longest time that one of these two had no route.
	LongestSeconds float64 `json:"longestSeconds"`
	// OrdinaryPairs is how many pairs could have been lost as ordinary ones.
	OrdinaryPairs int `json:"ordinaryPairsWatched"`

	// LostFailedPairs have an end without power or link.
	LostFailedPairs int `json:"-"`
	// Replaced is how often BIRD deleted a route and added it again at once, and
	// LongestReplaced the longest time between the two.
	Replaced        int           `json:"-"`
	LongestReplaced time.Duration `json:"-"`
	// ReplacementRole and Replacement are the seconds after which another node had
	// the role of one that failed, and its sessions; 0: none was needed.
	ReplacementRole, Replacement float64 `json:"-"`
	// Steps of the controller; RoleChanges, how often a node got, lost or changed its tier
	// or cluster ID; and Seconds from the beginning until all was as it should be.
	Steps       int     `json:"steps"`
	RoleChanges int     `json:"roleChanges"`
	Seconds     float64 `json:"-"`
	// MostRoleChanges is how many there may be; nil: any number.
	MostRoleChanges *int `json:"mostRoleChanges,omitempty"`
	// StepsBeforeKill is how many steps had been written when the controller was
	// killed; 0: it was not, or before the first.
	StepsBeforeKill int `json:"stepsBeforeKill,omitempty"`
}

func newResult(name string, a *account) Result {
	longest := max(a.classes[ordinary].longest, a.classes[changing].longest)
	return Result{
		Name:              name,
		LostOrdinaryPairs: a.classes[ordinary].lost, LostChangingPairs: a.classes[changing].lost, LostFailedPairs: a.classes[failed].lost,
		OrdinaryPairs:  a.watched,
		LongestSeconds: float64(longest.Round(time.Millisecond)) / float64(time.Second),
		Replaced:       a.replaced, LongestReplaced: a.longestReplaced,
	}
}

// Report is all results, and on what they were measured.
type Report struct {
	Environment Environment
	Results     []Result
}

// JSON returns the results for machines.
func (r *Report) JSON() ([]byte, error) {
	results := r.Results
	if results == nil {
		results = []Result{}
	}
	data, err := json.MarshalIndent(results, "", "  ")
	return append(data, '\n'), err
}

// Markdown returns the results as a table for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.Environment.Markdown())
	b.WriteString("| | ordinary pairs lost | ordinary pairs watched | pairs of role-changing nodes lost | longest | pairs of the failed node | replacements, longest | replacement has the role, its sessions | role changes | steps | done after |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Results {
		x := &r.Results[i]
		fmt.Fprintf(&b, "| %s | **%d** | %d | %d | %s | %s | %d, %.1f ms | %s | %s | %s | %.0f s |\n",
			x.Name, x.LostOrdinaryPairs, x.OrdinaryPairs, x.LostChangingPairs,
			orNothing(x.LongestSeconds > 0, "%.2f s", x.LongestSeconds), orNothing(x.LostFailedPairs > 0, "%d", x.LostFailedPairs),
			x.Replaced, float64(x.LongestReplaced.Microseconds())/1000, x.replacement(), x.roleChanges(), x.steps(), x.Seconds)
	}
	return b.String()
}

func (x *Result) replacement() string {
	switch {
	case x.ReplacementRole == 0:
		return ""
	case x.Replacement == 0:
		return fmt.Sprintf("%.0f s, not all", x.ReplacementRole)
	}
	return fmt.Sprintf("%.0f s, %.0f s", x.ReplacementRole, x.Replacement)
}

func (x *Result) roleChanges() string {
	if x.MostRoleChanges == nil {
		return strconv.Itoa(x.RoleChanges)
	}
	return fmt.Sprintf("%d, at most %d", x.RoleChanges, *x.MostRoleChanges)
}

func (x *Result) steps() string {
	if x.StepsBeforeKill == 0 {
		return strconv.Itoa(x.Steps)
	}
	return fmt.Sprintf("%d, killed after %d", x.Steps, x.StepsBeforeKill)
}

func orNothing(is bool, format string, value any) string {
	if !is {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// Marks of the part of a document that is written anew.
const (
	beginMark = "<!-- e2e: begin, written by make e2e -->"
	endMark   = "<!-- e2e: end -->"
)

// Write puts the table into a Markdown file, between the marks.
func (r *Report) Write(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("document for the report: %w", err)
	}
	before, rest, begins := strings.Cut(string(data), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("document for the report: %s has no line %q and after it %q", path, beginMark, endMark)
	}
	text := before + beginMark + "\n" + r.Markdown() + endMark + after
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // a document
		return fmt.Errorf("document for the report: %w", err)
	}
	return nil
}
