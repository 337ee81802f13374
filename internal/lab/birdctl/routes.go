package birdctl

import (
	"fmt"
	"net/netip"
	"strings"
)

// Paths counts the paths to every prefix that were learned by BGP.
func (c *Console) Paths() (map[netip.Prefix]int, error) {
	lines, err := c.Ask("show route where source = RTS_BGP")
	if err != nil {
		return nil, err
	}
	return parsePaths(lines)
}

// parsePaths: further paths to a prefix have blanks in its place.
func parsePaths(lines []string) (map[netip.Prefix]int, error) {
	out := map[netip.Prefix]int{}
	var prefix netip.Prefix
	for _, line := range lines {
		if line == "" {
			continue
		}
		if line[0] != ' ' {
			text, _, _ := strings.Cut(line, " ")
			var err error
			if prefix, err = netip.ParsePrefix(text); err != nil {
				return nil, fmt.Errorf("route %q: %w", line, err)
			}
		}
		out[prefix]++
	}
	return out, nil
}
