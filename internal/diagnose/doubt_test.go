package diagnose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
)

const elsewhere = "203.0.113.99"

// doubtful is a shop whose one name is published, beside others, at the load balancer of
// another Service, while HTTPRoutes could not be read.
func doubtful(addrs ...string) *builder {
	b := shop("www.shop.example").had(oldAddr, ago(time.Hour))
	b.Inventory.Services = append(b.Inventory.Services, inventory.Service{
		ServiceRef: inventory.ServiceRef{Namespace: "nginx", Name: "nginx"}, Addresses: ips(elsewhere),
	})
	b.Inventory.Gaps = []inventory.Gap{{Source: "kubernetes", Resources: []string{"httproutes"}, What: "HTTPRoutes", Why: "forbidden", Hint: "grant it"}}
	return b.publish("www.shop.example", 300, append(addrs, elsewhere)...).probe("www.shop.example", elsewhere, good)
}

func ago(d time.Duration) time.Time { return noon().Add(-d) }

func drift(t *testing.T, b *builder) finding.Incident {
	t.Helper()
	r := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	i := slices.IndexFunc(r.Incidents, func(in finding.Incident) bool { return strings.HasPrefix(in.ID, "dns-drift:") })
	if i < 0 {
		t.Fatalf("%+v", r.Incidents)
	}
	return r.Incidents[i]
}

// A doubt, or a fault at another address, is none of the load balancer; and the record keeps
// what may be right, without the load balancer's address beside it.
func TestADoubtBesideAStaleRecordAccusesNoBalancer(t *testing.T) {
	for name, bend := range map[string]func(*builder){
		"that answers":     func(*builder) {},
		"that is bad":      func(b *builder) { b.probe("www.shop.example", elsewhere, status(503)) },
		"that has expired": func(b *builder) { b.probe("www.shop.example", elsewhere, expired) },
	} {
		t.Run(name, func(t *testing.T) {
			b := doubtful(oldAddr).probe("www.shop.example", oldAddr, stranger)
			bend(b)
			in := drift(t, b)
			if n := len(in.Evidence) - 1; in.Severity != finding.Critical || !strings.HasPrefix(in.Evidence[n].Text, "only DNS is wrong") {
				t.Errorf("%s, %+v", in.Severity, in.Evidence)
			}
			if r := in.Fix[len(in.Fix)-1].Record; r == nil || !slices.Equal(r.Values, []string{elsewhere}) {
				t.Errorf("fix %+v", in.Fix)
			}
		})
	}
}

// What the cloud has no more belongs to no load balancer, whatever a status says.
func TestALostBalancerOwnsNothing(t *testing.T) {
	b := doubtful().probe("www.shop.example", elsewhere, stranger)
	b.Inventory.Services[1].BalancerID = "4f0c1b52-2222-4000-8000-000000000002"
	in := drift(t, b)
	if text := in.Evidence[len(in.Evidence)-2].Text; in.Cause != "DNS points at an address that is not the load balancer's" || !strings.HasSuffix(text, "owned by no load balancer of this account: it may be given to a stranger") {
		t.Errorf("%s; %s", in.Cause, text)
	}
}

// A lost load balancer hits no name that is published at another one alone.
func TestALostBalancerSparesWhatIsElsewhere(t *testing.T) {
	for published, want := range map[string]string{
		newAddr:   "what stands behind it stands behind another load balancer too, and is published there alone.",
		elsewhere: "1 hostname behind it fails now or as soon as the address is released; caches keep the old address for up to 300 s after the records are corrected.",
	} {
		b := doubtful().publish("www.shop.example", 300, published).probe("www.shop.example", elsewhere, silent)
		b.Inventory.Gaps = nil
		b.Inventory.Services[1].BalancerID = "4f0c1b52-2222-4000-8000-000000000002"
		web := &b.Inventory.Targets[0]
		web.Declarations = append(web.Declarations, inventory.Declaration{Object: "HTTPRoute shop/web", StatusAddresses: ips(elsewhere)})
		r := diagnose.Diagnose(policy(), noon(), b.Snapshot)
		i := slices.IndexFunc(r.Incidents, func(in finding.Incident) bool { return in.ID == "balancer-gone:nginx/nginx" })
		if i < 0 || !slices.Contains(r.Incidents[i].Evidence, finding.Note{Label: "so", Text: want}) {
			t.Errorf("%s: %+v", published, r.Incidents)
		}
	}
}

// Nobody calls records right of which that could not be told.
func TestWhatIsInDoubtIsNotCalledRight(t *testing.T) {
	in := drift(t, doubtful().published(oldAddr, 3600, ago(10*time.Minute)))
	if want := "the old address is out of the records since 11:37:00 UTC; all clear by 12:37:00 UTC, in 50 min"; in.State != finding.Draining || in.Cause != want {
		t.Errorf("%s: %s", in.State, in.Cause)
	}
}

// That one of several wrong addresses answers does not say that clients are served.
func TestOfSeveralWrongAddressesSomeAnswer(t *testing.T) {
	b := shop("www.shop.example").had(oldAddr, ago(time.Hour)).publish("www.shop.example", 300, oldAddr, "198.51.100.77")
	b.probe("www.shop.example", oldAddr, stranger).probe("www.shop.example", "198.51.100.77", strangerAlive)
	if in := drift(t, b); in.Cause != "DNS points at wrong addresses, of which some still answer" {
		t.Error(in.Cause)
	}
	b = shop("api.shop.example", "www.shop.example").had(oldAddr, ago(time.Hour))
	b.each(func(h string) { b.publish(h, 300, oldAddr) })
	b.probe("api.shop.example", oldAddr, stranger).probe("www.shop.example", oldAddr, strangerAlive)
	if in := drift(t, b); in.Cause != "DNS points at a wrong address that still answers for some of the names" {
		t.Error(in.Cause)
	}
}
