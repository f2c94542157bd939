package config

import (
	"net/netip"
	"slices"
	"time"
)

// dns checks the section and fills in the ports that were left out.
func (d *decoder) dns(c *DNS) {
	// A TTL is at most 2^31-1 seconds (RFC 2181 §8); a policy over a week
	// would say nothing.
	d.between("dns.max_ttl", c.MaxTTL, time.Second, 7*24*time.Hour)
	d.unique("dns.root_servers", len(c.RootServers), func(i int) string { return c.RootServers[i].String() })
	withPort(c.Resolvers, 53)
	d.unique("dns.resolvers", len(c.Resolvers), func(i int) string { return c.Resolvers[i].String() })
	if c.Servers == nil {
		return
	}
	zones := make(map[string][]netip.AddrPort, len(c.Servers))
	written := map[string]string{}
	for _, zone := range inFileOrder(d, "dns.servers", c.Servers) {
		path, servers := join("dns.servers", zone), c.Servers[zone]
		name, f := hostASCII(zone)
		if zone == "." {
			name, f = ".", nil
		}
		if f != nil {
			d.checkKey(path, f)
			continue
		}
		if other, twice := written[name]; twice {
			d.checkKey(path, faultf("keep one of the two", "the same zone as %s", shown(other)))
			continue
		}
		written[name] = zone
		if len(servers) == 0 {
			d.check(path, faultf("list the addresses of the zone's servers, or remove the zone", "no server is given"))
		}
		withPort(servers, c.Port)
		d.unique(path, len(servers), func(i int) string { return servers[i].String() })
		zones[name] = servers
	}
	c.Servers = zones
}

func withPort(servers []netip.AddrPort, port uint16) {
	for i, server := range servers {
		if server.IsValid() && server.Port() == 0 {
			servers[i] = netip.AddrPortFrom(server.Addr(), port)
		}
	}
}

// inFileOrder gives the keys of the map at path as they stand in the file, so
// that of two that clash the later one is reported.
func inFileOrder[T any](d *decoder, path string, m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		p, q := d.keys[join(path, a)], d.keys[join(path, b)]
		if p != q {
			return slices.Compare([]int{p.line, p.column}, []int{q.line, q.column})
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return keys
}
