package lbcheck

import (
	"strings"
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

type changeCase struct {
	name          string
	before, after []inventory.Balanced
	// want is a part of what is observed; "" for no finding.
	want string
}

func (c changeCase) judge() []finding.Finding {
	return JudgeChange(c.before, c.after, func(inventory.ServiceRef) inventory.Risk {
		return inventory.Risk{Hosts: []string{"shop.example", "www.shop.example"}, Addresses: []string{"203.0.113.10"}, MaxTTL: 3600}
	})
}

func changeCases() []changeCase {
	service := func(change ...func(*inventory.Balanced)) inventory.Balanced {
		b := inventory.Balanced{ServiceRef: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}, Type: "LoadBalancer", BalancerID: "4f0c", Selector: "app=traefik", File: "svc.yaml", Line: 7}
		for _, f := range change {
			f(&b)
		}
		return b
	}
	list := func(all ...inventory.Balanced) []inventory.Balanced { return all }
	return []changeCase{
		{"nothing changes", list(service()), list(service()), ""},
		{"it is new", nil, list(service()), ""},
		{"deleted", list(service()), nil, "it is deleted: it leaves"},
		{"another namespace", list(service()), list(service(func(b *inventory.Balanced) { b.Namespace = "edge" })), "edge/traefik, which selects the same pods"},
		{"another name", list(service()), list(service(func(b *inventory.Balanced) { b.Name = "traefik\x1b" })), `traefik/traefik\x1b, which`},
		{"other pods", list(service()), list(service(func(b *inventory.Balanced) { b.Name, b.Selector = "x", "app=x" })), "it is deleted: it leaves"},
		{"ClusterIP", list(service()), list(service(func(b *inventory.Balanced) { b.Type = "" })), "its type becomes ClusterIP"},
		{"NodePort", list(service()), list(service(func(b *inventory.Balanced) { b.Type = "NodePort" })), "its type becomes NodePort"},
		{"it becomes one", list(service(func(b *inventory.Balanced) { b.Type = "ClusterIP" })), list(service()), ""},
		{"another class", list(service()), list(service(func(b *inventory.Balanced) { b.Class = "metallb" })), "loadBalancerClass becomes «metallb»"},
		{"another balancer", list(service()), list(service(func(b *inventory.Balanced) { b.BalancerID = "9a1e" })), "the load balancer 9a1e in place of 4f0c"},
		{"the id is taken away", list(service()), list(service(func(b *inventory.Balanced) { b.BalancerID = "" })), "it is not told any more to use the load balancer 4f0c"},
		{"the id is left to the controller, which wrote it", list(service(func(b *inventory.Balanced) { b.File = "" })), list(service(func(b *inventory.Balanced) { b.BalancerID = "" })), ""},
		{"the id is pinned", list(service(func(b *inventory.Balanced) { b.BalancerID = "" })), list(service()), ""},
	}
}

func TestJudgeChange(t *testing.T) {
	for _, c := range changeCases() {
		t.Run(c.name, func(t *testing.T) {
			got := c.judge()
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("found %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Code != finding.LBWillMove {
				t.Fatalf("found %+v", got)
			}
			t.Log(got[0].Summary, "|", got[0].Observed)
			const risk = ": it leaves 203.0.113.10; 2 hostnames lead to it (shop.example, www.shop.example), TTL 3600 s: clients fail for up to 60 min after"
			if o := got[0].Observed; !strings.Contains(o, c.want) || !strings.Contains(o, risk) || got[0].Line != 7 || got[0].SeenAt[0] != "svc.yaml" {
				t.Errorf("%s, line %d of %v", o, got[0].Line, got[0].SeenAt)
			}
			// Without the id only the cloud knows whose the load balancer is.
			want, says := finding.Critical, "this gives up"
			if strings.Contains(c.want, "not told any more") {
				want, says = finding.Warning, "this may give up"
			}
			if got[0].Severity != want || !strings.HasPrefix(got[0].Summary, says) {
				t.Errorf("%s %s, want %s %s", got[0].Severity, got[0].Summary, want, says)
			}
		})
	}
}
