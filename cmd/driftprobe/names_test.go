package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// names is a lab for questions about records: two zones of two servers each, and
// one load balancer that has a valid certificate for both.
type names struct {
	*desk
	net      lab.Net
	tree     *lab.DNSTree
	ca       *lab.CA
	cert     tls.Certificate
	balancer *lab.Balancer
	lb       netip.Addr
}

func newNames(t *testing.T) *names {
	t.Helper()
	n := &names{desk: newDesk(t), net: freeNet(t)}
	n.lb = n.net.Addr(10)
	var err error
	n.ca, err = lab.NewCA("Lab Root X2")
	n.must(err)
	n.cert, err = n.ca.Issue(lab.CertSpec{Names: []string{"shop.example", "*.shop.example", "*.eu.shop.example", "lb.cloud.example"}})
	n.must(err)
	n.balancer, err = lab.NewBalancer(netip.AddrPortFrom(n.lb, 0), n.cert)
	n.must(err)
	t.Cleanup(func() { n.closed(n.balancer.Close()) })
	zone := func(name string, first byte) lab.ZoneSpec {
		return lab.ZoneSpec{Name: name, Servers: []lab.NameServer{
			{Name: "ns1." + name, Addr: n.net.Addr(first)}, {Name: "ns2." + name, Addr: n.net.Addr(first + 1)},
		}}
	}
	n.tree, err = lab.NewDNSTree(lab.TreeSpec{
		Roots: []netip.Addr{n.net.Addr(1)},
		Zones: []lab.ZoneSpec{zone("shop.example.", 3), zone("cloud.example.", 5)},
	})
	n.must(err)
	t.Cleanup(func() { n.closed(n.tree.Close()) })
	n.file("ca.pem", string(n.ca.PEM()))
	return n
}

func (n *names) closed(err error) {
	if err != nil {
		n.t.Errorf("close the lab: %v", err)
	}
}

// publish sets records of a zone; %s in text is the load balancer's address.
func (n *names) publish(zone, text string, at ...netip.Addr) {
	n.t.Helper()
	n.must(n.tree.SetRecords(zone, strings.ReplaceAll(text, "%s", n.lb.String()), at...))
}

// pinned looks at a host that should be published at the addresses.
func (n *names) pinned(host string, addresses ...netip.Addr) string {
	n.t.Helper()
	var list []string
	for _, a := range addresses {
		list = append(list, fmt.Sprintf("%q", a))
	}
	target := fmt.Sprintf("targets: [{url: \"https://%s:%d/\", addresses: [%s]}]", host, n.balancer.Addr().Port(), strings.Join(list, ", "))
	return n.file("driftprobe.yaml", looking(n.tree.Roots()[0], n.tree.Port(), "", target))
}

// report looks once and expects an exit code of text and JSON alike.
func (n *names) report(want int, config string) (outcome, finding.Report) {
	n.t.Helper()
	text := n.run("--once", "--config", config).exits(want)
	return text, n.run("--once", "-o", "json", "--config", config).exits(want).report()
}

func TestWildcardAnswersForNamesThatDoNotExist(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("shop.example.", "*.eu 60 IN A %s")
	text, _ := n.report(exitClean, n.pinned("api.eu.shop.example", n.lb))
	text.says("OK  1 hostname is published where it should be, and answers")

	n.publish("shop.example.", "*.eu 60 IN A 127.0.0.99")
	text, r := n.report(exitFound, n.pinned("api.eu.shop.example", n.lb))
	text.says("*.eu.shop.example  A  " + n.lb.String())
	equal(t, "record's owner", onlyIncident(t, r).Effects[0].Record.Owner, "*.eu.shop.example")
}

func TestStaleAddressBehindAlias(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("shop.example.", "api 30 IN CNAME lb.cloud.example.")
	n.publish("cloud.example.", "lb 240 IN A 127.0.0.99")
	text, r := n.report(exitFound, n.pinned("api.shop.example", n.lb))
	// No target lies in cloud.example, so others run it: the alias is what can be changed.
	text.says("set this record in the zone shop.example:  api.shop.example  A  "+n.lb.String(), "TTL 30 s")
	stale := coded(r, finding.DNSStaleRecord)
	equal(t, "stale findings", len(stale), 1)
	equal(t, "zone", stale[0].Record.Zone, "shop.example")
	equal(t, "host", stale[0].Subject.Host, "api.shop.example")
}

func TestOneGoodAndOneStaleAddress(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("shop.example.", "api 60 IN A %s\napi 60 IN A 127.0.0.99")
	text, r := n.report(exitFound, n.pinned("api.shop.example", n.lb))
	text.says("DNS sends some clients to an address that is not the load balancer's", "api.shop.example  A  "+n.lb.String())
	in := onlyIncident(t, r)
	equal(t, "severity", in.Severity, finding.Critical)
	equalList(t, "right values", coded(r, finding.DNSStaleRecord)[0].Record.Values, n.lb.String())
}

