package world

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// World is the house of the package comment.
type World struct {
	Net Net
	// Root is the root server's address.
	Root netip.Addr
	// Shop are ns1 to ns3 of shop.example, Edge ns1 and ns2 of edge.example.
	Shop, Edge []*Authority
	Resolver   *Resolver
	CA         *CA
	// Old and New are addresses for load balancers; nothing listens there yet.
	Old, New netip.Addr

	dir string
}

// Start starts all but the load balancers. The zones of shop.example and
// edge.example are empty until Serve or Publish is called.
func Start(t testing.TB) *World {
	t.Helper()
	w := &World{Net: Claim(t), dir: shortDir(t)}
	at := w.Net.Addr
	w.Root, w.Old, w.New = at(1), at(20), at(21)
	shop := Zone{Origin: "shop.example", Servers: map[string]netip.Addr{
		"ns1.shop.example": at(3), "ns2.shop.example": at(4), "ns3.shop.example": at(5),
	}}
	edge := Zone{Origin: "edge.example", Servers: map[string]netip.Addr{
		"ns1.edge.example": at(6), "ns2.edge.example": at(7),
	}}
	example := Zone{
		Origin: "example", Servers: map[string]netip.Addr{"ns.nic.example": at(2)},
		Delegations: []Zone{shop, edge},
		// So that the zone looks signed; the resolvers that validate have an anchor.
		Records: []string{"shop 3600 IN DS 1 15 2 " + strings.Repeat("0", 64)},
	}
	root := Zone{
		Origin: ".", Servers: map[string]netip.Addr{"root-server": at(1)},
		Delegations: []Zone{example},
	}
	startAuthority(t, NSD(), w.dir, "root-server", at(1), root)
	startAuthority(t, NSD(), w.dir, "ns.nic.example", at(2), example)
	w.Shop = []*Authority{
		startAuthority(t, NSD(), w.dir, "ns1.shop.example", at(3), shop),
		startAuthority(t, Knot(), w.dir, "ns2.shop.example", at(4), shop),
		startAuthority(t, BIND(), w.dir, "ns3.shop.example", at(5), shop),
	}
	w.Edge = []*Authority{
		startAuthority(t, Knot(), w.dir, "ns1.edge.example", at(6), edge),
		startAuthority(t, PowerDNS(), w.dir, "ns2.edge.example", at(7), edge),
	}
	w.Resolver = Unbound().start(t, makeDir(t, filepath.Join(w.dir, "resolver")), at(10), w.Root)
	w.CA = startCA(t, w.dir, at(30), quarter)
	return w
}

// Serve gives all the servers of a zone the same records.
func Serve(t testing.TB, servers []*Authority, records ...string) {
	t.Helper()
	for _, a := range servers {
		a.Serve(t, records...)
	}
}

// shortDir is a temporary folder with a short path: that of knot's control
// socket is limited to 107 bytes (unix(7)), which t.TempDir can exceed.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "world-")
	if err != nil {
		t.Fatalf("make a folder for the servers: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the servers' folder: %v", err)
		}
	})
	return dir
}
