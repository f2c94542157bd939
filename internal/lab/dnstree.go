package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// TreeSpec describes a DNS tree: its roots, and zones in any order. Each zone is
// delegated from the closest enclosing zone listed, or from the root.
type TreeSpec struct {
	Port  uint16       // shared by all servers; 0 picks a free one
	Roots []netip.Addr // at least one; they are named a.root., b.root., …
	Zones []ZoneSpec
}

// ZoneSpec is one zone. What Text lacks is added: the SOA, the NS records, the
// addresses of servers named inside the zone, and the delegations of its children.
type ZoneSpec struct {
	Name    string // "shop.example."
	Servers []NameServer
	Text    string // zone-file text with names relative to Name
	// Delegation is zone-file text, relative to the parent, put there instead of
	// the NS and glue that Servers ask for: the way to make parent and child differ.
	Delegation string
	TTL        uint32 // of added records, in seconds; 0 means 3600
}

// NameServer is one server of a zone. Several zones may share an address.
type NameServer struct {
	Name string // "ns1.shop.example."
	Addr netip.Addr
}

// DNSTree is a running tree, all servers on one port.
type DNSTree struct {
	port    uint16
	roots   []netip.Addr
	zones   map[string][]netip.Addr // apex → addresses of its servers
	servers map[netip.Addr]*DNSServer
}

// NewDNSTree starts all servers of a tree.
func NewDNSTree(spec TreeSpec) (*DNSTree, error) {
	if len(spec.Roots) == 0 {
		return nil, errors.New("DNS tree has no root server")
	}
	zones, err := spec.build()
	if err != nil {
		return nil, err
	}
	t := &DNSTree{roots: slices.Clone(spec.Roots), zones: map[string][]netip.Addr{}}
	at := map[netip.Addr][]*Zone{}
	for i, zs := range spec.withRoot() {
		for _, ns := range zs.Servers {
			t.zones[zones[i].apex] = append(t.zones[zones[i].apex], ns.Addr)
			at[ns.Addr] = append(at[ns.Addr], zones[i])
		}
	}
	err = onOnePort(spec.Port, func(port uint16) error { return t.start(port, at) })
	if err != nil {
		return nil, fmt.Errorf("start DNS tree: %w", err)
	}
	return t, nil
}

func (t *DNSTree) start(port uint16, at map[netip.Addr][]*Zone) error {
	t.port, t.servers = port, map[netip.Addr]*DNSServer{}
	for addr, zones := range at {
		server, err := NewDNSServer(netip.AddrPortFrom(addr, port), zones...)
		if err != nil {
			return errors.Join(err, t.Close())
		}
		t.servers[addr] = server
	}
	return nil
}

// withRoot is the zones with the root zone in front.
func (spec TreeSpec) withRoot() []ZoneSpec {
	root := ZoneSpec{Name: ".", TTL: 518400}
	for i, addr := range spec.Roots {
		root.Servers = append(root.Servers, NameServer{Name: string(rune('a'+i)) + ".root.", Addr: addr})
	}
	return append([]ZoneSpec{root}, spec.Zones...)
}

// build makes the zones, in the order of withRoot.
func (spec TreeSpec) build() ([]*Zone, error) {
	specs := spec.withRoot()
	records := make([]recordSet, len(specs))
	for i, zs := range specs {
		if err := records[i].parse(zs.Text, zs.Name); err != nil {
			return nil, fmt.Errorf("zone %s: %w", zs.Name, err)
		}
		records[i].addOwn(zs)
	}
	for i, zs := range specs {
		parent := enclosing(specs, zs.Name, i)
		if i > 0 && zs.Delegation != "" {
			if err := records[parent].parse(zs.Delegation, specs[parent].Name); err != nil {
				return nil, fmt.Errorf("delegation of %s: %w", zs.Name, err)
			}
		} else if i > 0 {
			records[parent].addDelegation(specs[parent], zs)
		}
		for _, ns := range zs.Servers {
			home := enclosing(specs, ns.Name, -1)
			records[home].addAddress(ns, specs[home].ttl())
		}
	}
	var zones []*Zone
	for i := range specs {
		z, err := zoneOf(records[i].rrs)
		if err != nil {
			return nil, err
		}
		zones = append(zones, z)
	}
	return zones, nil
}

// enclosing is the index of the deepest zone that holds name, except the zone not.
func enclosing(specs []ZoneSpec, name string, not int) int {
	best := 0
	for i, zs := range specs {
		if i != not && dns.IsSubDomain(dns.CanonicalName(zs.Name), dns.CanonicalName(name)) &&
			dns.CountLabel(zs.Name) > dns.CountLabel(specs[best].Name) {
			best = i
		}
	}
	return best
}

func (zs ZoneSpec) ttl() uint32 {
	if zs.TTL == 0 {
		return 3600
	}
	return zs.TTL
}

// recordSet gathers a zone's records and adds what is absent.
type recordSet struct{ rrs []dns.RR }

