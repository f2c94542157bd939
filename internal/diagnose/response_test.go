package diagnose_test

import (
	"fmt"
	"strings"
	"testing"

	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// What one response got wrong is one incident, of its deepest fault; it names the others.
func TestOneResponseIsOneIncident(t *testing.T) {
	no := false
	all := func(o *probe.Observation) {
		o.HTTP.Status, o.HTTP.BodyMatched, o.HTTP.HeadersMissing = 503, &no, []string{"X-Frame-Options"}
	}
	header := func(o *probe.Observation) { o.HTTP.HeadersMissing = []string{"X-Frame-Options"} }
	for name, c := range map[string]struct {
		expect       inventory.Expect
		first, other func(*probe.Observation)
		want         []string // incidents: severity, code, findings
		says         string
	}{
		"all of it":                {first: all, want: []string{"critical http/status 3"}, says: "also HTTP 503, absent or different: X-Frame-Options"},
		"on two hostnames":         {first: all, other: all, want: []string{"critical http/status 6"}},
		"another host, less of it": {first: all, other: header, want: []string{"critical http/header 1", "critical http/status 3"}},
		"who answers is unknown": {
			expect: inventory.Expect{Identity: inventory.Identity{Header: "X-Served-By", Regex: "traefik"}},
			first:  func(o *probe.Observation) { all(o); o.Identity = &no },
			want:   []string{"critical http/identity 1"},
		},
		"a status that is only worth knowing": {
			expect: inventory.Expect{Status: nil, BodyRegex: "welcome"},
			first:  func(o *probe.Observation) { o.HTTP.Status, o.HTTP.BodyMatched = 404, &no },
			want:   []string{"critical http/body 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := shop("api.shop.example", "www.shop.example")
			for i, bend := range []func(*probe.Observation){c.first, c.other} {
				e := inventory.Expect{
					Status: []inventory.StatusRange{{From: 200, To: 299}}, BodyRegex: "welcome",
					Headers: map[string]string{"X-Frame-Options": "."}, Identity: c.expect.Identity,
				}
				if c.expect.BodyRegex != "" {
					e = c.expect
				}
				b.Inventory.Targets[i].Expect = e
				b.probe(b.Inventory.Targets[i].Host, newAddr, func(o *probe.Observation) {
					good(o)
					if bend != nil {
						bend(o)
					}
				})
			}
			var got []string
			text := ""
			for _, i := range diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot).Incidents {
				got = append(got, fmt.Sprintf("%s %s %d", i.Severity, i.Code, len(i.Effects)))
				for _, n := range i.Evidence {
					text += n.Label + " " + n.Text + "\n"
				}
			}
			if strings.Join(got, ", ") != strings.Join(c.want, ", ") || !strings.Contains(text, c.says) {
				t.Errorf("incidents %v, want %v\n%s", got, c.want, text)
			}
		})
	}
}
