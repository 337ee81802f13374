package rollout

import "tapetum.dev/tapetum/internal/topology"

// NextBy is Next with another planner.
func NextBy(in Input, plan func(topology.Request) topology.Plan) Output { return next(in, plan) }
