package seed

import "strings"

// IsPeer tells whether a BGPPeer has a name that the seed's own controller gives to
// those that it makes: the one between the reflectors, the one of the clients in
// single, and one for each reflector and client in multi. They carry no label.
func IsPeer(name string) bool {
	return name == "rrs-to-rrs" || strings.HasPrefix(name, "peer-to-rrs-")
}
