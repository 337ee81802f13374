package calico

import "testing"

func TestParseVersion(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text      string
		want      string // "": no version
		tagFilter bool
	}{
		{"v3.32.0", "v3.32.0", true},
		{"3.32.1", "v3.32.1", true},
		{"v3.32.1-2-gabcdef0", "v3.32.1", true},
		{"v3.32.0-amd64", "v3.32.0", true},
		{"v3.32.0-0.dev", "v3.32.0-0.dev", false},
		{"v3.32.0-0.dev-120-gabcdef0", "v3.32.0-0.dev", false},
		{"v3.33.0-0.dev-12-gabcdef0", "v3.33.0-0.dev", true},
		{"v3.34.0-0.dev", "v3.34.0-0.dev", true},
		{"v4.0.0", "v4.0.0", true},
		{"v3.31.7", "v3.31.7", false},
		{"v2.99.0", "v2.99.0", false},
		{"v3.4.0", "v3.4.0", false},
		{"", "", false},
		{"master", "", false},
		{"latest", "", false},
		{"v3.32", "", false},
		{"release-v3.32", "", false},
		{"v3.32.x", "", false},
		{"v3.-1.0", "", false},
		{"v3.32.0.1", "", false},
		{"v3.99999999.0", "", false},
		{"sha256:0123", "", false},
	}
	for _, test := range tests {
		version, err := ParseVersion(test.text)
		if (err == nil) != (test.want != "") {
			t.Errorf("%q: error %v", test.text, err)
			continue
		}
		if err != nil {
			continue
		}
		if got := version.String(); got != test.want {
			t.Errorf("%q is %s, want %s", test.text, got, test.want)
		}
		if got := version.AtLeast(TagFilterRelease); got != test.tagFilter {
			t.Errorf("%q has the tag filter: %v, want %v", test.text, got, test.tagFilter)
		}
	}
}
