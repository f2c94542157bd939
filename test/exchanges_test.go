package test

import (
	"net/netip"
	"testing"

	"driftprobe/internal/lab"
	"driftprobe/internal/lab/exchanges"
	"driftprobe/internal/trial"
	"driftprobe/test/world"
)

// TestExchangesOfRealServers has each row of the table that a real server can produce,
// alone or in front of the lab, served by each of them, and wants the row's verdict.
func TestExchangesOfRealServers(t *testing.T) {
	for _, server := range world.WebServers() {
		t.Run(server.Name, func(t *testing.T) {
			t.Parallel()
			ca, err := lab.NewCA("Test Root X1")
			if err != nil {
				t.Fatal(err)
			}
			addr := world.Claim(t).Addr(11)
			others := unlike()[server.Name]
			var rows []exchanges.Situation
			var sites []world.Site
			for _, s := range exchanges.All() {
				if !server.Can(world.Site{Site: s.Site}) {
					if !s.Relayed {
						continue
					}
					s = s.Relay()
				}
				if other, found := others[s.Name]; found {
					s.Want = other.want
					delete(others, s.Name)
				}
				cert, err := exchanges.Certificate(ca) // caddy takes one for one site
				if err != nil {
					t.Fatal(err)
				}
				site, closeAll, err := s.Surround(addr, cert)
				t.Cleanup(func() { _ = closeAll() })
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, s)
				sites = append(sites, world.Site{Site: site, At: netip.AddrPortFrom(addr, 0), Cert: inPEM(t, cert)})
			}
			t.Logf("%s serves %d of %d rows", server.Name, len(rows), len(exchanges.All()))
			if len(rows) < 165 || len(others) > 0 {
				t.Errorf("%s serves only %d rows, and none of %v", server.Name, len(rows), others)
			}
			server.Serve(t, sites)
			for i, s := range rows {
				t.Run(s.Name, func(t *testing.T) {
					faults, err := trial.Exchange(t.Context(), s, ca.Pool(), sites[i].At)
					if err != nil {
						t.Fatal(err)
					}
					for _, fault := range faults {
						t.Error(fault)
					}
				})
			}
		})
	}
}

// unlike is what real servers make of a row otherwise than the lab, and why.
func unlike() map[string]map[string]otherwise {
	return map[string]map[string]otherwise{
		"haproxy": {
			"breaks off over HTTP/2": {"it says ENHANCE_YOUR_CALM where a rule rejects", []lab.Want{
				{Code: "http/unreachable", Severity: "critical", Texts: []string{"RST_STREAM, ENHANCE_YOUR_CALM", "http-request reject"}},
			}},
			"plain HTTP to a port of TLS, which says so": {"it hangs up", []lab.Want{
				{Code: "http/unreachable", Severity: "critical", Texts: []string{"speaks TLS, and was asked in plain HTTP"}},
			}},
		},
		"caddy": {"what is behind the load balancer breaks off within chunks": {"it ends its own chunks as if that was all", nil}},
	}
}

type otherwise struct {
	why  string
	want []lab.Want
}
