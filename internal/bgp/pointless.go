package bgp

import (
	"fmt"
	"slices"

	"tapetum.dev/tapetum/internal/calico"
)

// felixRelease is the first release in which Felix, unless told otherwise, programs the
// routes of IPIP pools. Source: the description of programClusterRoutes in Calico's
// BGPConfiguration.
var felixRelease = calico.Version{Major: 3, Minor: 33}

// pools tells where reflectors are of no use: where BIRD gives the kernel no route to the
// pods of any pool. What Felix programs does not come over BGP.
func (in *inspection) pools() {
	pools := in.net.pools
	if len(pools) == 0 || len(in.net.Reflectors()) == 0 {
		return
	}
	vxlan, objects := true, []string{}
	for i := range pools {
		if in.net.routing.byBIRD(&pools[i].Spec) {
			return
		}
		vxlan = vxlan && usesVXLAN(&pools[i].Spec)
		objects = append(objects, "IPPool/"+pools[i].Name)
	}
	if vxlan {
		in.add(CodePointless, "all IPPools use VXLAN, whose routes do not travel over BGP: the reflectors carry no pod routes", objects...)
		return
	}
	in.add(CodePointless, "Felix gives the nodes all routes to pods ("+in.net.routing.String()+"): they use none of those that the reflectors carry",
		append(objects, "BGPConfiguration/"+calico.DefaultConfiguration)...)
}

// routing says who gives the kernel the routes to pods of pools without VXLAN.
type routing struct {
	// asked is programClusterRoutes; "": the default of the version.
	asked string
	// version of Calico; "": not known.
	version string
}

func newRouting(in *Input) routing {
	r := routing{version: in.CalicoVersion}
	if c := calico.Default(in.Configurations); c != nil {
		r.asked = c.Spec.ProgramClusterRoutes
	}
	return r
}

func (r routing) String() string {
	if r.asked != "" {
		return "programClusterRoutes is " + r.asked
	}
	return fmt.Sprintf("the default of programClusterRoutes in Calico %s, for IPIP", r.version)
}

// byBIRD tells whether it is BIRD for a pool; in doubt it is.
func (r routing) byBIRD(pool *calico.IPPoolSpec) bool {
	switch {
	case usesVXLAN(pool):
		return false
	case !encapsulates(pool.IPIPMode):
		return !slices.Contains([]string{"Disabled", "EnabledIPIPOnly"}, r.asked)
	case r.asked == "":
		version, err := calico.ParseVersion(r.version)
		return err != nil || !version.AtLeast(felixRelease)
	}
	return !slices.Contains([]string{"Disabled", "EnabledNoEncapOnly"}, r.asked)
}

func usesVXLAN(pool *calico.IPPoolSpec) bool { return encapsulates(pool.VXLANMode) }

// encapsulates reads a mode; unset means Never.
func encapsulates(mode string) bool { return mode != "" && mode != "Never" }
