package topology

import (
	"fmt"
	"strings"
)

// loose counts the clients that peer with the spine, by why they do.
type loose struct {
	all int
	// unlabeled are in no rack.
	unlabeled int
	// small: their rack has no more nodes than it would have reflectors. Each of these
	// peers with the spine whether it is one or not, so reflectors would save nothing.
	small int
	// unable: their rack has more nodes, but too few of them can be reflectors.
	unable int
}

func (l *loose) add(r *rack, each int) {
	l.all++
	switch {
	case r.value == "":
		l.unlabeled++
	case len(r.nodes) <= each:
		l.small++
	case r.able <= each:
		l.unable++
	}
}

// remedy is what makes fewer clients peer with the spine.
func (h *hierarchyPlanner) remedy() string {
	var out []string
	say := func(clients int, format string, args ...any) {
		if clients > 0 {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	l := &h.loose
	say(l.unlabeled, "label the nodes of %d of these with %s", l.unlabeled, h.label)
	say(l.small, "tell larger racks by spec.rackLabel (those of %d have at most %d nodes)", l.small, h.each)
	say(l.unable, "let more nodes be reflectors by spec.placement (of the racks of %d at most %d can)", l.unable, h.each)
	return strings.Join(append(out, "or raise the limit"), ", ")
}
