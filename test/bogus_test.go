package test

import (
	"net/netip"
	"strings"
	"testing"

	"driftprobe/test/world"
)

// TestAZoneThatValidatingResolversRefuse is a zone that clients of validating
// resolvers cannot reach, on real resolvers, while its own servers are right.
func TestAZoneThatValidatingResolversRefuse(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	publish(t, w, w.New)
	w.Balancer(t, w.New, w.CA.Issue(t, "shop.example", "*.shop.example"))
	resolvers := map[string]netip.Addr{"lenient": w.Resolver.Addr}
	for i, kind := range world.Validating("shop.example") {
		resolvers[kind.Name] = kind.Start(t, w.Net.Addr(byte(11+i)), w.Root).Addr
	}
	for name, c := range map[string]struct {
		asked    []string
		severity string
		says     []string
	}{
		"bind alone":                 {[]string{"bind"}, "critical", []string{"1 of 1 resolver", "SERVFAIL", "CD=1"}},
		"unbound alone":              {[]string{"unbound"}, "critical", []string{"1 of 1 resolver", "SERVFAIL", "CD=1"}},
		"unbound says why":           {[]string{"unbound, which says why"}, "critical", []string{"EDE ", "1 of 1 resolver"}},
		"all that validate":          {[]string{"bind", "unbound", "lenient"}, "critical", []string{"2 of 3 resolvers", "answers, perhaps without checking"}},
		"one of two":                 {[]string{"unbound", "lenient"}, "warning", []string{"1 of 2 resolvers", "others do not"}},
		"one that validates nothing": {[]string{"lenient"}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			for _, r := range c.asked {
				asked = append(asked, resolvers[r].String())
			}
			args := []string{
				"--dns.root-servers", w.Root.String(), "--dns.port", "53", "--dns.resolvers", strings.Join(asked, ","),
				"--probe.allow-addresses", "127.0.0.0/8", "--tls.ca-file", w.CA.RootFile, "api.shop.example", "www.shop.example",
			}
			if c.severity == "" {
				once(t, clean, args...).none(t, "dns/bogus", "dns/resolver-degraded")
				return
			}
			l := once(t, found, args...)
			l.none(t, "dns/resolver-degraded", "dns/unresolvable", "dns/stale-record")
			f := l.one(t, "dns/bogus", "api.shop.example")
			if f.Severity != c.severity {
				t.Errorf("severity %s, want %s", f.Severity, c.severity)
			}
			wantText(t, "the finding", f.text(), c.says...)
			if len(l.Incidents) != 1 || len(l.Incidents[0].Hosts) != 2 {
				t.Errorf("two names of one zone must be one incident: %s", indent(l.Incidents))
			}
		})
	}
}
