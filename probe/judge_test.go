package probe

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func shop() inventory.Target {
	return inventory.Target{Key: "https://api.shop.example/", Host: host, Port: 443, Path: "/"}
}

// seen is a healthy observation at noon, changed by each of the edits.
func seen(edits ...func(*Observation)) Observation {
	leaf := Certificate{
		SubjectCN: host, IssuerCN: "R3", Names: []string{host},
		NotBefore: noon().Add(-30 * day), NotAfter: noon().Add(60 * day),
	}
	o := Observation{
		Target: shop().Key, Host: host, Address: netip.MustParseAddrPort("203.0.113.10:443"), At: noon(), Reached: PhaseHTTP,
		TLS: &TLS{
			Chain: []Certificate{leaf},
			Trust: Trust{Trusted: true, Path: []int{0}, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Ends: host, NameMatches: true},
		},
		HTTP: &HTTP{Status: 200, Server: "lab"},
	}
	for _, e := range edits {
		e(&o)
	}
	return o
}

func fault(p Phase, k Kind, text string) func(*Observation) {
	return func(o *Observation) {
		o.Fault = Fault{p, k, text}
		o.HTTP = nil
		if p != PhaseHTTP {
			o.TLS = nil
		}
	}
}

func address(s string) func(*Observation) {
	return func(o *Observation) { o.Address = netip.MustParseAddrPort(s) }
}

func status(n int) func(*Observation) { return func(o *Observation) { o.HTTP.Status = n } }

// lasting sets the leaf's validity around noon.
func lasting(from, to time.Duration) func(*Observation) {
	return func(o *Observation) {
		c := &o.TLS.Chain[0]
		c.NotBefore, c.NotAfter = noon().Add(from), noon().Add(to)
		o.TLS.Trust.NotBefore, o.TLS.Trust.NotAfter = c.NotBefore, c.NotAfter
	}
}

func untrusted(why string) func(*Observation) {
	return func(o *Observation) { o.TLS.Trust.Trusted, o.TLS.Trust.Why = false, why }
}

func misnamed(names ...string) func(*Observation) {
	return func(o *Observation) { o.TLS.Trust.NameMatches, o.TLS.Chain[0].Names = false, names }
}

// lacking is a chain that breaks off.
func lacking(issuer string, found bool) func(*Observation) {
	return func(o *Observation) {
		o.TLS.Trust.Cause = Incomplete
		o.TLS.Trust.Missing = &Missing{Subject: issuer, URL: "http://r3.i.lencr.org/", Found: found}
	}
}

func clientAsked(o *Observation) { o.TLS.ClientCertificate = true }

// serial makes it another certificate.
func serial(s string) func(*Observation) {
	return func(o *Observation) { o.TLS.Chain[0].Serial, o.TLS.Chain[0].SHA256 = s, s }
}

func leaf(change func(*Certificate)) func(*Observation) {
	return func(o *Observation) { change(&o.TLS.Chain[0]) }
}

func stranger(o *Observation) { o.Stranger, o.HTTP = true, nil }

func tlsOnly(o *Observation) { o.TLSOnly, o.HTTP = true, nil }

// line is a finding's identity and severity, for tables.
func line(f finding.Finding) string {
	return f.Severity.String() + " " + string(f.Code) + " " + f.Subject.Host + " " + f.Subject.Address
}

func lines(fs []finding.Finding) []string {
	var list []string
	for _, f := range fs {
		list = append(list, line(f))
	}
	return list
}

// on is the line for the usual host and address.
func on(severityAndCode string) string { return severityAndCode + " api.shop.example 203.0.113.10" }

