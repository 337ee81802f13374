package topology

// For the tests that need packages which build on this one.
var (
	Tellable        = tellable
	UnfilteredPaths = unfilteredPaths
)