func TestOneServerLagsBehind(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("shop.example.", "api 60 IN A %s")
	n.publish("shop.example.", "api 60 IN A 127.0.0.99", n.net.Addr(4))
	text, r := n.report(exitFound, n.pinned("api.shop.example", n.lb))
	text.says("DNS sends some clients to", "127.0.0.99 on 1 of 2 authoritative servers of shop.example")
	stale := coded(r, finding.DNSStaleRecord)
	equal(t, "stale findings", len(stale), 1)
	if len(stale[0].SeenAt) != 1 || !strings.HasPrefix(stale[0].SeenAt[0], "ns2.shop.example") {
		t.Errorf("seen at %v, want ns2 alone", stale[0].SeenAt)
	}
}

func TestServersDisagreeAmongRightAddresses(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	other := n.net.Addr(11)
	second, err := lab.NewBalancer(netip.AddrPortFrom(other, n.balancer.Addr().Port()), n.cert)
	n.must(err)
	t.Cleanup(func() { n.closed(second.Close()) })
	n.publish("shop.example.", "api 60 IN A %s")
	n.publish("shop.example.", "api 60 IN A "+other.String(), n.net.Addr(4))
	text, r := n.report(exitFound, n.pinned("api.shop.example", n.lb, other))
	text.says("WARNING", "api.shop.example").isSilentOn("stale", "critical")
	if got := codesFrom(r, finding.Warning); len(got) == 0 || got[0] != finding.DNSInconsistent {
		t.Errorf("codes at or above warning: %v, want dns/inconsistent", got)
	}
}

func TestIPv6Only(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	listener, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", n.balancer.Addr().Port()))
	n.must(err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	n.must(server.Listener.Close())
	server.Listener, server.TLS = listener, &tls.Config{Certificates: []tls.Certificate{n.cert}}
	server.StartTLS()
	t.Cleanup(server.Close)

	six := netip.MustParseAddr("::1")
	n.publish("shop.example.", "api 60 IN AAAA ::1")
	text, _ := n.report(exitClean, n.pinned("api.shop.example", six))
	text.says("1 hostname is published where it should be, and answers", "pinned  ::1")

	n.must(n.tree.RemoveRecords("shop.example.", "api.shop.example.", 28))
	n.publish("shop.example.", "api 60 IN AAAA fd00::99")
	text, _ = n.report(exitFound, n.pinned("api.shop.example", six))
	text.says("CRITICAL", "api.shop.example  AAAA  ::1")
}

func TestNameDoesNotExist(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	text, r := n.report(exitFound, n.pinned("api.shop.example", n.lb))
	text.says("CRITICAL", "api.shop.example", "NXDOMAIN").isSilentOn("stale")
	in := onlyIncident(t, r)
	equal(t, "code", in.Code, finding.DNSNoRecord)
	if in.ClearBy.IsZero() {
		t.Error("no time at which the last negative answer has expired")
	}
}

// exposed is a Service whose load balancer Kubernetes knows by its name only.
func (n *names) exposed(hostname string) string {
	n.t.Helper()
	cluster, err := lab.NewKubernetes("lab-token")
	n.must(err)
	n.t.Cleanup(func() { n.closed(cluster.Close()) })
	meta := func(name string) map[string]any { return map[string]any{"name": name, "namespace": "edge"} }
	rule := map[string]any{"host": "www.shop.example"}
	status := map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"hostname": hostname}}}}
	for _, obj := range []map[string]any{
		{"apiVersion": "v1", "kind": "Service", "metadata": meta("proxy"), "spec": map[string]any{"type": "LoadBalancer"}, "status": status},
		{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta("www"), "spec": map[string]any{"rules": []any{rule}}, "status": status},
	} {
		n.must(cluster.Apply(obj))
	}
	n.file("kubeconfig", string(cluster.Kubeconfig()))
	return n.file("driftprobe.yaml", looking(n.tree.Roots()[0], n.tree.Port(), "",
		fmt.Sprintf("kubernetes: {kubeconfig: kubeconfig, https_port: %d}", n.balancer.Addr().Port())))
}

func TestBalancerKnownByNameOnly(t *testing.T) {
	t.Parallel()
	n := newNames(t)
	n.publish("cloud.example.", "lb 60 IN A %s")
	n.publish("shop.example.", "www 60 IN A %s")
	config := n.exposed("lb.cloud.example")
	text, _ := n.report(exitClean, config)
	text.says("OK  1 hostname is published where its load balancer is, and answers", "edge/proxy  "+n.lb.String())

	n.publish("shop.example.", "www 60 IN A 127.0.0.99")
	text, r := n.report(exitFound, config)
	text.says("CRITICAL", "edge/proxy  has "+n.lb.String(), "lb.cloud.example: a CNAME", "only DNS is wrong")
	equalList(t, "hosts", onlyIncident(t, r).Hosts, "www.shop.example")

	n.publish("cloud.example.", "lb 60 IN A 127.0.0.98\nlb 60 IN A %s")
	text, _ = n.report(exitFound, config)
	text.says("the load balancer of edge/proxy does not answer at 127.0.0.98", "DNS is wrong, and that is not all")
}
