package calico

import (
	"errors"
	"net/netip"
	"testing"
)

func TestParseClusterID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		annotation string
		want       string
		valid      bool
		fails      bool
		network    bool
	}{
		{annotation: ""},
		{annotation: "244.0.0.1", want: "244.0.0.1", valid: true},
		{annotation: "0.0.0.0", want: "0.0.0.0", valid: true},
		{annotation: "10.0.0.0/8", fails: true, network: true},
		{annotation: "10.0.0.1/32", fails: true, network: true},
		{annotation: "10.0.0.0/33", fails: true},
		{annotation: "10.0.0", fails: true},
		{annotation: " 10.0.0.1", fails: true},
		{annotation: "010.0.0.1", fails: true},
		{annotation: "1", fails: true},
		{annotation: "2001:db8::1", fails: true},
		{annotation: "2001:db8::/64", fails: true},
		{annotation: "::ffff:10.0.0.1", fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.annotation, func(t *testing.T) {
			t.Parallel()
			id, valid, err := ParseClusterID(tt.annotation)
			if valid != tt.valid || (err != nil) != tt.fails || errors.Is(err, ErrClusterIDNetwork) != tt.network {
				t.Errorf("ParseClusterID = %v, %v, %v", id, valid, err)
			}
			if valid && id.String() != tt.want {
				t.Errorf("id = %v, want %s", id, tt.want)
			}
		})
	}
}

func TestParsePeerIP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		peerIP string
		want   netip.AddrPort
		fails  bool
	}{
		{"192.0.2.1", netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 0), false},
		{"192.0.2.1:1790", netip.MustParseAddrPort("192.0.2.1:1790"), false},
		{"2001:db8::1", netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), 0), false},
		{"[2001:db8::1]:1790", netip.MustParseAddrPort("[2001:db8::1]:1790"), false},
		{"", netip.AddrPort{}, true},
		{"192.0.2.1:0", netip.AddrPort{}, true},
		{"192.0.2.1:70000", netip.AddrPort{}, true},
		{"192.0.2.1:", netip.AddrPort{}, true},
		{"[192.0.2.1]:179", netip.AddrPort{}, true},
		{"[2001:db8::1]", netip.AddrPort{}, true},
		{"192.0.2.1/24", netip.AddrPort{}, true},
		{"fe80::1%eth0", netip.AddrPort{}, true},
		{"[fe80::1%eth0]:179", netip.AddrPort{}, true},
		{"node-1", netip.AddrPort{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.peerIP, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePeerIP(tt.peerIP)
			if (err != nil) != tt.fails || got != tt.want {
				t.Errorf("ParsePeerIP = %v, %v; want %v, error %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

func FuzzParseClusterID(f *testing.F) {
	for _, seed := range []string{"", "244.0.0.1", "10.0.0.0/8", "::1", "1.2.3.4 "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		id, valid, err := ParseClusterID(annotation)
		if valid != id.IsValid() || valid && err != nil {
			t.Fatalf("ParseClusterID(%q) = %v, %v, %v", annotation, id, valid, err)
		}
		if valid && id.String() != annotation {
			t.Fatalf("ParseClusterID(%q) = %v: Calico would write the annotation as it is", annotation, id)
		}
	})
}

func FuzzParsePeerIP(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "192.0.2.1:179", "[2001:db8::1]:179", "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, peerIP string) {
		got, err := ParsePeerIP(peerIP)
		if err != nil {
			return
		}
		text := got.String()
		if got.Port() == 0 {
			text = got.Addr().String()
		}
		again, err := ParsePeerIP(text)
		if err != nil || again != got {
			t.Fatalf("ParsePeerIP(%q) = %v, but ParsePeerIP(%q) = %v, %v", peerIP, got, text, again, err)
		}
	})
}
