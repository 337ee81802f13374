package birdctl

import "strings"

// Status is what BIRD says of itself. Times are as BIRD writes them.
type Status struct {
	RouterID            string
	LastReboot          string
	LastReconfiguration string
}

// Status asks BIRD how it is.
func (c *Console) Status() (Status, error) {
	lines, err := c.Ask("show status")
	return parseStatus(lines), err
}

func parseStatus(lines []string) Status {
	var out Status
	for _, line := range lines {
		for prefix, field := range map[string]*string{
			"Router ID is ": &out.RouterID, "Last reboot on ": &out.LastReboot, "Last reconfiguration on ": &out.LastReconfiguration,
		} {
			if value, is := strings.CutPrefix(strings.TrimSpace(line), prefix); is {
				*field = value
			}
		}
	}
	return out
}