func TestJudge(t *testing.T) {
	selfSigned := leaf(func(c *Certificate) { c.SelfSigned = true })
	nginx := func(c *Certificate) {
		c.SubjectCN, c.Names, c.SelfSigned = "Kubernetes Ingress Controller Fake Certificate", []string{"ingress.local"}, true
	}
	for name, c := range map[string]struct {
		target func(*inventory.Target)
		seen   []Observation
		want   []string
	}{
		"all well":                                     {nil, []Observation{seen()}, nil},
		"nothing seen says nothing":                    {nil, nil, nil},
		"a stranger is never judged here":              {nil, []Observation{seen(stranger, untrusted("x")), seen(fault(PhaseConnect, Refused, "x"), stranger)}, nil},
		"refused is unreachable":                       {nil, []Observation{seen(fault(PhaseConnect, Refused, "x"))}, []string{on("critical http/unreachable")}},
		"timeout is unreachable":                       {nil, []Observation{seen(fault(PhaseConnect, Timeout, "x"))}, []string{on("critical http/unreachable")}},
		"closed in TLS is unreachable":                 {nil, []Observation{seen(fault(PhaseTLS, Closed, "x"))}, []string{on("critical http/unreachable")}},
		"reset in TLS is unreachable":                  {nil, []Observation{seen(fault(PhaseTLS, Reset, "x"))}, []string{on("critical http/unreachable")}},
		"silence in TLS is unreachable":                {nil, []Observation{seen(fault(PhaseTLS, Timeout, "x"))}, []string{on("critical http/unreachable")}},
		"malformed HTTP is unreachable":                {nil, []Observation{seen(fault(PhaseHTTP, Malformed, "x"))}, []string{on("critical http/unreachable")}},
		"an alert is a handshake failure":              {nil, []Observation{seen(fault(PhaseTLS, Alert, "x"))}, []string{on("critical tls/handshake")}},
		"an alert after the handshake is a hang-up":    {nil, []Observation{seen(fault(PhaseHTTP, Alert, "x"))}, []string{on("critical http/unreachable")}},
		"another protocol is a handshake failure":      {nil, []Observation{seen(fault(PhaseTLS, NotTLS, "x"))}, []string{on("critical tls/handshake")}},
		"malformed TLS is a handshake failure":         {nil, []Observation{seen(fault(PhaseTLS, Malformed, "x"))}, []string{on("critical tls/handshake")}},
		"a forbidden address is the DNS judge's":       {nil, []Observation{seen(fault(PhaseConnect, Forbidden, "x"))}, nil},
		"our own fault is unknown":                     {nil, []Observation{seen(fault(PhaseConnect, Self, "x"))}, []string{on("unknown self/not-observed")}},
		"our own fault, certificate seen before":       {nil, []Observation{seen(misnamed("b"), fault(PhaseHTTP, Self, "x"))}, []string{on("critical tls/name-mismatch"), on("unknown self/not-observed")}},
		"no route over IPv4 is unreachable":            {nil, []Observation{seen(fault(PhaseConnect, NoRoute, "x"))}, []string{on("critical http/unreachable")}},
		"no route over IPv6 is our lack of IPv6":       {nil, []Observation{seen(fault(PhaseConnect, NoRoute, "x"), address("[2001:db8::1]:443"))}, nil},
		"no route over IPv4-mapped is unreachable":     {nil, []Observation{seen(fault(PhaseConnect, NoRoute, "x"), address("[::ffff:203.0.113.10]:443"))}, []string{on("critical http/unreachable")}},
		"another port is part of the address":          {nil, []Observation{seen(fault(PhaseConnect, Refused, "x"), address("203.0.113.10:8443"))}, []string{on("critical http/unreachable") + ":8443"}},
		"a target of TLS only need not answer more":    {nil, []Observation{seen(tlsOnly)}, nil},
		"its certificate is judged all the same":       {nil, []Observation{seen(tlsOnly, misnamed("b"))}, []string{on("critical tls/name-mismatch")}},
		"no request because of a certificate now good": {nil, []Observation{seen(func(o *Observation) { o.HTTP = nil })}, []string{on("unknown self/not-observed")}},

		"Traefik's placeholder stands alone": {
			nil, []Observation{seen(misnamed("0123.4567.traefik.default"), untrusted("signed by itself"), selfSigned, lasting(-2*day, -day), status(404))},
			[]string{on("critical tls/default-certificate"), on("info http/status")},
		},
		"Traefik's placeholder by its CN": {
			nil, []Observation{seen(misnamed("x"), untrusted("x"), leaf(func(c *Certificate) { c.SubjectCN = "TRAEFIK DEFAULT CERT" }))},
			[]string{on("critical tls/default-certificate")},
		},
		"ingress-nginx's placeholder stands alone": {
			nil, []Observation{seen(misnamed(), untrusted("x"), leaf(nginx))},
			[]string{on("critical tls/default-certificate")},
		},
		"cert-manager's temporary certificate, although the name matches": {
			nil, []Observation{seen(untrusted("x"), leaf(func(c *Certificate) { c.IssuerCN = "cert-manager.local" }))},
			[]string{on("critical tls/default-certificate")},
		},
		"self-signed stands alone": {
			nil, []Observation{seen(untrusted("signed by itself"), selfSigned, misnamed("localhost"), lasting(-2*day, -day))},
			[]string{on("critical tls/self-signed")},
		},
		"self-signed and trusted is fine":       {nil, []Observation{seen(selfSigned)}, nil},
		"untrusted":                             {nil, []Observation{seen(untrusted("x"))}, []string{on("critical tls/untrusted")}},
		"a missing intermediate":                {nil, []Observation{seen(untrusted("x"), lacking("R3", false))}, []string{on("critical tls/incomplete-chain")}},
		"a SHA-1 signature":                     {nil, []Observation{seen(untrusted("x"), func(o *Observation) { o.TLS.Trust.Cause = WeakSignature })}, []string{on("critical tls/weak")}},
		"an RSA key of 1024 bits":               {nil, []Observation{seen(leaf(func(c *Certificate) { c.Key, c.Bits = "RSA", 1024 }))}, []string{on("critical tls/weak")}},
		"RSA 1024 off the path":                 {nil, []Observation{seen(func(o *Observation) { o.TLS.Chain = append(o.TLS.Chain, Certificate{Key: "RSA", Bits: 1024}) })}, nil},
		"a staging certificate":                 {nil, []Observation{seen(untrusted("x"), misnamed("b"), leaf(func(c *Certificate) { c.IssuerCN = "(STAGING) Riddling Rhubarb R12" }))}, []string{on("critical tls/staging-certificate")}},
		"staging that is trusted is meant":      {nil, []Observation{seen(leaf(func(c *Certificate) { c.IssuerO = "(STAGING) Let's Encrypt" }))}, nil},
		"TLS 1.1 only":                          {nil, []Observation{seen(func(o *Observation) { o.TLS.Version = 0x0302 })}, []string{on("critical tls/protocol")}},
		"no TLS version in common":              {nil, []Observation{seen(fault(PhaseTLS, OldProtocol, "x"))}, []string{on("critical tls/protocol")}},
		"a client certificate demanded":         {nil, []Observation{seen(fault(PhaseHTTP, NoCertificate, "x"))}, []string{on("critical tls/client-certificate")}},
		"PROXY protocol expected":               {nil, []Observation{seen(fault(PhaseTLS, NotIntroduced, "x"))}, []string{on("critical tls/handshake")}},
		"asked for, and 400":                    {nil, []Observation{seen(clientAsked, status(400), response(func(h *HTTP) { h.WantsCertificate = true }))}, []string{on("critical tls/client-certificate")}},
		"asked for, and 400 of the application": {nil, []Observation{seen(clientAsked, status(400))}, []string{on("warning http/status")}},
		"asked for, and 400 is expected":        {wants(400, 400), []Observation{seen(clientAsked, status(400))}, nil},
		"asked for, and served":                 {nil, []Observation{seen(clientAsked)}, nil},
		"revoked by a staple":                   {nil, []Observation{seen(func(o *Observation) { o.TLS.Staple = &Statement{Says: Revoked} })}, []string{on("critical tls/revoked")}},
		"revoked by staple and list":            {nil, []Observation{seen(func(o *Observation) { o.TLS.Staple, o.TLS.List = &Statement{Says: Revoked}, &Statement{Says: Revoked} })}, []string{on("critical tls/revoked")}},
		"a list that says good":                 {nil, []Observation{seen(func(o *Observation) { o.TLS.List = &Statement{Says: Good} })}, nil},
		"a staple that is missing":              {nil, []Observation{seen(leaf(func(c *Certificate) { c.MustStaple = true }))}, []string{on("warning tls/bad-staple")}},
		"a staple that is bad":                  {nil, []Observation{seen(func(o *Observation) { o.TLS.Staple = &Statement{Says: Unusable, Why: "x"} })}, []string{on("warning tls/bad-staple")}},
		"two certificates, both young":          {nil, []Observation{seen(serial("a")), seen(serial("b"), address("203.0.113.11:443"))}, []string{"info tls/differs api.shop.example "}},
		"two certificates, one newer, none due": {nil, []Observation{seen(serial("a"), lasting(-20*day, 70*day)), seen(serial("b"), lasting(-day, 89*day), address("203.0.113.11:443"))}, []string{"info tls/differs api.shop.example "}},
		"an old certificate at one of two addresses is told once": {
			nil, []Observation{seen(serial("a"), lasting(-80*day, 10*day)), seen(serial("b"), address("203.0.113.11:443"))},
			[]string{"warning tls/differs api.shop.example "},
		},
		"what ends within hours is told all the same": {
			nil, []Observation{seen(serial("a"), lasting(-90*day, time.Hour)), seen(serial("b"), address("203.0.113.11:443"))},
			[]string{on("critical tls/expiring"), "warning tls/differs api.shop.example "},
		},
		"a stranger's certificate is no second one": {nil, []Observation{seen(serial("a")), seen(serial("b"), stranger, address("203.0.113.11:443"))}, nil},
		"name mismatch":            {nil, []Observation{seen(misnamed("b.example"))}, []string{on("critical tls/name-mismatch")}},
		"expired":                  {nil, []Observation{seen(lasting(-90*day, -2*day))}, []string{on("critical tls/expired")}},
		"expired this very moment": {nil, []Observation{seen(lasting(-90*day, 0))}, []string{on("critical tls/expired")}},
		"not yet valid":            {nil, []Observation{seen(lasting(time.Hour, 90*day))}, []string{on("critical tls/not-yet-valid")}},
		"several causes, each on its own": {
			nil, []Observation{seen(untrusted("x"), misnamed("b"), lasting(-90*day, -day), status(503))},
			[]string{on("critical http/status"), on("critical tls/expired"), on("critical tls/name-mismatch"), on("critical tls/untrusted")},
		},
		"a third of 90 days left is enough":         {nil, []Observation{seen(lasting(-60*day, 30*day))}, nil},
		"less than a third of 90 days":              {nil, []Observation{seen(lasting(-61*day, 29*day))}, []string{on("warning tls/expiring")}},
		"3 of 6 days left is enough":                {nil, []Observation{seen(lasting(-3*day, 3*day))}, nil},
		"1 of 6 days left":                          {nil, []Observation{seen(lasting(-5*day, day))}, []string{on("warning tls/expiring")}},
		"less than 5 % of 6 days left":              {nil, []Observation{seen(lasting(-6*day, 7*time.Hour))}, []string{on("critical tls/expiring")}},
		"2 of 90 days left is under 5 % but a day":  {nil, []Observation{seen(lasting(-88*day, 2*day))}, []string{on("warning tls/expiring")}},
		"23 hours of 90 days left":                  {nil, []Observation{seen(lasting(-89*day, 23*time.Hour))}, []string{on("critical tls/expiring")}},
		"expiring and misnamed":                     {nil, []Observation{seen(lasting(-80*day, 10*day), misnamed("b"))}, []string{on("critical tls/name-mismatch"), on("warning tls/expiring")}},
		"untrusted: its end can wait":               {nil, []Observation{seen(lasting(-80*day, 10*day), untrusted("x"))}, []string{on("critical tls/untrusted")}},
		"the certificate counts if HTTP fails":      {nil, []Observation{seen(lasting(-80*day, 10*day), fault(PhaseHTTP, Timeout, "x"))}, []string{on("critical http/unreachable"), on("warning tls/expiring")}},
		"an intermediate that ends soon is counted": {nil, []Observation{seen(func(o *Observation) { o.TLS.Trust.NotAfter, o.TLS.Trust.Ends = noon().Add(5*day), "R3" })}, []string{on("warning tls/expiring")}},

		"unasked: 5xx is critical":     {nil, []Observation{seen(status(503))}, []string{on("critical http/status")}},
		"unasked: 404 is information":  {nil, []Observation{seen(status(404))}, []string{on("info http/status")}},
		"unasked: 400 is a warning":    {nil, []Observation{seen(status(400))}, []string{on("warning http/status")}},
		"unasked: 401, 302 pass":       {nil, []Observation{seen(status(401)), seen(status(302))}, nil},
		"400 with the expected body":   {nil, []Observation{seen(status(400), response(func(h *HTTP) { h.BodyMatched = new(true) }))}, nil},
		"asked for 404 and got it":     {wants(404, 404), []Observation{seen(status(404))}, nil},
		"asked for 503 and got it":     {wants(500, 599), []Observation{seen(status(503))}, nil},
		"asked for 2xx and got 302":    {wants(200, 299), []Observation{seen(status(302))}, []string{on("critical http/status")}},
		"the ends of a range are in":   {wants(200, 204), []Observation{seen(status(200)), seen(status(204))}, nil},
		"one past the end of a range":  {wants(200, 204), []Observation{seen(status(205))}, []string{on("critical http/status")}},
		"a wildcard accepts any":       {func(t *inventory.Target) { t.Host = "*.shop.example" }, []Observation{seen(status(503))}, nil},
		"a wildcard needs an answer":   {func(t *inventory.Target) { t.Host = "*.shop.example" }, []Observation{seen(fault(PhaseConnect, Refused, "x"))}, []string{"critical http/unreachable *.shop.example 203.0.113.10"}},
		"the body does not match":      {body, []Observation{seen(bodyMatched(false))}, []string{on("critical http/body")}},
		"the body matches":             {body, []Observation{seen(bodyMatched(true))}, nil},
		"a header is missing":          {nil, []Observation{seen(func(o *Observation) { o.HTTP.HeadersMissing = []string{"X"} })}, []string{on("critical http/header")}},
		"each address is judged alone": {nil, []Observation{seen(status(503)), seen(), seen(status(502), address("[2001:db8::1]:443"))}, []string{"critical http/status api.shop.example 2001:db8::1", on("critical http/status")}},
	} {
		t.Run(name, func(t *testing.T) {
			tg := shop()
			if c.target != nil {
				c.target(&tg)
			}
			fs := Judge(Policy{}, noon(), tg, inventory.Expected{}, c.seen)
			got, want := lines(fs), slices.Clone(c.want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
			for _, f := range fs {
				problem := unsound(f)
				if problem == "" && f.Summary[len(f.Summary)-1] == '.' {
					problem = "the summary ends with a full stop"
				}
				if problem != "" {
					t.Errorf("%s: %s\n%+v", line(f), problem, f)
				}
			}
			backwards := slices.Clone(c.seen)
			slices.Reverse(backwards)
			if again := Judge(Policy{}, noon(), tg, inventory.Expected{}, backwards); !reflect.DeepEqual(again, fs) {
				t.Error("the order of the observations changes the result")
			}
		})
	}
}

func wants(from, to int) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Expect.Status = []inventory.StatusRange{{From: from, To: to}} }
}

