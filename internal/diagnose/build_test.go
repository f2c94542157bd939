package diagnose_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// A world is a snapshot under construction: a shop with a few hostnames behind
// traefik/traefik, its zone on three servers, one load balancer in the cloud. Each
// case bends it.

func noon() time.Time { return time.Date(2026, 11, 22, 11, 47, 0, 0, time.UTC) }

const (
	oldAddr = "203.0.113.10"
	newAddr = "203.0.113.77"
)

func traefik() inventory.ServiceRef {
	return inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}
}

type builder struct{ snapshot.Snapshot }

func shop(hosts ...string) *builder {
	b := &builder{snapshot.Snapshot{Version: snapshot.Version, At: noon(), Began: noon().Add(-1300 * time.Millisecond)}}
	b.Inventory.Services = []inventory.Service{{
		ServiceRef: traefik(), UID: "u1", BalancerID: "4f0c1b52-1111-4000-8000-000000000001",
		Addresses: ips(newAddr), Labels: map[string]string{"app.kubernetes.io/name": "traefik"},
	}}
	b.Observations.Clouds = []lbcheck.Observation{{
		Provider: "DigitalOcean", At: noon(),
		Balancers: []lbcheck.Balancer{{ID: "4f0c1b52-1111-4000-8000-000000000001", Name: "k8s-main", Status: "active", Addresses: ips(newAddr)}},
	}}
	for _, h := range hosts {
		b.Inventory.Targets = append(b.Inventory.Targets, inventory.Target{
			Key: "https://" + h + "/", Host: h, Port: 443, Path: "/", Origin: "Ingress shop/web",
			Declarations: []inventory.Declaration{{
				Object: "Ingress shop/web", Class: "traefik", Controller: "traefik.io/ingress-controller", StatusAddresses: ips(newAddr),
			}},
		})
		b.publish(h, 300, newAddr)
		b.probe(h, newAddr, good)
	}
	return b
}

// pinned makes the targets ones of the configuration, with pinned addresses and
// no cluster and no cloud.
func (b *builder) pinned(addrs ...string) *builder {
	b.Inventory.Services, b.Observations.Clouds = nil, nil
	for i := range b.Inventory.Targets {
		t := &b.Inventory.Targets[i]
		t.Origin, t.Declarations, t.Addresses = "config", nil, ips(addrs...)
	}
	return b
}

// publish sets what the three servers say about a host, under the zone's
// wildcard. Addresses that begin with "-" are on ns3 only.
func (b *builder) publish(host string, ttl uint32, addrs ...string) *builder {
	o := dnscheck.Observation{Host: host, At: noon(), Heard: true}
	step := dnscheck.Step{Name: host, Zone: "shop.example", WildcardOwner: "*.shop.example"}
	for n, name := range []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"} {
		s := dnscheck.Server{Name: name, Address: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:53", n+1))}
		for _, typ := range []dnscheck.Type{dnscheck.A, dnscheck.AAAA} {
			a := dnscheck.Answer{Server: s, Type: typ, Outcome: dnscheck.NoData, TTL: 300}
			for _, text := range addrs {
				bare := strings.TrimPrefix(text, "-")
				ip := netip.MustParseAddr(bare)
				if ip.Is4() == (typ == dnscheck.A) && (bare == text || n == 2) {
					a.Outcome, a.TTL, a.Addresses = dnscheck.OK, ttl, append(a.Addresses, ip)
				}
			}
			step.Answers = append(step.Answers, a)
			if n == 0 {
				step.Wildcard = append(step.Wildcard, a)
			}
		}
	}
	o.Steps = []dnscheck.Step{step}
	return b.replaceDNS(o)
}

func (b *builder) replaceDNS(o dnscheck.Observation) *builder {
	i := slices.IndexFunc(b.Observations.DNS, func(p dnscheck.Observation) bool { return p.Host == o.Host })
	if i < 0 {
		b.Observations.DNS = append(b.Observations.DNS, o)
	} else {
		b.Observations.DNS[i] = o
	}
	return b
}

// servers bends what the zone's servers say: each answer of a server whose name
// has the prefix gets the outcome.
func (b *builder) servers(prefix string, out dnscheck.Outcome, detail string) *builder {
	for i := range b.Observations.DNS {
		for j := range b.Observations.DNS[i].Steps {
			answers := b.Observations.DNS[i].Steps[j].Answers
			for k, a := range answers {
				if strings.HasPrefix(a.Server.Name, prefix) {
					answers[k] = dnscheck.Answer{Server: a.Server, Type: a.Type, Outcome: out, Detail: detail, TTL: map[bool]uint32{true: 300}[out.Speaks()]}
				}
			}
		}
	}
	return b
}

// resolver adds what a recursive resolver gives for every host.
func (b *builder) resolver(ip string, ttl uint32, addr string) *builder {
	for i := range b.Observations.DNS {
		r := dnscheck.ResolverAnswer{Resolver: netip.MustParseAddrPort(ip + ":53"), Type: dnscheck.A, Outcome: dnscheck.OK, TTL: ttl, At: noon()}
		if addr == "" {
			r.Outcome, r.Detail = dnscheck.Silent, "timeout"
		} else {
			r.Addresses = ips(addr)
		}
		b.Observations.DNS[i].Resolvers = append(b.Observations.DNS[i].Resolvers, r)
	}
	return b
}

