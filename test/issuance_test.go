package test

import (
	"crypto/x509"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	findings "driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/lab"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
	"driftprobe/test/world"
)

// edge is nginx with what an ACME client of pebble got for it, one certificate after the
// other, and what driftprobe remembers of its looks.
type edge struct {
	t     *testing.T
	host  string
	seen  []probe.Observation
	state snapshot.History
}

// look meets the next certificate, as the same host and address.
func (e *edge) look(n int) { e.meet(e.seen[n]) }

func (e *edge) meet(o probe.Observation) {
	e.state = diagnose.Remember(o.At, snapshot.Snapshot{History: e.state, At: o.At}, snapshot.Observations{Probes: []probe.Observation{o}})
}

// moved is a look as if all had happened at another time.
func moved(o probe.Observation, by time.Duration) probe.Observation {
	leaf, session := o.TLS.Chain[0], *o.TLS
	leaf.NotBefore, leaf.NotAfter = leaf.NotBefore.Add(by), leaf.NotAfter.Add(by)
	session.Chain = append([]probe.Certificate{leaf}, session.Chain[1:]...)
	o.TLS, o.At = &session, o.At.Add(by)
	return o
}

// says wants the findings at the moment of a look, each with its severity and a text.
func (e *edge) says(p issuance.Policy, now time.Time, want ...string) []findings.Finding {
	e.t.Helper()
	got := issuance.Judge(p, now, e.state.Certificates)
	for n, f := range got {
		text := f.Severity.String() + " " + string(f.Code) + ": " + f.Summary
		if n >= len(want) || !strings.HasPrefix(text, strings.Split(want[n], " … ")[0]) || !strings.HasSuffix(text, want[n][strings.LastIndex(want[n], " … ")+len(" … "):]) {
			e.t.Errorf("finding %d: %s; want %v", n, text, want)
		}
	}
	if len(got) < len(want) {
		e.t.Errorf("%d findings, want %v", len(got), want)
	}
	return got
}

// TestCertificatesOfPebbleOrderedAgain orders the same certificate again and again with a
// real ACME client, and replays the looks at the nginx that serves it.
func TestCertificatesOfPebbleOrderedAgain(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	const host = "www.shop.example"
	orders := [][]string{
		{host, "*.shop.example"}, {"*.shop.example", host}, {host, "*.shop.example"}, {"*.shop.example", host}, {host, "*.shop.example"},
		{host, "*.shop.example", "spare.shop.example"},
	}
	const spare, foreign = 5, 6
	var sites []world.Site
	for _, names := range orders {
		sites = append(sites, world.Site{At: netip.AddrPortFrom(w.Old, 0), Cert: w.CA.Issue(t, names...)})
	}
	other, err := lab.NewCA("Example Trust Root")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.Issue(lab.CertSpec{Names: orders[0]})
	if err != nil {
		t.Fatal(err)
	}
	sites = append(sites, world.Site{At: netip.AddrPortFrom(w.Old, 0), Cert: inPEM(t, theirs)})
	world.WebServers()[0].Serve(t, sites)

	root, err := os.ReadFile(w.CA.RootFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := other.Pool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatal("pebble's root cannot be read")
	}
	seen := lookAt(t, roots, host, sites)
	first := seen[0].TLS.Chain[0]
	p := issuance.Policy{SameNames: map[string]issuance.Limit{first.IssuerCN: issuance.SameNames()}} // pebble has no organisation
	fresh := func(t *testing.T) *edge { return &edge{t: t, host: host, seen: seen} }

	const limit = "issuance/rate-limit: certificates for *.shop.example, www.shop.example are near the limit of … "
	t.Run("the same names in another order count, up to the last", func(t *testing.T) {
		e := fresh(t)
		for n, want := range [][]string{nil, nil, {"warning " + limit + "at least 3 of 5 used"}, {"warning " + limit + "at least 4 of 5 used"}, {"critical " + limit + "all 5 used: the next order is refused"}} {
			e.look(n)
			got := e.says(p, seen[n].At, want...)
			if n == 4 && len(got) == 1 && !got[0].ClearBy.Equal(first.NotBefore.Add(33*time.Hour+36*time.Minute)) {
				t.Errorf("the next is allowed %s, want 33.6 h after %s", got[0].ClearBy, first.NotBefore)
			}
		}
		next := first.NotBefore.Add(33*time.Hour + 36*time.Minute)
		e.says(p, next.Add(-time.Second), "critical "+limit+"all 5 used: the next order is refused")
		e.says(p, next, "warning "+limit+"at least 4 of 5 used")
		e.look(spare)
		e.says(p, seen[spare].At) // one more name is another set, which is served now
	})
	t.Run("one more name is another set", func(t *testing.T) {
		e := fresh(t)
		for _, n := range []int{0, 1, spare} {
			e.look(n)
			e.says(p, seen[n].At)
		}
	})
	t.Run("another authority has another budget", func(t *testing.T) {
		e := fresh(t)
		for _, n := range []int{0, 1, foreign} {
			e.look(n)
			e.says(p, seen[n].At)
		}
	})
	t.Run("an authority without a known limit is only counted", func(t *testing.T) {
		e := fresh(t)
		for n := range 5 {
			e.look(n)
		}
		e.says(issuance.Policy{}, seen[4].At)
	})
	t.Run("planned renewals", func(t *testing.T) {
		e := fresh(t)
		for n := range 5 { // pebble's live for 90 days
			o := moved(seen[n], time.Duration(n)*60*24*time.Hour)
			e.meet(o)
			e.says(p, o.At)
		}
	})
	t.Run("a restart each ten hours", func(t *testing.T) {
		e := fresh(t)
		for n, want := range [][]string{
			nil, nil,
			{"warning issuance/rate-limit: … at least 3 of 5 used", "warning issuance/reissue-loop: certificates for … 3 in a week"},
			{"warning issuance/rate-limit: … at least 4 of 5 used", "warning issuance/reissue-loop: certificates for … 4 in a week"},
			{"warning issuance/rate-limit: … at least 4 of 5 used", "warning issuance/reissue-loop: certificates for … 5 in a week"},
		} {
			o := moved(seen[n], time.Duration(n)*10*time.Hour)
			e.meet(o)
			e.says(p, o.At, want...)
		}
	})
}

