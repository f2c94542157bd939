package exchanges

import (
	"strings"

	"driftprobe/internal/lab"
)

// proofs tell who answers.
func proofs() []Situation {
	edge := expects(`{"identity":{"header":"X-Edge","regex":"^fra-"}}`)
	page := expects(`{"identity":{"path":"/proof","regex":"^3f9a$"},"body_regex":"^ok$"}`)
	return []Situation{
		{Name: "identity by a header", Refs: "docs/probe.md", Target: edge, Site: always(lab.Page{Header: map[string]string{"X-Edge": "fra-7"}, Body: "ok"})},
		{Name: "no identity by a header", Refs: "docs/probe.md", Target: edge, Want: critical("http/identity", "does not prove to be it", "a header X-Edge")},
		{Name: "identity by a page", Refs: "docs/probe.md", Target: page, Site: lab.Site{Pages: map[string]lab.Page{"/proof": {Body: "3f9a"}, "": {Body: "ok"}}}},
		{Name: "no identity by a page", Refs: "docs/probe.md", Target: page, Want: critical("http/identity", "a page /proof", "nothing else was sent there", "/proof")},
		{
			Name: "no identity by a header, and no page", Refs: "docs/probe.md", Target: edge, Site: says(404, ""),
			Want: critical("http/identity", "a header X-Edge", "HTTP 404"),
		},
	}
}

// unproven are answers that say nothing of who gives them, where the proof was asked for.
func unproven() []Situation {
	edge, page := expects(`{"identity":{"header":"X-Edge","regex":"^fra-"}}`), expects(`{"identity":{"path":"/proof","regex":"^3f9a$"},"status":[{"from":200,"to":200}]}`)
	const unknown, misplaced, wants = "it is not known whether it is the target", "The plain HTTP request was sent to HTTPS port", "No required SSL certificate was sent"
	inHTTP := strings.Replace(page, "{", `{"scheme":"http",`, 1)
	return []Situation{
		{Name: "no proof, but plain HTTP on a port of TLS", Refs: "RFC 9110 §4.2.2", Target: page, Site: says(400, misplaced), Want: critical("http/status", unknown, "pass TLS through")},
		{Name: "no header as a proof, but plain HTTP on a port of TLS", Refs: "RFC 9110 §4.2.2", Target: edge, Site: says(400, misplaced), Want: critical("http/status", unknown, "pass TLS through")},
		{Name: "no proof, but the wish for a client certificate", Refs: "RFC 8446 §4.3.2", Target: page, Site: over(says(400, wants), asking), Want: critical("tls/client-certificate", "answers HTTP 400")},
		{Name: "no proof, but 400", Refs: "RFC 9110 §15.5.1", Target: page, Site: says(400, ""), Want: critical("http/status", unknown, "PROXY protocol")},
		{Name: "no proof, but 408", Refs: "RFC 9110 §15.5.9", Target: page, Behind: behind(lab.Page{Status: 408}), Want: critical("http/status", unknown, "/proof")},
		{Name: "no proof, but 421", Refs: "RFC 9110 §15.5.20", Target: page, Site: says(421, ""), Want: critical("http/status", unknown, "does not serve this name")},
		{
			Name: "the proof over plain HTTP is redirected to https", Refs: "RFC 9110 §4.2.2", Target: inHTTP, Site: over(to(301, "https://"+Host+"/proof"), inPlain),
			Want: []lab.Want{{Code: "self/not-observed", Severity: "unknown", Texts: []string{unknown, "put the https URL"}}},
		},
		{
			Name: "the proof over plain HTTP is redirected to another page of another host", Refs: "RFC 9110 §4.2.2", Target: inHTTP, Site: over(to(302, "https://parked.example/offer"), inPlain),
			Want: critical("http/identity", "does not prove to be it"),
		},
	}
}

