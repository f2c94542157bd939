package probe

import (
	"slices"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

func expecting(e inventory.Expect) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Expect = e }
}

func response(change func(*HTTP)) func(*Observation) {
	return func(o *Observation) { change(o.HTTP) }
}

func overHTTP(o *Observation) { o.Scheme, o.TLS = inventory.SchemeHTTP, nil }

func connected(o *Observation) {
	o.Scheme, o.TLS, o.HTTP, o.Reached = inventory.SchemeTCP, nil, nil, PhaseConnect
}

// TestJudgeExpectations: what is judged beyond status, body and headers.
func TestJudgeExpectations(t *testing.T) {
	no := false
	unreachable := expecting(inventory.Expect{Unreachable: true})
	expired := expecting(inventory.Expect{TLS: []string{"expired", "untrusted"}})
	old := lasting(-90*day, -2*day)
	for name, c := range map[string]struct {
		target func(*inventory.Target)
		seen   Observation
		want   []string
	}{
		"a redirect that leads back to itself":                                       {nil, seen(status(301), response(func(h *HTTP) { h.Circular = true })), []string{on("critical http/redirect")}},
		"redirects that were not followed to the end are not judged by their status": {wants(200, 200), seen(status(302), response(func(h *HTTP) { h.Stopped = "x" })), []string{on("critical http/redirect")}},
		"a hop that leads back to itself":                                            {nil, seen(status(301), response(func(h *HTTP) { h.Stopped, h.Hops = "a circle", []Hop{{Status: 301, URL: "https://a/"}} })), []string{on("critical http/redirect")}},
		"no proof in a header, and 404":                                              {wants(200, 200), seen(status(404), func(o *Observation) { o.Identity = &no }), []string{on("critical http/identity")}},
		"no proof in a redirect to https":                                            {nil, seen(status(301), func(o *Observation) { o.Unproven = true }), []string{on("unknown self/not-observed")}},
		"no proof in plain HTTP on a port of TLS":                                    {nil, seen(status(400), func(o *Observation) { o.Unproven, o.HTTP.PlainToTLS = true, true }), []string{on("critical http/status")}},
		"no proof without a client certificate":                                      {wants(200, 200), seen(clientAsked, status(400), func(o *Observation) { o.Unproven, o.HTTP.WantsCertificate = true, true }), []string{on("critical tls/client-certificate")}},
		"another final URL":                                                          {nil, seen(response(func(h *HTTP) { h.FinalMatched, h.FinalURL = &no, "https://a/" })), []string{on("critical http/redirect")}},
		"plain HTTP on a port of TLS":                                                {wants(400, 400), seen(status(400), response(func(h *HTTP) { h.PlainToTLS = true })), []string{on("critical http/status")}},
		"421 unasked":                                                                {nil, seen(status(421)), []string{on("critical http/status")}},
		"HTTP/2 expected and spoken":                                                 {expecting(inventory.Expect{Protocol: "h2"}), seen(response(func(h *HTTP) { h.Protocol = "HTTP/2.0" })), nil},
		"HTTP/2 expected and not spoken":                                             {expecting(inventory.Expect{Protocol: "h2"}), seen(response(func(h *HTTP) { h.Protocol = "HTTP/1.1" })), []string{on("warning http/protocol")}},
		"no proof":                                                                   {nil, seen(func(o *Observation) { o.Identity, o.HTTP = &no, nil }), []string{on("critical http/identity")}},
		"JSON":                                                                       {nil, seen(response(func(h *HTTP) { h.JSONWrong = []string{"a: b"} })), []string{on("critical http/body")}},
		"quick enough":                                                               {expecting(inventory.Expect{Within: time.Second}), seen(func(o *Observation) { o.Took.Connect = time.Second }), nil},
		"too slow":                                                                   {expecting(inventory.Expect{Within: time.Second}), seen(func(o *Observation) { o.Took.Connect, o.Took.Redirects = time.Second, time.Millisecond }), []string{on("warning http/slow")}},
		"slow name servers on the way":                                               {expecting(inventory.Expect{Within: time.Second}), seen(func(o *Observation) { o.Took.Redirects, o.Took.Resolve = 3*time.Second, 2*time.Second }), []string{on("warning http/slow")}},
		"a failed look is not slow":                                                  {expecting(inventory.Expect{Within: 1}), seen(fault(PhaseConnect, Timeout, "x"), func(o *Observation) { o.Took.Connect = time.Second }), []string{on("critical http/unreachable")}},
		"meant to be unreachable, and is":                                            {unreachable, seen(fault(PhaseConnect, Refused, "x")), nil},
		"meant to be unreachable, and hangs up":                                      {unreachable, seen(fault(PhaseTLS, Closed, "x")), nil},
		"meant to be unreachable, and accepts":                                       {unreachable, seen(fault(PhaseTLS, Timeout, "x")), []string{on("critical http/reachable")}},
		"meant to be unreachable, and answers":                                       {unreachable, seen(status(503)), []string{on("critical http/reachable")}},
		"meant to be unreachable, and speaks TLS":                                    {unreachable, seen(fault(PhaseTLS, Alert, "x")), []string{on("critical http/reachable")}},
		"meant to be unreachable, our own fault":                                     {unreachable, seen(fault(PhaseConnect, Self, "x")), []string{on("unknown self/not-observed")}},
		"meant to be unreachable, no IPv6 here":                                      {unreachable, seen(fault(PhaseConnect, NoRoute, "x"), address("[2001:db8::1]:443")), nil},
		"meant to be expired, and is":                                                {expired, seen(old), nil},
		"meant to be expired, and secrets held back":                                 {expired, seen(old, func(o *Observation) { o.HTTP = nil }), nil},
		"meant to be expired, and is valid":                                          {expired, seen(), []string{on("warning tls/accepted")}},
		"meant to be expired, and misnamed too":                                      {expired, seen(old, misnamed("b")), []string{on("critical tls/name-mismatch")}},
		"meant to be expired, and unreachable":                                       {expired, seen(fault(PhaseConnect, Refused, "x")), []string{on("critical http/unreachable")}},
		"plain HTTP is well":                                                         {nil, seen(overHTTP), nil},
		"plain HTTP refused":                                                         {nil, seen(fault(PhaseConnect, Refused, "x"), overHTTP), []string{on("critical http/unreachable")}},
		"plain HTTP that was not asked":                                              {nil, seen(overHTTP, func(o *Observation) { o.HTTP = nil }), []string{on("unknown self/not-observed")}},
		"a TCP port that is open":                                                    {nil, seen(connected), nil},
	} {
		t.Run(name, func(t *testing.T) {
			tg := shop()
			if c.target != nil {
				c.target(&tg)
			}
			fs := Judge(Policy{}, noon(), tg, inventory.Expected{}, []Observation{c.seen})
			if got := lines(fs); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, f := range fs {
				if problem := unsound(f); problem != "" {
					t.Errorf("%s: %s", line(f), problem)
				}
			}
		})
	}
}