// probe sets what was met at an address of a host.
func (b *builder) probe(host, addr string, bend func(*probe.Observation)) *builder {
	o := probe.Observation{
		Target: "https://" + host + "/", Host: host, Address: netip.AddrPortFrom(netip.MustParseAddr(addr), 443),
		At: noon(), Reached: probe.PhaseHTTP,
	}
	bend(&o)
	i := slices.IndexFunc(b.Observations.Probes, func(p probe.Observation) bool {
		return p.Target == o.Target && p.Address == o.Address
	})
	if i < 0 {
		b.Observations.Probes = append(b.Observations.Probes, o)
	} else {
		b.Observations.Probes[i] = o
	}
	return b
}

// probes bends what was met at an address by every host.
func (b *builder) probes(addr string, bend func(*probe.Observation)) *builder {
	for _, t := range b.Inventory.Targets {
		b.probe(t.Host, addr, bend)
	}
	return b
}

func good(o *probe.Observation) {
	o.TLS = certificate("*.shop.example", noon().AddDate(0, 0, -49), noon().AddDate(0, 0, 41))
	o.HTTP = &probe.HTTP{Status: 200}
}

func status(code int) func(*probe.Observation) {
	return func(o *probe.Observation) {
		good(o)
		o.HTTP.Status = code
	}
}

func expired(o *probe.Observation) {
	good(o)
	o.TLS = certificate("*.shop.example", noon().AddDate(0, 0, -91), noon().Add(-3*time.Hour))
}

func placeholder(o *probe.Observation) {
	good(o)
	o.TLS.Chain = []probe.Certificate{{
		SubjectCN: "TRAEFIK DEFAULT CERT", IssuerCN: "TRAEFIK DEFAULT CERT", Names: []string{"0a1b.2c3d.traefik.default"},
		Serial: "1", SHA256: strings.Repeat("cd", 32), NotBefore: noon(), NotAfter: noon().AddDate(1, 0, 0), SelfSigned: true,
	}}
	o.TLS.Trust = probe.Trust{NotBefore: noon(), NotAfter: noon().AddDate(1, 0, 0), Why: "signed by itself"}
}

func certificate(name string, from, to time.Time) *probe.TLS {
	return &probe.TLS{
		Version: 0x304,
		Chain: []probe.Certificate{{
			SubjectCN: name, IssuerCN: "R11", IssuerO: "Let's Encrypt", Names: []string{name, "shop.example"},
			Serial: "03ab", SHA256: strings.Repeat("ab", 32), NotBefore: from, NotAfter: to,
		}},
		Trust: probe.Trust{Trusted: true, NameMatches: true, NotBefore: from, NotAfter: to, Ends: name},
	}
}

func stranger(o *probe.Observation) {
	o.Stranger, o.Reached = true, probe.PhaseNone
	o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Timeout, Text: "timeout while connecting"}
}

func strangerAlive(o *probe.Observation) {
	good(o)
	o.Stranger, o.HTTP, o.Reached = true, nil, probe.PhaseTLS
}

func refused(o *probe.Observation) {
	o.Reached = probe.PhaseNone
	o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Refused, Text: "connection refused: nothing listens on port 443"}
}

func silent(o *probe.Observation) {
	o.Reached = probe.PhaseNone
	o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Timeout, Text: "timeout while connecting"}
}

// had remembers that the balancer had an address until a moment.
func (b *builder) had(addr string, until time.Time) *builder {
	b.History.Addresses.Sightings = []lbcheck.Sighting{
		{Service: traefik(), Address: ips(addr)[0], FirstSeen: until.AddDate(0, -1, 0), LastSeen: until},
	}
	if len(b.Inventory.Services) > 0 {
		b.History.Addresses.Sightings = append(b.History.Addresses.Sightings,
			lbcheck.Sighting{Service: traefik(), Address: ips(newAddr)[0], FirstSeen: until.Add(time.Minute), LastSeen: noon()})
	}
	return b
}

// published remembers that every host published an address until a moment.
func (b *builder) published(addr string, ttl uint32, until time.Time) *builder {
	for _, t := range b.Inventory.Targets {
		b.History.Records.Sightings = append(b.History.Records.Sightings, dnscheck.Sighting{
			Host: t.Host, Address: ips(addr)[0], FirstSeen: until.AddDate(0, -1, 0), LastSeen: until, Gone: until,
			Path: []dnscheck.Link{{Owner: t.Host, Type: "A", Value: addr, TTL: ttl}},
		})
	}
	return b
}

func ips(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range list {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// each applies a bend to every host.
func (b *builder) each(bend func(host string)) *builder {
	for _, t := range b.Inventory.Targets {
		bend(t.Host)
	}
	return b
}

func hosts(t testing.TB, n int) []string {
	t.Helper()
	all := []string{"api.shop.example", "auth.shop.example", "www.shop.example", "docs.shop.example", "app.shop.example"}
	return all[:n]
}

// outage is a cloud that has never been read.
func outage() lbcheck.Observation {
	return lbcheck.Observation{Provider: "DigitalOcean", Failure: "the API answers 503", FailureHint: "wait, it is asked again every minute"}
}

// crowd is a shop with many hosts: what is built for one is copied.
func crowd(names []string) *builder {
	b := shop(names[0])
	target, seen, probed := b.Inventory.Targets[0], b.Observations.DNS[0], b.Observations.Probes[0]
	b.Inventory.Targets, b.Observations.DNS, b.Observations.Probes = nil, nil, nil
	for _, h := range names {
		t, o, p := target, seen, probed
		t.Key, t.Host = "https://"+h+"/", h
		o.Host, o.Steps = h, slices.Clone(seen.Steps)
		o.Steps[0].Name = h
		p.Target, p.Host = t.Key, h
		b.Inventory.Targets = append(b.Inventory.Targets, t)
		b.Observations.DNS = append(b.Observations.DNS, o)
		b.Observations.Probes = append(b.Observations.Probes, p)
	}
	return b
}

func netipPort(addr string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), 443)
}
