package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"tapetum.dev/tapetum/internal/calico"
)

func TestPinFault(t *testing.T) {
	t.Parallel()
	four := map[netip.Addr]string{}
	both := map[netip.Addr]string{}
	for i, name := range []string{"a", "b", "c", "d"} {
		address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		four[address], both[address] = name, name
		both[netip.MustParseAddr("fd00::"+string(rune('1'+i)))] = name
	}
	tests := []struct {
		name   string
		owners map[netip.Addr]string
		pins   string // senior>junior's address
		want   string
	}{
		{"in order", four, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3", ""},
		{"another order", four, "c>10.0.0.1 c>10.0.0.2 b>10.0.0.1", ""},
		{"one is missing", four, "a>10.0.0.2 a>10.0.0.3", "pin"},
		{"in a circle", four, "a>10.0.0.2 b>10.0.0.3 c>10.0.0.1", "no order"},
		{"both ways", four, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3 b>10.0.0.1", "twice"},
		{"of no reflector", four, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3 a>10.0.0.4", "not both"},
		{"of nobody", four, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3 a>10.0.0.9", "not both"},
		{"both families", both, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3 a>fd00::2 a>fd00::3 b>fd00::3", ""},
		{"second family is missing", both, "a>10.0.0.2 a>10.0.0.3 b>10.0.0.3", "pin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peers := []calico.BGPPeer{{Spec: calico.BGPPeerSpec{NodeSelector: "all()"}}}
			for text := range strings.FieldsSeq(tt.pins) {
				senior, address, _ := strings.Cut(text, ">")
				p := calico.BGPPeer{Spec: calico.BGPPeerSpec{Node: senior, PeerIP: address}}
				p.Name = "tapetum" + pinMark + text
				peers = append(peers, p)
			}
			got := pinFault(peers, tt.owners, []string{"a", "b", "c"})
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	if text := pinFault(nil, four, nil); text != "" {
		t.Errorf("without reflectors: %q", text)
	}
}
