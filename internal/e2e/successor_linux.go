package e2e

import (
	"strings"
	"time"

	"tapetum.dev/tapetum/internal/lab/standin"
)

// successor is who takes the place of a reflector that fails, and how long after
// that it has the role, and its sessions with all others that work. Zero: not yet.
type successor struct {
	node           string
	role, sessions time.Duration
}

// note takes a step up: the first role that is given is the successor's.
func (p *successor) note(s *standin.Entry, begun time.Time) {
	if p.node == "" && s.Action == actionSetRole {
		_, p.node, _ = strings.Cut(s.Object, "/")
		p.role = s.Time.Sub(begun)
	}
}

// look tells whether it has its sessions, so long after the beginning.
func (p *successor) look(l *lan, after time.Duration) {
	if p.node == "" || p.sessions > 0 {
		return
	}
	m, err := l.machine(p.node)
	if err != nil {
		return
	}
	families, err := m.protocols()
	if err != nil {
		return
	}
	for family := range m.addresses {
		up := 0
		for i := range families[family] {
			if families[family][i].Up {
				up++
			}
		}
		if up < l.working()-1 {
			return
		}
	}
	p.sessions = after
}