func (r *recordSet) parse(text, origin string) error {
	rrs, err := parseRecords(text, origin)
	r.rrs = append(r.rrs, rrs...)
	return err
}

func (r *recordSet) has(name string, rrtype uint16) bool {
	key := rrsetKey{dns.CanonicalName(name), rrtype}
	return slices.ContainsFunc(r.rrs, func(rr dns.RR) bool { return keyOf(rr) == key })
}

// addOwn adds SOA and NS.
func (r *recordSet) addOwn(zs ZoneSpec) {
	header := dns.RR_Header{Name: dns.CanonicalName(zs.Name), Class: dns.ClassINET, Ttl: zs.ttl()}
	if !r.has(zs.Name, dns.TypeSOA) {
		soa := &dns.SOA{Hdr: header, Ns: "ns.invalid.", Mbox: "hostmaster.invalid.",
			Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: 300}
		soa.Hdr.Rrtype = dns.TypeSOA
		if len(zs.Servers) > 0 {
			soa.Ns = dns.CanonicalName(zs.Servers[0].Name)
		}
		r.rrs = append(r.rrs, soa)
	}
	if !r.has(zs.Name, dns.TypeNS) {
		r.addNS(zs, header.Ttl)
	}
}

func (r *recordSet) addNS(zs ZoneSpec, ttl uint32) {
	for _, server := range zs.Servers {
		r.rrs = append(r.rrs, &dns.NS{
			Hdr: dns.RR_Header{Name: dns.CanonicalName(zs.Name), Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: ttl},
			Ns:  dns.CanonicalName(server.Name),
		})
	}
}

// addDelegation adds the child's NS to its parent, and as glue the addresses of
// servers whose names lie in the parent's name space (RFC 9471 §2).
func (r *recordSet) addDelegation(parent, child ZoneSpec) {
	r.addNS(child, parent.ttl())
	for _, ns := range child.Servers {
		if dns.IsSubDomain(dns.CanonicalName(parent.Name), dns.CanonicalName(ns.Name)) && parent.Name != "." ||
			dns.IsSubDomain(dns.CanonicalName(child.Name), dns.CanonicalName(ns.Name)) {
			r.addAddress(ns, parent.ttl())
		}
	}
}

// addAddress adds a server's address unless its name has one already.
func (r *recordSet) addAddress(ns NameServer, ttl uint32) {
	if r.has(ns.Name, dns.TypeA) || r.has(ns.Name, dns.TypeAAAA) || r.has(ns.Name, dns.TypeCNAME) {
		return
	}
	r.rrs = append(r.rrs, &dns.A{
		Hdr: dns.RR_Header{Name: dns.CanonicalName(ns.Name), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl},
		A:   ns.Addr.AsSlice(),
	})
}

// Port is the one port of all servers, UDP and TCP.
func (t *DNSTree) Port() uint16 { return t.port }

// Roots are the addresses of the root servers.
func (t *DNSTree) Roots() []netip.Addr { return slices.Clone(t.roots) }

// Server is the server at addr, or nil.
func (t *DNSTree) Server(addr netip.Addr) *DNSServer { return t.servers[addr] }

// Servers are those of a zone, in the order of its ZoneSpec; the root is ".".
func (t *DNSTree) Servers(zone string) []*DNSServer {
	var out []*DNSServer
	for _, addr := range t.zones[dns.CanonicalName(zone)] {
		out = append(out, t.servers[addr])
	}
	return out
}

// SetRecords replaces the RRsets that text names (relative to zone), on the
// servers at the addresses given, or on all servers of the zone.
func (t *DNSTree) SetRecords(zone, text string, at ...netip.Addr) error {
	return t.change(zone, at, func(z *Zone) (*Zone, error) { return z.With(text) })
}

// RemoveRecords removes an RRset, or with dns.TypeANY a name; at as in SetRecords.
func (t *DNSTree) RemoveRecords(zone, name string, rrtype uint16, at ...netip.Addr) error {
	return t.change(zone, at, func(z *Zone) (*Zone, error) { return z.Without(name, rrtype), nil })
}

func (t *DNSTree) change(zone string, at []netip.Addr, edit func(*Zone) (*Zone, error)) error {
	if len(at) == 0 {
		at = t.zones[dns.CanonicalName(zone)]
	}
	if len(at) == 0 {
		return fmt.Errorf("change zone %s: no server has it", zone)
	}
	for _, addr := range at {
		server := t.servers[addr]
		if server == nil || server.Zone(zone) == nil {
			return fmt.Errorf("change zone %s: not served at %s", zone, addr)
		}
		z, err := edit(server.Zone(zone))
		if err != nil {
			return fmt.Errorf("change zone %s: %w", zone, err)
		}
		server.SetZone(z)
	}
	return nil
}

// Close stops all servers.
func (t *DNSTree) Close() error {
	var errs []error
	for _, s := range t.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
