package world

import (
	"path/filepath"
	"testing"
)

// Moving is a small house in which shop.example moves from one server to another. Shop
// are both, first the one that it leaves; there is no Edge.
type Moving struct {
	*World
	parent *Authority
	to     Zone
}

// StartMoving starts it before the move. nsTTL is that of the NS records in seconds, in
// the parent and in the zone.
func StartMoving(t testing.TB, nsTTL int) *Moving {
	t.Helper()
	w := &World{Net: Claim(t), dir: shortDir(t)}
	at := w.Net.Addr
	w.Root, w.Old, w.New = at(1), at(20), at(21)
	on := func(name string, last byte) Zone {
		return Zone{Origin: "shop.example", Servers: servers(name, at(last)), TTL: nsTTL}
	}
	from, to := on("ns1.shop.example", 3), on("ns2.shop.example", 4)
	example := Zone{Origin: "example", Servers: servers("ns.nic.example", at(2)), Delegations: []Zone{from}}
	root := Zone{Origin: ".", Servers: servers("root-server", at(1)), Delegations: []Zone{example}}
	startAuthority(t, NSD(), w.dir, "root-server", at(1), root)
	m := &Moving{World: w, to: to}
	m.parent = startAuthority(t, NSD(), w.dir, "ns.nic.example", at(2), example)
	w.Shop = []*Authority{
		startAuthority(t, NSD(), w.dir, "ns1.shop.example", at(3), from),
		startAuthority(t, NSD(), w.dir, "ns2.shop.example", at(4), to),
	}
	w.Resolver = Unbound().start(t, makeDir(t, filepath.Join(w.dir, "resolver")), at(10), w.Root)
	w.CA = startCA(t, w.dir, at(30), quarter)
	return m
}

// Move delegates the zone to the second server, and returns when the parent says so. The
// first goes on as before.
func (m *Moving) Move(t testing.TB) {
	t.Helper()
	m.parent.zone.Delegations = []Zone{m.to}
	m.parent.Serve(t, m.parent.zone.Records...)
}
