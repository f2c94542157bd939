package issuance

import (
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

func TestRefused(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const limited = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: "
	order := func(reason string, age time.Duration) inventory.RefusedOrder {
		return inventory.RefusedOrder{
			Namespace: "shop", Name: "web-1-2345", Certificate: "web", At: now.Add(-age), Reason: limited + reason,
			Hosts: []string{"shop.example", "www.shop.example"}, Requests: 6,
		}
	}
	const exact = "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after "
	for _, c := range []struct {
		name string
		in   inventory.RefusedOrder
		// until is the end that is told; says a part of what is observed, "" for no finding.
		until, says string
	}{
		{"until tomorrow", order(exact+"2026-11-23 10:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/", time.Hour), "2026-11-23 10:00 UTC", "ordered for shop.example, www.shop.example, refused 2026-11-22 11:00 UTC; 6 CertificateRequests are there"},
		{"as RFC 3339", order(exact+"2026-11-23T10:00:00Z", 100*time.Hour), "2026-11-23 10:00 UTC", "exact set"},
		{"it is over", order(exact+"2026-11-22 11:59:59 UTC", time.Hour), "", ""},
		{"without an end", order("too many new orders recently: see https://letsencrypt.org/docs/rate-limits/", time.Hour), "", "too many new orders recently"},
		{"without an end, long ago", order("too many new orders recently", 25*time.Hour), "", ""},
		{"an end that is none", order(exact+"2026-13-40 10:00:00 UTC", time.Hour), "", "2026-13-40"},
		{"hostile", order("\x1b[2J"+strings.Repeat("x", 5000), time.Hour), "", `\x1b[2J`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Refused(now, []inventory.RefusedOrder{c.in})
			if c.says == "" {
				if len(got) != 0 {
					t.Errorf("found %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Code != finding.IssuanceRateLimit || got[0].Severity != finding.Warning {
				t.Fatalf("found %+v", got)
			}
			f := got[0]
			if !strings.Contains(f.Observed, c.says) || f.SeenAt[0] != "Order shop/web-1-2345" || f.Subject != (finding.Subject{Namespace: "shop", Name: "web"}) || len(f.Observed) > 1000 {
				t.Errorf("%+v", f)
			}
			if told := strings.Contains(f.Summary, "refused by the CA until "+c.until); told != (c.until != "") || told == f.ClearBy.IsZero() {
				t.Errorf("%q, clear by %s", f.Summary, f.ClearBy)
			}
		})
	}
	nameless := order("too many", time.Hour)
	nameless.Certificate = ""
	if got := Refused(now, []inventory.RefusedOrder{nameless, order("too many", time.Hour), order("too many", 2*time.Hour)}); len(got) != 2 || got[0].Subject == got[1].Subject {
		t.Errorf("one finding for each Certificate: %+v", got)
	}
}
