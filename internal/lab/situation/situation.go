// Package situation is a table of what happens in the DNS: zones and servers,
// right and wrong, each with what must be said of it and what clients see. The
// rows are literals; the lab serves them over real sockets, and those marked so
// can be served by a real name server from its zone files. Like the lab it speaks
// wire protocols only: codes and severities are words.
package situation

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// Situation is one row. Every row has the same root (.1), and the top-level
// domains example (.2) and test (.3); numbers of this kind are the last byte of an
// address in the network that Start is given. In all texts "{11}" stands for the
// address .11.
type Situation struct {
	// Name is one sentence, and unique.
	Name string
	// Refs say where the situation is described: RFC sections, Zonemaster's test
	// cases, DNS flag days, the documentation of resolvers.
	Refs string
	// Shop is the zone-file text of shop.example, on ns1 (.11), ns2 (.12) and ns3
	// (.13), with names relative to the zone.
	Shop string
	// Zones are further zones. One of a usual name stands instead of the usual one.
	Zones []Zone
	// Alone are records that differ on one server.
	Alone map[byte]Edit
	// Faults are what servers send instead of the truth. They may count, so that a
	// row is to be run once: call All again for another run.
	Faults map[byte]lab.Fault
	// Down are servers that do not run, Empty such as do not have their zone.
	Down, Empty []byte
	// Later is a change between two looks, the second of them right after it; what is
	// wrong with single servers began with it. After is the time since then.
	Later *Edit
	After time.Duration
	// Restarted is set when the second look is by a program that was started anew, which
	// knows of the first what the history does.
	Restarted bool
	// Recursive is a caching resolver that is asked too; it has read Host
	// just before Later.
	Recursive *Recursive
	// Pinned are the servers to ask for shop.example instead of those delegated
	// (split horizon).
	Pinned []byte

	// Host is the name that is looked at, in ASCII; www.shop.example where a row says
	// none.
	Host string
	// Expected are the addresses of the load balancer: 192.0.2.1 where a row says
	// none. All leaves it empty where Unmapped is set: nothing is known of a balancer.
	Expected []netip.Addr
	Unmapped bool
	// MaxTTL is the longest TTL that the operator accepts, 0 any. Public is set where
	// special-purpose addresses are not accepted.
	MaxTTL time.Duration
	Public bool

	// Want are all findings about Host: each one that is made must be wanted here, and
	// each one wanted must be made. Zone are those that a look at the host's zone adds,
	// at its delegation and at what each server can do.
	Want, Zone []Want
	// Clients is what the clients of a resolver see that has read nothing before and
	// validates nothing; BIND is what those of BIND see, where it differs from
	// Unbound. Note says why.
	Clients, BIND Seen
	Note          string
	// Unloadable says why name servers do not load such a zone file.
	Unloadable string
}

// Zone is one zone of a tree.
type Zone struct {
	Name string // "lb.test."
	At   []byte // its servers: ns1, ns2, … in the zone itself
	// Servers are server names with their number, "ns.host.test. 21", where the names
	// matter; At is not used then.
	Servers []string
	Text    string
	// Delegation is what the parent says instead, relative to the parent.
	Delegation string
}

// Edit changes records: Set replaces RRsets, and Remove takes names away with all
// they have. The zone is shop.example unless it is said.
type Edit struct {
	Zone   string
	Set    string
	Remove []string // absolute names
}

// Recursive is a caching resolver and what is wrong with it.
type Recursive struct{ Fault lab.Fault }

// Want is one finding.
type Want = lab.Want

// Seen is what clients see who ask a resolver for A and AAAA of Host.
type Seen string

// The values of Seen. With no Expected, every address is right.
const (
	// Works: right addresses, and no other ones; one family may have none.
	Works Seen = "works"
	// Stale: an address that is not right, perhaps beside right ones.
	Stale Seen = "stale"
	// Fails: no address at all.
	Fails Seen = "fails"
	// Sometimes: it depends on the server that the resolver happens to ask.
	Sometimes Seen = "sometimes"
)

// All are the rows, made anew.
func All() []Situation {
	rows := slices.Concat(
		sets(), largeSets(), wildcards(), names(),
		aliases(), chains(), oddAliases(), redirections(),
		silence(), refusals(), partial(), authority(),
		broken(), healing(), overTCP(), edns(), cookies(),
		ttls(), oddTTLs(), denials(),
		walks(), strangeServers(), cuts(), zones(), duties(),
		disagreements(), turns(), specials(), caches(), views(), moves(),
		oddities(), coverings(), extremes(), halves(), balancers(), choices(), serials(), glue(),
	)
	for i := range rows {
		s := &rows[i]
		if s.Host == "" {
			s.Host = "www.shop.example"
		}
		if s.Expected == nil && !s.Unmapped {
			s.Expected = ips("192.0.2.1")
		}
	}
	return rows
}

