package seed

import "testing"

func TestIsPeer(t *testing.T) {
	for name, want := range map[string]bool{
		"rrs-to-rrs": true, "peer-to-rrs-1": true, "peer-to-rrs-337360377-0e4b6d8c-7a52-4a0e-9f5c-5c2f1f6f2a11": true,
		"tapetum-clients": false, "top-of-rack": false, "rrs-to-rrs-2": false, "peer-to-rrs": false, "": false,
	} {
		if got := IsPeer(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