func body(t *inventory.Target) { t.Expect.BodyRegex = "ok" }

func bodyMatched(b bool) func(*Observation) { return func(o *Observation) { o.HTTP.BodyMatched = &b } }

// TestText fixes the wording, one of each kind.
func TestText(t *testing.T) {
	old := seen(lasting(-90*day, -2*day))
	for name, c := range map[string]struct {
		target   inventory.Target
		expected inventory.Expected
		seen     Observation
		want     finding.Finding
	}{
		"unreachable names the load balancer": {
			shop(),
			inventory.Expected{Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.10")}, Service: inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}},
			seen(fault(PhaseConnect, Refused, "connection refused: nothing listens on port 443")),
			finding.Finding{
				Code: finding.HTTPUnreachable, Severity: finding.Critical, Fault: "refused",
				Summary:  "api.shop.example does not answer at 203.0.113.10: connection refused: nothing listens on port 443",
				Expected: "an HTTP response from the load balancer of traefik/traefik",
				Observed: "connection refused: nothing listens on port 443",
				Hint:     "check that the load balancer forwards port 443 and that the ingress controller runs",
			},
		},
		"status": {
			shop(), inventory.Expected{}, seen(status(503)),
			finding.Finding{
				Code: finding.HTTPStatus, Severity: finding.Critical, Status: 503,
				Summary:  "api.shop.example answers at 203.0.113.10 with HTTP 503",
				Expected: "a status below 500", Observed: "HTTP 503, server lab",
				Hint: "check that the application behind it has ready pods: the ingress controller has no backend that answers",
			},
		},
		"expired": {
			shop(), inventory.Expected{}, old,
			finding.Finding{
				Code: finding.TLSExpired, Severity: finding.Critical,
				Summary:  "the certificate of api.shop.example at 203.0.113.10 expired 2 days ago",
				Expected: "valid at 2026-03-01 12:00 UTC", Observed: "the certificate ended 2026-02-27 12:00 UTC",
				Hint: "renew it; if that was done, reload the server that presents it",
			},
		},
		"expired intermediate": {
			shop(), inventory.Expected{},
			seen(func(o *Observation) { o.TLS.Trust.NotAfter, o.TLS.Trust.Ends = noon().Add(-3*time.Hour), "R3" }),
			finding.Finding{
				Code: finding.TLSExpired, Severity: finding.Critical,
				Summary:  "the intermediate «R3» in the chain of api.shop.example at 203.0.113.10 expired 3 h ago",
				Expected: "valid at 2026-03-01 12:00 UTC", Observed: "the intermediate «R3» in the chain ended 2026-03-01 09:00 UTC",
				Hint: "present the current intermediate: install the whole chain that came with the certificate",
			},
		},
		"expiring": {
			shop(), inventory.Expected{}, seen(lasting(-80*day, 10*day)),
			finding.Finding{
				Code: finding.TLSExpiring, Severity: finding.Warning,
				Summary:  "the certificate of api.shop.example at 203.0.113.10 ends in 10 days",
				Expected: "more than 30 days left of a lifetime of 90 days", Observed: "the certificate ends 2026-03-11 12:00 UTC",
				Hint: "find out why it was not renewed: the ACME client's log names the refusal",
			},
		},
		"name mismatch lists five names, made printable, and counts the rest": {
			shop(), inventory.Expected{}, seen(misnamed("a\x1b[1m", "b\u202e", "c", "d", "e", "f", "g")),
			finding.Finding{
				Code: finding.TLSNameMismatch, Severity: finding.Critical,
				Summary:  "the certificate at 203.0.113.10 is not for api.shop.example",
				Expected: "a certificate for api.shop.example", Observed: `a certificate for a\x1b[1m, b\u202e, c, d, e, … 2 more`,
				Hint: "order a certificate with this name, or mend the rule that chooses one for it; compare with: openssl s_client -connect 203.0.113.10:443 -servername api.shop.example",
			},
		},
		"a command to paste is quoted": {
			inventory.Target{Host: host, Path: "/a'$(b)", Expect: inventory.Expect{BodyRegex: "up"}}, inventory.Expected{},
			seen(bodyMatched(false), address("[2001:db8::1]:8443")),
			finding.Finding{
				Code: finding.HTTPBody, Severity: finding.Critical, Status: 200, Subject: finding.Subject{Host: host, Address: "[2001:db8::1]:8443"},
				Summary:  "api.shop.example answers at [2001:db8::1]:8443 with a body that is not the expected one",
				Expected: `a body with a match of "up"`, Observed: "HTTP 200, server lab, no match in 0 bytes",
				Hint:   `read what it says: curl -i --resolve 'api.shop.example:8443:[2001:db8::1]' 'https://api.shop.example:8443/a'\''$(b)'`,
				SeenAt: []string{"[2001:db8::1]:8443"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want.SeenAt == nil {
				c.want.SeenAt = []string{"203.0.113.10"}
				c.want.Subject = finding.Subject{Host: host, Address: "203.0.113.10"}
			}
			c.want.Targets = []string{c.target.Key}
			got := Judge(Policy{}, noon(), c.target, c.expected, []Observation{c.seen})
			if len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

func TestPolicyChangesTheThresholds(t *testing.T) {
	o := []Observation{seen(lasting(-50*day, 40*day))}
	if fs := Judge(Policy{ExpiringFraction: 0.5}, noon(), shop(), inventory.Expected{}, o); len(fs) != 1 || fs[0].Severity != finding.Warning {
		t.Errorf("half of the lifetime: %+v", fs)
	}
	p := Policy{ExpiringFraction: 0.5, UrgentFraction: 0.5, UrgentTime: 45 * day}
	if fs := Judge(p, noon(), shop(), inventory.Expected{}, o); len(fs) != 1 || fs[0].Severity != finding.Critical {
		t.Errorf("urgent: %+v", fs)
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		seen Observation
		want bool
	}{
		"a response with a valid certificate":    {seen(), true},
		"whatever its status":                    {seen(status(503)), true},
		"a stranger with a valid certificate":    {seen(stranger), true},
		"TLS only with a valid certificate":      {seen(tlsOnly), true},
		"TLS only with another's certificate":    {seen(tlsOnly, misnamed("b")), false},
		"a stranger with another's certificate":  {seen(stranger, misnamed("b")), false},
		"a stranger with an expired certificate": {seen(stranger, lasting(-9*day, -day)), false},
		"no response":                            {seen(fault(PhaseHTTP, Closed, "x")), false},
		"no connection":                          {seen(fault(PhaseConnect, Refused, "x")), false},
		"no request was made":                    {seen(func(o *Observation) { o.HTTP = nil }), false},
		"an untrusted certificate":               {seen(untrusted("x")), false},
		"the zero value":                         {Observation{}, false},
	} {
		if got := c.seen.Answers(noon()); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
