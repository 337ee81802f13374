package calico

import "testing"

// FuzzParseVersion: what is read of a version is read of its plain form again.
func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"v3.32.0", "v3.33.0-0.dev-12-gabcdef0", "3.1.2", "master", "v1.2", "v1.2.-3", "v99999.1.1", "v3.32.0\x1b[2J", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		version, err := ParseVersion(text)
		if err != nil {
			return
		}
		again, err := ParseVersion(version.String())
		if err != nil || again != version {
			t.Errorf("%q is %+v, and its plain form %q %+v (%v)", text, version, version, again, err)
		}
		if !version.AtLeast(version) && !version.Development {
			t.Errorf("%v is older than itself", version)
		}
	})
}
