package calico

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a release of Calico, or a build on the way to one.
type Version struct {
	Major, Minor, Patch int
	// Development: a build before the release of that number ("v3.33.0-0.dev").
	Development bool
}

// TagFilterRelease is the first release whose BGPFilters match and add communities.
// Source: Calico's commit 973d989e3d of March 2026, first in v3.32.0.
var TagFilterRelease = Version{Major: 3, Minor: 32}

// ParseVersion reads a version as Calico writes it into ClusterInformation and into
// the tags of its images: "v3.32.0", "v3.32.1-2-gabcdef0", "v3.33.0-0.dev-12-gabcdef0".
// What follows a release's number counts as that release, but for "-0.dev". Anything
// else ("master", "latest", a hash) is an error: it does not tell what is in it.
func ParseVersion(text string) (Version, error) {
	number, suffix, _ := strings.Cut(strings.TrimPrefix(text, "v"), "-")
	parts := strings.Split(number, ".")
	if len(parts) != 3 {
		return Version{}, fmt.Errorf("%q is no version of Calico such as v3.32.0", text)
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return Version{}, fmt.Errorf("%q is no version of Calico such as v3.32.0", text)
		}
		numbers[i] = int(n)
	}
	return Version{
		Major: numbers[0], Minor: numbers[1], Patch: numbers[2],
		Development: suffix == "0.dev" || strings.HasPrefix(suffix, "0.dev-"),
	}, nil
}

// AtLeast tells whether all that is in release is in v too. A development build is
// taken to lack what its release brings.
func (v Version) AtLeast(release Version) bool {
	switch {
	case v.Major != release.Major:
		return v.Major > release.Major
	case v.Minor != release.Minor:
		return v.Minor > release.Minor
	case v.Patch != release.Patch:
		return v.Patch > release.Patch
	}
	return release.Development || !v.Development
}

// String is the version without what follows it.
func (v Version) String() string {
	text := fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Development {
		text += "-0.dev"
	}
	return text
}