// Files tells whether real name servers can serve the row from zone files: those
// that each server of the lab has.
func (s Situation) Files() bool {
	return len(s.Faults)+len(s.Down)+len(s.Empty) == 0 && s.Later == nil && s.Recursive == nil && s.Unloadable == ""
}

// Tree describes the servers of the row in a network, all on one port (0 picks a
// free one), before the edits and faults of single servers.
func (s Situation) Tree(n lab.Net, port uint16) lab.TreeSpec {
	spec := lab.TreeSpec{Port: port, Roots: []netip.Addr{n.Addr(1)}}
	usual := []Zone{
		{Name: "example.", Servers: []string{"a.nic.example. 2"}},
		{Name: "test.", Servers: []string{"a.nic.test. 3"}},
		{Name: "shop.example.", At: []byte{11, 12, 13}, Text: s.Shop},
	}
	usual = slices.DeleteFunc(usual, func(u Zone) bool {
		return slices.ContainsFunc(s.Zones, func(z Zone) bool { return z.Name == u.Name })
	})
	for _, z := range append(usual, s.Zones...) {
		zs := lab.ZoneSpec{Name: z.Name, Text: fill(z.Text, n), Delegation: fill(z.Delegation, n)}
		for i, last := range z.At {
			zs.Servers = append(zs.Servers, lab.NameServer{Name: fmt.Sprintf("ns%d.%s", i+1, z.Name), Addr: n.Addr(last)})
		}
		for _, word := range z.Servers {
			name, last, _ := strings.Cut(word, " ")
			zs.Servers = append(zs.Servers, lab.NameServer{Name: name, Addr: n.Addr(number(last))})
		}
		spec.Zones = append(spec.Zones, zs)
	}
	return spec
}

// fill puts addresses where texts have their numbers.
func fill(text string, n lab.Net) string {
	return regexp.MustCompile(`\{\d+\}`).ReplaceAllStringFunc(text, func(s string) string {
		return n.Addr(number(strings.Trim(s, "{}"))).String()
	})
}

func number(text string) byte {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0 // an address that nothing can listen on: the row fails
	}
	return byte(n)
}

// World is a row that runs.
type World struct {
	Tree *lab.DNSTree
	// Resolver is nil unless the row has one.
	Resolver *lab.Resolver

	row Situation
	net lab.Net
}

// Start serves the row as it was at the first look, if there is a Later; else as it
// is.
func (s Situation) Start(n lab.Net, port uint16) (*World, error) {
	tree, err := lab.NewDNSTree(s.Tree(n, port))
	if err != nil {
		return nil, err
	}
	w := &World{Tree: tree, row: s, net: n}
	if s.Recursive != nil {
		if w.Resolver, err = lab.NewResolver(netip.AddrPortFrom(n.Addr(9), 0), tree.Port(), tree.Roots()...); err == nil {
			w.Resolver.SetFault(s.Recursive.Fault)
		}
	}
	if s.Later == nil {
		err = errors.Join(err, w.spoil())
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// spoil makes single servers different.
func (w *World) spoil() error {
	var errs []error
	for last, edit := range w.row.Alone {
		errs = append(errs, w.edit(edit, w.net.Addr(last)))
	}
	for _, last := range w.row.Empty {
		for _, zone := range w.row.Tree(w.net, 0).Zones {
			w.Tree.Server(w.net.Addr(last)).RemoveZone(zone.Name)
		}
	}
	for last, fault := range w.row.Faults {
		w.Tree.Server(w.net.Addr(last)).SetFault(fault)
	}
	for _, last := range w.row.Down {
		errs = append(errs, w.Tree.Server(w.net.Addr(last)).Stop())
	}
	return errors.Join(errs...)
}

func (w *World) edit(e Edit, at ...netip.Addr) error {
	zone := e.Zone
	if zone == "" {
		zone = "shop.example."
	}
	err := w.Tree.SetRecords(zone, fill(e.Set, w.net), at...)
	for _, name := range e.Remove {
		err = errors.Join(err, w.Tree.RemoveRecords(zone, name, dns.TypeANY, at...))
	}
	return err
}

// Change makes what Later says, and lets the time pass in the resolver's cache.
func (w *World) Change() error {
	if w.row.Later == nil {
		return nil
	}
	if w.Resolver != nil {
		w.Resolver.Advance(w.row.After)
	}
	return errors.Join(w.edit(*w.row.Later), w.spoil())
}

// Addr is the address with a number.
func (w *World) Addr(last byte) netip.Addr { return w.net.Addr(last) }

// Close stops all servers.
func (w *World) Close() error {
	err := w.Tree.Close()
	if w.Resolver != nil {
		err = errors.Join(err, w.Resolver.Close())
	}
	return err
}
