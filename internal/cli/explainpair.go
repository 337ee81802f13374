package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tapetum.dev/tapetum/internal/bgp"
	"tapetum.dev/tapetum/internal/dump"
)

// pairStory is what explain pair tells.
type pairStory struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Families []familyStory `json:"families"`
}

type familyStory struct {
	Family string `json:"family"`
	// Paths is the number of ways by which the route arrives; PathsCapped: more.
	Paths       int  `json:"paths"`
	PathsCapped bool `json:"pathsCapped,omitempty"`
	// Ways are up to 20 of them: the nodes that pass the route on, in order.
	Ways [][]string `json:"ways"`
	// Why there is none.
	Why string `json:"why,omitempty"`
}

// waysShown is how many ways are told.
const waysShown = 20

func explainPair(c *dump.Cluster, from, to string) *pairStory {
	told := &pairStory{From: from, To: to, Families: []familyStory{}}
	net := bgp.Build(network(c))
	a, _ := findNode(c, from)
	b, _ := findNode(c, to)
	for _, family := range familiesOf(a, b) {
		ways, count, capped := net.Ways(from, to, family, waysShown)
		story := familyStory{Family: family.String(), Paths: count, PathsCapped: capped, Ways: [][]string{}}
		for _, way := range ways {
			story.Ways = append(story.Ways, append([]string{}, way...))
		}
		if count == 0 {
			story.Why = whyNoRoute(net, family, from, to)
		}
		told.Families = append(told.Families, story)
	}
	return told
}

// whyNoRoute compares whom the two nodes peer with.
func whyNoRoute(net *bgp.Network, family bgp.Family, from, to string) string {
	homes := func(name string) []string {
		var out []string
		for _, s := range net.SessionsOf(name) {
			if s.Family == family && slices.Contains(net.Reflectors(), s.Remote) {
				out = append(out, s.Remote)
			}
		}
		return out
	}
	a, b := homes(from), homes(to)
	for _, name := range []string{from, to} {
		if len(net.SessionsOf(name)) == 0 {
			return name + " has no BGP session at all"
		}
	}
	var common []string
	for _, name := range a {
		if slices.Contains(b, name) {
			common = append(common, name)
		}
	}
	if len(common) > 0 {
		return fmt.Sprintf("both peer with %s, which does not pass the route on: see its sessions and filters", few(common, 5))
	}
	return fmt.Sprintf("no route reflector in common: %s peers with %s, %s with %s, and those do not pass the route to each other's clients",
		from, orNone(a), to, orNone(b))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return few(names, 5)
}

// missing tells whether a family has no route, or the nodes none in common.
func (p *pairStory) missing() bool {
	return len(p.Families) == 0 || slices.ContainsFunc(p.Families, func(f familyStory) bool { return f.Paths == 0 })
}

func (p *pairStory) print(w io.Writer) error {
	if len(p.Families) == 0 {
		_, err := fmt.Fprintf(w, "%s and %s have no address family in common: there can be no route.\n", p.From, p.To)
		return err
	}
	for _, family := range p.Families {
		text := ""
		switch {
		case family.Paths == 0:
			text = fmt.Sprintf("%s: %s has NO ROUTE of %s\n%s\n", family.Family, p.To, p.From, wrap("  ", family.Why))
		case family.PathsCapped:
			text = fmt.Sprintf("%s: the route of %s gets to %s by more than %d ways, such as\n", family.Family, p.From, p.To, family.Paths)
		default:
			text = fmt.Sprintf("%s: the route of %s gets to %s by %s\n", family.Family, p.From, p.To, counted(family.Paths, "way"))
		}
		for _, way := range family.Ways {
			text += "  " + wayText(p.From, way, p.To) + "\n"
		}
		if left := family.Paths - len(family.Ways); left > 0 && !family.PathsCapped && family.Paths > 0 {
			text += fmt.Sprintf("  … and %d more\n", left)
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

func wayText(from string, way []string, to string) string {
	return strings.Join(slices.Concat([]string{from}, way, []string{to}), " → ")
}
