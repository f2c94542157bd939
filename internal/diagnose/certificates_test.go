package diagnose_test

import (
	"fmt"
	"testing"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
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
		{"certificates: two sets behind one front", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).reissuedFor("api.shop.example", []string{"api.shop.example"}, le, 31, 25, 16, 9, 3)
			return b.reissuedFor("auth.shop.example", []string{"*.shop.example", "shop.example"}, le, 40, 30, 18, 2).ingress("emptyDir")
		}, 1},
		{"certificates: a placeholder that another cause has", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).pinned(newAddr)
			b.reissuedFor("api.shop.example", []string{"api.shop.example"}, le, 40, 30, 18)
			return b.probe("auth.shop.example", newAddr, placeholder)
		}, 1},
		{"certificates: the next token is back", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).reissued(le, 40, 39, 38, 37, 36).ingress("configMap", pod(36*time.Hour, 5)).probes(newAddr, placeholder)
		}, 1},
	}
}