// TestShortLivedCertificatesOfPebble has certificates of six days, renewed each 80 hours by
// two replicas, each for itself, and then a replica that loses them.
func TestShortLivedCertificatesOfPebble(t *testing.T) {
	t.Parallel()
	n := world.Claim(t)
	ca := world.ShortLived(t, n)
	const host = "www.shop.example"
	at := []netip.Addr{n.Addr(20), n.Addr(21)}
	var sites []world.Site
	for order := range 14 {
		sites = append(sites, world.Site{At: netip.AddrPortFrom(at[order%2], 0), Cert: ca.Issue(t, host, "*.shop.example")})
	}
	world.WebServers()[0].Serve(t, sites)
	root, err := os.ReadFile(ca.RootFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	seen := lookAt(t, roots, host, sites)
	leaf := seen[0].TLS.Chain[0]
	if life := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour); life != 160*time.Hour {
		t.Fatalf("they live for %s", life)
	}
	p := issuance.Policy{SameNames: map[string]issuance.Limit{leaf.IssuerCN: issuance.SameNames()}}
	e := &edge{t: t, host: host, seen: seen}

	// The replicas order by turns, each 80 hours. Each certificate is met until the next.
	const turn, hour = 40 * time.Hour, time.Hour
	var last [2]probe.Observation
	for order := range 10 {
		last[order%2] = moved(seen[order], time.Duration(order)*turn)
		for range turn / (4 * hour) {
			for _, o := range last[:min(order+1, 2)] {
				e.meet(o)
				e.says(p, o.At)
			}
			for n := range last {
				last[n].At = last[n].At.Add(4 * hour)
			}
		}
	}
	// The second replica loses its certificate at each restart.
	for order := 10; order < 14; order++ {
		e.meet(moved(seen[order], 10*turn+time.Duration(order-10)*3*hour))
	}
	now := seen[13].At.Add(10*turn + 9*hour)
	e.says(p, now, "warning issuance/rate-limit: … at least 4 of 5 used", "warning issuance/reissue-loop: certificates for … in a week")
}

// lookAt visits each site as the host.
func lookAt(t *testing.T, roots *x509.CertPool, host string, sites []world.Site) []probe.Observation {
	t.Helper()
	p := probe.New(probe.Settings{Roots: roots, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 20 * time.Second})
	var all []probe.Observation
	for _, s := range sites {
		target := inventory.Target{Key: "https://" + host + "/", Host: host, Port: s.At.Port(), Path: "/"}
		o := p.Observe(t.Context(), probe.Request{Target: target, Address: s.At})
		if o.TLS == nil || !o.TLS.Trust.Trusted {
			t.Fatalf("%s: %+v, %+v", s.At, o.Fault, o.TLS)
		}
		all = append(all, o)
	}
	return all
}
