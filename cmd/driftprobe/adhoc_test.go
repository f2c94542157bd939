package main

import (
	"fmt"
	"strings"
	"testing"

	"driftprobe/finding"
)

// adhoc are the flags of a look without a configuration; the rest of the world is
// not on port 53.
func (s *stage) adhoc(more ...string) []string {
	return append([]string{
		"--once", "--dns.root-servers", s.Root().Addr().String(), "--dns.port", fmt.Sprint(s.DNSPort()),
		"--dns.resolvers", "-", "--tls.ca-file", s.folder + "/ca.pem", "--probe.allow-addresses", "127.0.0.0/8",
		s.host(),
	}, more...)
}

// host is one of the hosts, as it is given on the command line.
func (s *stage) host() string { return fmt.Sprintf("api.shop.example:%d", s.HTTPSPort) }

func TestOneNameWithoutConfiguration(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.run(s.adhoc()...).exits(exitClean).says(
		"OK  1 hostname answers; drift was not judged:", s.OldAddr.String(),
		"checked 1 hostname on 3 authoritative servers, 1 address in",
	).isSilentOn("stale record found", "resolver")
	equal(t, "queries to the resolver", s.Resolver.Queries.Len(), 0)

	// The environment names a cluster only where we run inside of one.
	s.env["KUBECONFIG"] = s.folder + "/kubeconfig"
	s.run(s.adhoc()...).exits(exitClean).says("drift was not judged")
	equal(t, "requests to the cluster", s.Kube.Requests.Len(), 0)

	s.run(s.adhoc("-v")...).exits(exitClean).says("api.shop.example")
	s.run(s.adhoc("--fail-on", "info")...).exits(exitClean)
}

func TestOneNameWhoseAddressIsDead(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.must(s.Balancer(s.OldAddr).Stop())
	s.run(s.adhoc()...).exits(exitFound).says("CRITICAL", s.OldAddr.String(), "refused", "api.shop.example").isSilentOn("stale-record")
}

func TestNameServerDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.must(s.Tree.Server(s.NameAddrs[1]).Stop())
	s.run(s.adhoc()...).exits(exitFound).says("WARNING", "ns2.shop.example", s.NameAddrs[1].String(), "(1 without a usable answer)")
	r := s.run(s.adhoc("-o", "json")...).exits(exitFound).report()
	equalList(t, "codes at or above warning", codesFrom(r, finding.Unknown), finding.DNSServerDegraded)
	in := onlyIncident(t, r)
	if !strings.Contains(in.Cause, "ns2.shop.example") {
		t.Errorf("the cause does not name the server: %s", in.Cause)
	}
	s.run(s.adhoc("--fail-on", "critical")...).exits(exitClean)
}

// What cannot be looked at is not fine, and not stale either.
func TestNoAuthorityIsUnknown(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*stage){
		"all servers of the zone are down": func(s *stage) { s.down("shop.example.") },
		"the roots are down":               func(s *stage) { s.down(".") },
		"the top-level domain is down":     func(s *stage) { s.down("example.") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, ttl)
			pinned := s.configuration("pinned.yaml",
				fmt.Sprintf("targets: [{url: %q, addresses: [%s]}]", s.url("api.shop.example"), s.OldAddr))
			s.run("--once", "--config", pinned).exits(exitClean)
			breakIt(s)
			r := s.run("--once", "-o", "json", "--config", pinned).exits(exitUnknown).isSilentOn("stale").report()
			for _, code := range codesFrom(r, finding.Unknown) {
				if code != finding.DNSUnresolvable && code != finding.SelfOffline && code != finding.DNSResolverDegraded {
					t.Errorf("unexpected finding %s", code)
				}
			}
			s.run("--once", "--config", pinned).exits(exitUnknown).says("UNKNOWN").isSilentOn("stale", "critical")
			// Without a pinned address a note says that staleness was not looked for.
			s.run(s.adhoc()...).exits(exitUnknown).says("UNKNOWN").isSilentOn("stale-record", "points at", "critical")
		})
	}
}

// down stops all servers of a zone. The resolver with its cache goes too: it
// would still know.
func (s *stage) down(zone string) {
	s.t.Helper()
	s.must(s.Resolver.Stop())
	for _, server := range s.Tree.Servers(zone) {
		s.must(server.Stop())
	}
}

// If clients fail at a resolver too, it is no longer only unknown.
func TestUnresolvableForClientsToo(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	for _, server := range s.Tree.Servers("shop.example.") {
		s.must(server.Stop())
	}
	config := s.configuration("config.yaml",
		fmt.Sprintf("targets: [{url: %q, addresses: [%s]}]", s.url("api.shop.example"), s.OldAddr))
	s.run("--once", "--config", config).exits(exitFound).says("CRITICAL", "api.shop.example").isSilentOn("stale")
}
