package main

import (
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// TestTheDelegationIsLookedAtToo goes from the sockets to the words, and through a
// saved snapshot.
func TestTheDelegationIsLookedAtToo(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("shop.example.", "api 60 IN A %s\n@ 60 IN NS ns1\n@ 60 IN NS ns2\n@ 60 IN NS ns3\nns3 60 IN A "+n.net.Addr(5).String())
	n.tree.Server(n.net.Addr(4)).SetFault(lab.OverProto("tcp", lab.TCPClosed))
	config := n.pinned("api.shop.example", n.lb)
	text, r := n.report(exitFound, config)
	text.says(
		"the delegation of shop.example does not match the zone: only the zone itself names ns3.shop.example",
		"take ns3.shop.example out of the NS records of the zone shop.example",
		"ns2.shop.example ("+n.net.Addr(4).String(), "does not answer over TCP",
	)
	equal(t, "delegation findings", len(coded(r, finding.DNSDelegationMismatch)), 1)
	equal(t, "server findings", len(coded(r, finding.DNSNonconformant)), 1)
	equal(t, "incidents", len(incidentsFrom(r, finding.Warning)), 2)
	saved := n.file("saved.json", n.run("--once", "-o", "json", "--config", config).out)
	n.run("judge", saved, "-v").exits(exitFound).says("only the zone itself names ns3.shop.example", "dns/nameserver-degraded", "does not answer over TCP")
}
