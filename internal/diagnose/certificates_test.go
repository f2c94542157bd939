package diagnose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/probe"
)

// reissued remembers certificates for the shop's names, issued that many hours ago, as
// looks met them.
func (b *builder) reissued(ca string, hours ...int) *builder {
	return b.reissuedFor(b.Inventory.Targets[0].Host, []string{"*.shop.example", "shop.example"}, ca, hours...)
}

func (b *builder) reissuedFor(host string, names []string, ca string, hours ...int) *builder {
	var seen []issuance.Seen
	for n, ago := range hours {
		issued := noon().Add(-time.Duration(ago) * time.Hour)
		seen = append(seen, issuance.Seen{
			At: issued.Add(time.Minute), Host: host, Address: ips(newAddr)[0], Names: names, CA: ca,
			Serial: fmt.Sprint(n), Issued: issued, NotAfter: issued.AddDate(0, 0, 90),
		})
	}
	b.History.Certificates = b.History.Certificates.Remember(seen)
	return b
}

// ingress adds the Deployment behind traefik/traefik, with acme.json on a volume.
func (b *builder) ingress(volume string, pods ...inventory.Pod) *builder {
	b.Inventory.Workloads = []inventory.Workload{{
		Kind: "Deployment", Namespace: "traefik", Name: "traefik", Chart: "traefik-37.1.0", Replicas: 1,
		Containers: []inventory.Container{{
			Name: "traefik", Image: "traefik:v3.7", Args: []string{"--certificatesresolvers.le.acme.storage=/data/acme.json"},
			Mounts: []inventory.Mount{{Volume: "traefik-config", Path: "/data"}},
		}},
		Volumes:  []inventory.Volume{{Name: "traefik-config", Kind: volume, Of: "traefik-config"}},
		Services: []inventory.ServiceRef{traefik()}, Pods: pods,
	}}
	return b
}

func pod(ago time.Duration, restarts int) inventory.Pod {
	return inventory.Pod{Name: "traefik-6c9-x2x4", Created: noon().AddDate(0, 0, -6), Started: noon().Add(-ago), Restarts: restarts}
}

func certificateSituations() []situation {
	const le = "Let's Encrypt"
	bare := func(b *builder) *builder {
		b.pinned(newAddr)
		return b
	}
	return []situation{
		{"certificates: mended with one more name", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).reissued(le, 31, 25, 16, 9, 3).ingress("persistentVolumeClaim")
			return b.reissuedFor(b.Inventory.Targets[0].Host, []string{"*.shop.example", "shop.example", "spare.example"}, le, 1)
		}, 0},
		{"certificates: the post-mortem, the whole story", func(t testing.TB) *builder {
			return shop(hosts(t, 5)...).reissued(le, 31, 25, 16, 9, 3).ingress("configMap", pod(40*time.Minute, 5)).probes(newAddr, placeholder)
		}, 1},
		{"certificates: the post-mortem, days before", func(t testing.TB) *builder {
			return shop(hosts(t, 5)...).reissued(le, 40, 30, 18, 2).ingress("configMap", pod(2*time.Hour+time.Minute, 4))
		}, 1},
		{"certificates: used up, and still good", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).reissued(le, 31, 25, 16, 9, 3).ingress("emptyDir")
		}, 1},
		{"certificates: only where they are kept is wrong", func(t testing.TB) *builder { return shop(hosts(t, 2)...).ingress("emptyDir") }, 1},
		{"certificates: they are kept well", func(t testing.TB) *builder { return shop(hosts(t, 2)...).ingress("persistentVolumeClaim") }, 0},
		{"certificates: a placeholder, and nothing is known of orders", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).ingress("configMap", pod(40*time.Minute, 0)).probes(newAddr, placeholder)
		}, 1},
		{"certificates: without a cluster, a loop", func(t testing.TB) *builder {
			return bare(shop(hosts(t, 2)...)).reissued(le, 40, 30, 18)
		}, 1},
		{"certificates: without a cluster, refused", func(t testing.TB) *builder {
			return bare(shop(hosts(t, 2)...)).reissued(le, 31, 25, 16, 9, 3).probes(newAddr, placeholder)
		}, 1},
		{"certificates: refused, until the old one expired", func(t testing.TB) *builder {
			return bare(shop(hosts(t, 2)...)).reissued(le, 31, 25, 16, 9, 3).probes(newAddr, expired)
		}, 1},
		{"certificates: an authority whose limit nobody knows", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).reissued("Example Trust", 31, 25, 16, 9, 3).ingress("emptyDir").probes(newAddr, placeholder)
		}, 1},
		{"certificates: the same names from two authorities, and one refuses", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).reissued(le, 31, 25, 16, 9, 3)
			return b.reissuedFor("auth.shop.example", []string{"*.shop.example", "shop.example"}, "ZeroSSL", 30, 24, 15).ingress("emptyDir").probes(newAddr, placeholder)
		}, 1},
		{"certificates: where they are kept is not known", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).ingress("persistentVolumeClaim")
			b.Inventory.Workloads[0].Containers[0].Args = []string{"--certificatesresolvers.le.acme.storage=$(STORE)/acme.json"}
			return b
		}, 0},
		{"certificates: two sets behind one front", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).reissuedFor("api.shop.example", []string{"api.shop.example"}, le, 31, 25, 16, 9, 3)
			return b.reissuedFor("auth.shop.example", []string{"*.shop.example", "shop.example"}, le, 40, 30, 18, 2).ingress("emptyDir")
		}, 1},
		{"certificates: a placeholder that another cause has", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).pinned(newAddr)
			b.reissuedFor("api.shop.example", []string{"api.shop.example"}, le, 40, 30, 18)
			return b.probe("auth.shop.example", newAddr, placeholder)
		}, 1},
		{"certificates: cert-manager is refused", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Refused = []inventory.RefusedOrder{{
				Namespace: "shop", Name: "web-tls-1", Certificate: "web-tls", At: noon().Add(-time.Hour), Hosts: []string{"api.shop.example"},
				Reason: "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-23 10:00:00 UTC",
			}}
			return b
		}, 1},
		{"certificates: an authority that nobody expects", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).reissued("Other Trust", 31)
		}, 1},
		{"certificates: many new sets below one domain", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).reissued(le, 400)
			for n := range 42 {
				b.reissuedFor("api.shop.example", []string{fmt.Sprintf("h%d.shop.example", n), "api.shop.example"}, le, 1)
			}
			return b
		}, 1},
		{"certificates: the next token is back", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).reissued(le, 40, 39, 38, 37, 36).ingress("configMap", pod(36*time.Hour, 5)).probes(newAddr, placeholder)
		}, 1},
	}
}

