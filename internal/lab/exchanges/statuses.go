package exchanges

import "driftprobe/internal/lab"

// statuses are answers of which nobody said what is right.
func statuses() []Situation {
	return []Situation{
		{Name: "200", Refs: "RFC 9110 §15.3.1"},
		{Name: "204 without a body", Refs: "RFC 9110 §15.3.5", Site: says(204, "")},
		{Name: "304 with the length of what it leaves out", Relayed: true, Refs: "RFC 9110 §8.6", Site: raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n")},
		{Name: "interim responses come first", Relayed: true, Refs: "RFC 9110 §15.2", Site: raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		{Name: "a redirect is not followed by itself", Refs: "RFC 9110 §15.4.3", Site: always(lab.Page{Status: 302, Location: "/login"})},
		{
			Name: "400 for an ordinary request", Refs: "RFC 9110 §15.5.1", Site: says(400, "no"),
			Want: warning("http/status", "HTTP 400", "PROXY protocol", "set expect.status"),
		},
		{Name: "400 for an ordinary request, as is right", Refs: "RFC 9110 §15.5.1", Target: only(400, 400), Site: says(400, "no")},
		{Name: "400 with the body that is right", Refs: "RFC 9110 §15.5.1", Target: expects(`{"body_regex":"q is missing"}`), Site: says(400, "parameter q is missing")},
		{
			Name: "400 of an application, where client certificates are optional", Refs: "RFC 8446 §4.3.2", Site: over(says(400, "parameter q is missing"), asking),
			Want: warning("http/status", "HTTP 400"),
		},
		{Name: "403 where nothing is expected", Refs: "RFC 9110 §15.5.4", Site: says(403, "no")},
		{
			Name: "404 of an ingress controller's default backend is only said", Refs: "RFC 9110 §15.5.5", Site: says(404, "default backend - 404"),
			Want: info("http/status", "HTTP 404", "has a route for this host and path"),
		},
		{
			Name: "421 names the wrong server", Refs: "RFC 9110 §15.5.20", Site: says(421, ""),
			Want: critical("http/status", "HTTP 421", "does not serve this name"),
		},
		{Name: "500", Refs: "RFC 9110 §15.6.1", Site: says(500, "oops"), Want: critical("http/status", "HTTP 500", "read what it says: curl")},
		{Name: "500 over HTTP/2", Refs: "RFC 9113 §8.3.2", Target: expects(`{"protocol":"h2"}`), Site: over(says(500, "oops"), http2), Want: critical("http/status", "HTTP 500")},
		{Name: "502 is no backend", Refs: "RFC 9110 §15.6.3", Site: says(502, ""), Want: critical("http/status", "HTTP 502", "no backend")},
		{Name: "503", Refs: "RFC 9110 §15.6.4", Site: says(503, ""), Want: critical("http/status", "HTTP 503", "ready pods")},
		{Name: "504", Refs: "RFC 9110 §15.6.5", Site: says(504, ""), Want: critical("http/status", "HTTP 504", "ready pods")},
	}
}

// expectedStatuses are answers to one who wants a certain status.
func expectedStatuses() []Situation {
	return []Situation{
		{Name: "200 where a range is right", Refs: "RFC 9110 §15", Target: expects(`{"status":[{"from":200,"to":299},{"from":401,"to":401}]}`)},
		{Name: "401 where 200 or 401 is right", Refs: "RFC 9110 §15", Target: expects(`{"status":[{"from":200,"to":299},{"from":401,"to":401}]}`), Site: says(401, "")},
		{
			Name: "301 where 2xx is right", Refs: "RFC 9110 §15.4.2", Target: only(200, 299), Site: always(lab.Page{Status: 301, Location: "https://elsewhere.example/"}),
			Want: critical("http/status", "HTTP 200–299", "HTTP 301 to https://elsewhere.example/", "put the address to which it redirects"),
		},
		{Name: "403 where 2xx is right", Refs: "RFC 9110 §15.5.4", Target: only(200, 299), Site: says(403, ""), Want: critical("http/status", "HTTP 403", "give the probe what it needs")},
		{Name: "404 where 2xx is right", Refs: "RFC 9110 §15.5.5", Target: only(200, 299), Site: says(404, ""), Want: critical("http/status", "HTTP 404", "has a route for this host and path")},
		{
			Name: "429 where 200 is right", Refs: "RFC 6585 §4", Target: only(200, 200), Site: always(lab.Page{Status: 429, Header: map[string]string{"Retry-After": "30"}}),
			Want: critical("http/status", "HTTP 429, Retry-After 30", "limits how often"),
		},
		{
			Name: "200 where 404 is right: somebody else answers", Refs: "RFC 9110 §15", Target: only(404, 404), Site: says(200, "Welcome to nginx!"),
			Want: critical("http/status", "HTTP 404", "HTTP 200"),
		},
	}
}

// misplaced are refusals of one who speaks another protocol than the port.
func misplaced() []Situation {
	return []Situation{
		{
			Name: "plain HTTP came to a port of TLS, as nginx says it", Refs: "RFC 9110 §4.2.2", Site: says(400, "<center>The plain HTTP request was sent to HTTPS port</center>"),
			Want: critical("http/status", "plain HTTP was sent to a port that speaks TLS", "pass TLS through"),
		},
		{
			Name: "plain HTTP came to a port of TLS, as Go says it, although 400 is right", Refs: "RFC 9110 §4.2.2", Target: only(400, 400),
			Site: says(400, "Client sent an HTTP request to an HTTPS server."),
			Want: critical("http/status", "plain HTTP was sent to a port that speaks TLS", "pass TLS through"),
		},
		{
			Name: "a client certificate is wanted, as nginx says it", Refs: "RFC 8446 §4.3.2", Site: over(says(400, "<center>No required SSL certificate was sent</center>"), asking),
			Want: critical("tls/client-certificate", "answers HTTP 400", "client_certificate"),
		},
	}
}

// logins are servers that want to know who asks.
func logins() []Situation {
	page := always(lab.Page{Body: "inside", Login: "probe:s3cret"})
	return []Situation{
		{Name: "401 where nothing is expected", Refs: "RFC 9110 §15.5.2", Site: page},
		{
			Name: "a password is wanted, and none is sent", Refs: "RFC 7617", Target: only(200, 200), Site: page,
			Want: critical("http/status", "HTTP 401", "give the probe what it needs"),
		},
		{
			Name: "a password is wanted, and another is sent", Refs: "RFC 7617", Target: only(200, 200), Header: map[string]string{"Authorization": "Basic cHJvYmU6b2xk"}, Site: page,
			Want: critical("http/status", "HTTP 401"),
		},
		{
			Name: "a password is wanted and sent", Refs: "RFC 7617", Target: expects(`{"status":[{"from":200,"to":200}],"body_regex":"^inside$"}`),
			Header: map[string]string{"Authorization": "Basic cHJvYmU6czNjcmV0"}, Site: page,
		},
	}
}