// TestMeant: a target that is meant to be bad and is counts as seen to be right.
func TestMeant(t *testing.T) {
	unreachable, expired := inventory.Expect{Unreachable: true}, inventory.Expect{TLS: []string{"expired"}}
	for name, c := range map[string]struct {
		expect inventory.Expect
		seen   Observation
		want   bool
	}{
		"nothing meant":              {inventory.Expect{}, seen(fault(PhaseConnect, Refused, "x")), false},
		"refused":                    {unreachable, seen(fault(PhaseConnect, Refused, "x")), true},
		"a stranger refuses":         {unreachable, seen(fault(PhaseConnect, Refused, "x"), stranger), false},
		"answers":                    {unreachable, seen(), false},
		"no IPv6 here":               {unreachable, seen(fault(PhaseConnect, NoRoute, "x"), address("[2001:db8::1]:443")), false},
		"our own fault":              {unreachable, seen(fault(PhaseConnect, Self, "x")), false},
		"a certificate was seen":     {expired, seen(), true},
		"the handshake was refused":  {expired, seen(fault(PhaseTLS, Alert, "x")), true},
		"no certificate was reached": {expired, seen(fault(PhaseConnect, Refused, "x")), false},
	} {
		if got := Meant(c.expect, c.seen); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWithoutTLSAStrangerProvesNothing: its answer must not read as the target's.
func TestWithoutTLSAStrangerProvesNothing(t *testing.T) {
	for _, scheme := range []func(*Observation){overHTTP, connected} {
		if o := seen(scheme); !o.Answers(noon()) {
			t.Errorf("the target itself: %+v", o)
		}
		if o := seen(scheme, stranger); o.Answers(noon()) {
			t.Errorf("a stranger: %+v", o)
		}
	}
}
