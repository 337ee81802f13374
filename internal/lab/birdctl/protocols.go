package birdctl

import "strings"

// Protocol is what BIRD says of one of its BGP protocols.
type Protocol struct {
	Name string
	// Up is BIRD's own state: routes have been fed.
	Up bool
	// Since is the time of day of the last change.
	Since string
	// State is that of the session, and Neighbor its address; both only in the
	// answer to "show protocols all".
	State    string
	Neighbor string
}

// Protocols returns the BGP protocols, with all that is known of them.
func (c *Console) Protocols() ([]Protocol, error) {
	lines, err := c.Ask("show protocols all")
	return parseProtocols(lines), err
}

func parseProtocols(lines []string) []Protocol {
	var out []Protocol
	var current *Protocol
	for _, line := range lines {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && !strings.HasPrefix(line, " "):
			current = nil
			if fields[1] == "BGP" {
				out = append(out, Protocol{Name: fields[0], Up: fields[3] == "up", Since: fields[4]})
				current = &out[len(out)-1]
			}
		case current == nil || len(fields) < 3:
		case fields[0] == "BGP" && fields[1] == "state:":
			current.State = fields[2]
		case fields[0] == "Neighbor" && fields[1] == "address:":
			current.Neighbor = fields[2]
		}
	}
	return out
}
