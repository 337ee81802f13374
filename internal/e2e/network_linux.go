package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is the wire between the nodes: a bridge in a namespace of its own.
type network struct {
	hub    *namespace
	bridge netlink.Link
}

func newNetwork() (*network, error) {
	hub, err := newNamespace()
	if err != nil {
		return nil, err
	}
	n := &network{hub: hub}
	err = hub.do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "fabric"
		n.bridge = &netlink.Bridge{LinkAttrs: attributes}
		if err := netlink.LinkAdd(n.bridge); err != nil {
			return fmt.Errorf("make a bridge: %w", err)
		}
		return netlink.LinkSetUp(n.bridge)
	})
	if err != nil {
		return nil, errors.Join(err, hub.close())
	}
	return n, nil
}

func (n *network) close() error { return n.hub.close() }

// nodeLink is the name of every node's only link.
const nodeLink = "eth0"

// port is the name of a node's end at the bridge.
func port(index int) string { return fmt.Sprintf("node%d", index) }

// join connects a namespace to the bridge and gives it addresses.
func (n *network) join(where *namespace, index int, addresses ...netip.Prefix) error {
	err := n.hub.do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name, attributes.MasterIndex = port(index), n.bridge.Attrs().Index
		veth := &netlink.Veth{LinkAttrs: attributes, PeerName: nodeLink, PeerNamespace: netlink.NsFd(where.fd())}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("make the link of node %d: %w", index, err)
		}
		return netlink.LinkSetUp(veth)
	})
	if err != nil {
		return err
	}
	return where.do(func() error {
		if err := setUp("lo"); err != nil {
			return err
		}
		link, err := netlink.LinkByName(nodeLink)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			address := &netlink.Addr{IPNet: &net.IPNet{IP: a.Addr().AsSlice(), Mask: net.CIDRMask(a.Bits(), a.Addr().BitLen())}}
			if a.Addr().Is6() {
				address.Flags = unix.IFA_F_NODAD // the address is used at once
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return fmt.Errorf("give node %d its address %s: %w", index, a, err)
			}
		}
		return netlink.LinkSetUp(link)
	})
}

// cut takes the carrier from a node, as pulling its cable does; restore gives it
// back.
func (n *network) cut(index int) error {
	return n.hub.do(func() error {
		link, err := netlink.LinkByName(port(index))
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(link)
	})
}

func (n *network) restore(index int) error {
	return n.hub.do(func() error { return setUp(port(index)) })
}

// leave removes a node's link.
func (n *network) leave(index int) error {
	return n.hub.do(func() error {
		link, err := netlink.LinkByName(port(index))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