// proofsOnTheWay stand in a header of a response that redirects lead to.
func proofsOnTheWay() []Situation {
	proof := map[string]string{"X-Edge": "fra-7"}
	const edge = `"identity":{"header":"X-Edge","regex":"^fra-"}`
	const https = "https://" + Host + ":{beside}"
	inHTTP := strings.Replace(follows(edge), "{", `{"scheme":"http",`, 1)
	from := func(first, next lab.Page) lab.Site {
		return lab.Site{Pages: map[string]lab.Page{"": first, "/next": next}}
	}
	moved := lab.Page{Status: 302, Location: "/next"}
	gone := lab.Page{Status: 302, Location: "https://" + Other + ":{port}/next"}
	return []Situation{
		{Name: "the proof is in the response to which redirects lead", Refs: "docs/probe.md", Target: follows(edge), Site: from(moved, lab.Page{Header: proof, Body: "ok"})},
		{
			Name: "the proof is in the redirect, and not where it leads", Refs: "docs/probe.md", Target: follows(edge),
			Site: from(lab.Page{Status: 302, Location: "/next", Header: proof}, lab.Page{Body: "ok"}),
		},
		{
			Name: "no response that redirects lead to has the proof", Refs: "docs/probe.md", Target: follows(edge), Site: from(moved, lab.Page{Body: "ok"}),
			Want: critical("http/identity", "does not prove to be it", "no response of this address has it: HTTP 302 to https://"+Host, "curl -iL --resolve"),
		},
		{
			Name: "redirects lead to another host, which alone has the proof", Refs: "docs/probe.md", Target: follows(edge, Other), Finds: map[string]string{Other: ""},
			Site: from(gone, lab.Page{Header: proof, Body: "ok"}), Want: critical("http/identity", "no response of this address has it"),
		},
		{
			Name: "redirects lead to another host, and the address proved itself before", Refs: "docs/probe.md", Target: follows(edge, Other), Finds: map[string]string{Other: ""},
			Site: from(lab.Page{Status: 302, Location: gone.Location, Header: proof}, lab.Page{Body: "ok"}),
		},
		{
			Name: "the redirect leads to an error without the proof", Refs: "docs/probe.md", Target: follows(edge), Site: from(moved, lab.Page{Status: 503}),
			Want: critical("http/status", "HTTP 503, and it is not known whether it is the target"),
		},
		{
			Name: "the redirect leads to where nobody is, so that nothing is proved", Refs: "docs/probe.md", Target: follows(edge), Site: to(302, "https://"+Host+":1/"),
			Want: critical("http/redirect", "connection refused"),
		},
		{
			Name: "plain HTTP leads to https, where the proof is", Refs: "docs/probe.md", Target: inHTTP, Site: over(to(301, https+Path), inPlain),
			Beside: &lab.Site{Pages: map[string]lab.Page{"": {Header: proof, Body: "ok"}}},
		},
		{
			Name: "plain HTTP leads to https, where there is no proof", Refs: "docs/probe.md", Target: inHTTP, Site: over(to(301, https+Path), inPlain), Beside: &lab.Site{},
			Want: critical("http/identity", "no response of this address has it"),
		},
		{
			Name: "plain HTTP leads to another host, which is not allowed", Refs: "docs/probe.md", Target: inHTTP, Site: over(to(301, "https://"+Other+Path), inPlain),
			Want: critical("http/redirect", "which redirects.hosts does not name"),
		},
		{
			Name: "plain HTTP leads to another host, which proves nothing", Refs: "docs/probe.md", Target: strings.Replace(follows(edge, Other), "{", `{"scheme":"http",`, 1), Finds: map[string]string{Other: ""},
			Site: over(to(301, "https://"+Other+":{beside}"+Path), inPlain), Beside: &lab.Site{Pages: map[string]lab.Page{"": {Header: proof, Body: "ok"}}},
			Want: []lab.Want{{Code: "self/not-observed", Severity: "unknown", Texts: []string{"it is not known whether it is the target"}}},
		},
	}
}