// What was issued is remembered from every look that proves it, dated by the log.
func TestRememberCertificates(t *testing.T) {
	logged := noon().Add(-49 * time.Hour)
	bend := func(f func(*probe.Observation)) func(*probe.Observation) {
		return func(o *probe.Observation) {
			good(o)
			f(o)
		}
	}
	for _, c := range []struct {
		name string
		look func(*probe.Observation)
		want time.Time // when it was issued; zero: nothing is remembered
	}{
		{"served well", good, noon().AddDate(0, 0, -49)},
		{"with the time of a log", bend(func(o *probe.Observation) { o.TLS.Chain[0].Logged = logged }), logged},
		{"at a stranger's address", bend(func(o *probe.Observation) { o.Stranger = true }), noon().AddDate(0, 0, -49)},
		{"for another name", bend(func(o *probe.Observation) { o.TLS.Trust.NameMatches = false }), noon().AddDate(0, 0, -49)},
		{"expired", expired, noon().AddDate(0, 0, -91)},
		{"not trusted", bend(func(o *probe.Observation) { o.TLS.Trust.Trusted = false }), time.Time{}},
		{"a placeholder", placeholder, time.Time{}},
		{"without a certificate", bend(func(o *probe.Observation) { o.TLS.Chain = nil }), time.Time{}},
		{"without TLS", refused, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := shop(hosts(t, 1)...).probes(newAddr, c.look)
			h := diagnose.Remember(noon(), b.Snapshot, b.Observations).Certificates
			if c.want.IsZero() {
				if len(h.Sets) != 0 {
					t.Errorf("remembered: %+v", h.Sets)
				}
				return
			}
			if len(h.Sets) != 1 || !h.Sets[0].Issuances[0].Issued.Equal(c.want) || h.Sets[0].CA != "Let's Encrypt" {
				t.Errorf("%+v, want one issued %s", h.Sets, c.want)
			}
		})
	}
}

// A file can say anything: judging it must not end in a panic.
func TestAHistoryThatIsNotOurs(t *testing.T) {
	b := shop(hosts(t, 2)...).reissued("Let's Encrypt", 31, 25, 16, 9, 3).ingress("configMap").probes(newAddr, placeholder)
	whole := b.History.Certificates.Sets[0]
	for _, bend := range []func(s *issuance.Set){
		func(s *issuance.Set) { s.Issuances = nil },
		func(s *issuance.Set) { s.Names = nil },
		func(s *issuance.Set) { s.Key = "" },
		func(s *issuance.Set) { s.Issuances = slices.Repeat([]issuance.Issuance{{}}, 6) },
		func(s *issuance.Set) {
			s.Names = slices.Repeat([]string{"\x1b[31m" + strings.Repeat("n", 300)}, 200)
		},
	} {
		s := whole
		bend(&s)
		b.History.Certificates.Sets = []issuance.Set{s, whole, s}
		for _, in := range diagnose.Diagnose(policy(), noon(), b.Snapshot).Incidents {
			for _, n := range in.Evidence {
				if strings.ContainsAny(n.Text, "\x1b\n") {
					t.Errorf("not escaped: %q", n.Text)
				}
			}
		}
	}
}
