package test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestRecords looks at names of several shapes in one world, each expected at
// the new address only.
func TestRecords(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	world.Serve(t, w.Shop,
		"* 30 IN A "+w.Old.String(),
		"api 30 IN A "+w.New.String(),
		"www 30 IN CNAME lb.edge.example.",
		"img 30 IN CNAME right.edge.example.",
		"pay 30 IN A "+w.New.String(), "pay 30 IN A "+w.Old.String(),
		"slow 3600 IN A "+w.New.String(),
		`mail 30 IN TXT "no address here"`)
	world.Serve(t, w.Edge, "lb 30 IN A "+w.Old.String(), "right 30 IN A "+w.New.String())
	w.Balancer(t, w.New, w.CA.Issue(t, "*.shop.example", "gone.edge.example"))
	look := func(t *testing.T, want int, host string) look {
		t.Helper()
		return once(t, want, "--config", configuration(t, w, "", fmt.Sprintf("{host: %s, addresses: [%q]}", host, w.New)))
	}
	edge := []string{w.Edge[0].Addr.String(), w.Edge[1].Addr.String()}

	for name, c := range map[string]struct {
		host string
		code string // "" is well
		// record is "zone owner", where the finding has one; names are parts of its text.
		record string
		names  []string
	}{
		"a right record beside a stale wildcard is right":            {host: "api.shop.example"},
		"an alias into another zone is right when its end is":        {host: "img.shop.example"},
		"a name under a stale wildcard is mended at the wildcard":    {"any.shop.example", "dns/stale-record", "shop.example *.shop.example", []string{w.Old.String(), w.New.String()}},
		"a stale end of an alias in a zone without hosts is mended":  {"www.shop.example", "dns/stale-record", "shop.example www.shop.example", edge},
		"one stale address beside a right one is stale":              {"pay.shop.example", "dns/stale-record", "shop.example pay.shop.example", []string{w.Old.String()}},
		"a name with other records has no address":                   {"mail.shop.example", "dns/no-record", "", nil},
		"a name that does not exist has no address":                  {"gone.edge.example", "dns/no-record", "", nil},
		"a TTL of an hour on the way to a load balancer is exposure": {"slow.shop.example", "dns/ttl-exposure", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.code == "" {
				if l := look(t, clean, c.host); len(l.Incidents) != 0 {
					t.Errorf("incidents: %s", indent(l.Incidents))
				}
				return
			}
			f := look(t, found, c.host).one(t, c.code, c.host)
			wantText(t, "the finding", f.text(), c.names...)
			if c.record == "" {
				return
			}
			if f.Record == nil || f.Record.Zone+" "+f.Record.Owner != c.record {
				t.Errorf("the finding is about record %+v, want %s", f.Record, c.record)
			}
		})
	}
}

// TestIPv6Only watches a name without any IPv4 address.
func TestIPv6Only(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	loopback := netip.IPv6Loopback()
	world.Serve(t, w.Shop, "six 30 IN AAAA "+loopback.String())
	b := w.BalancerAt(t, netip.AddrPortFrom(loopback, 0), w.CA.Issue(t, "six.shop.example"))
	target := fmt.Sprintf("{url: https://six.shop.example:%d/, addresses: [%q]}", b.At.Port(), loopback)
	l := once(t, clean, "--config", configuration(t, w, "", target))
	if len(l.Incidents) != 0 {
		t.Errorf("incidents: %s", indent(l.Incidents))
	}
	await(t, b, "GET /")
}

// TestAnOldBalancerThatLivesOn is looked at as a stranger: a handshake, and not
// one byte of the target's path or headers.
func TestAnOldBalancerThatLivesOn(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	cert := w.CA.Issue(t, "api.shop.example")
	world.Serve(t, w.Shop, "api 30 IN A "+w.Old.String())
	old, current := w.Balancer(t, w.Old, cert), w.Balancer(t, w.New, cert)
	l := once(t, found, "--config", configuration(t, w, "", fmt.Sprintf(
		"{url: https://api.shop.example/internal/health, addresses: [%q], headers: {Authorization: Bearer of-the-target}}", w.New)))
	if f := l.one(t, "dns/stale-record", "api.shop.example"); f.Severity != "warning" {
		t.Errorf("severity %s, want warning: a valid certificate answers at the old address", f.Severity)
	}
	await(t, current, "GET /internal/health")
	for _, r := range old.Requests(t) {
		if !strings.Contains(r, "BADREQ") {
			t.Errorf("the old address, a stranger's by now, was sent %q", r)
		}
	}
	if strings.Contains(l.stdout+l.stderr, "of-the-target") {
		t.Error("the output shows a secret header")
	}
}

// await returns when the balancer has logged the request.
func await(t *testing.T, b *world.Balancer, request string) {
	t.Helper()
	err := world.Poll(t, 10*time.Second, func(context.Context) error {
		if !slices.Contains(b.Requests(t), request) {
			return errors.New("not seen")
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s at %s: %v; it saw %q", request, b.At, err, b.Requests(t))
	}
}
