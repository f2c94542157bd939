package handshakes

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"time"

	"golang.org/x/crypto/ocsp"

	"driftprobe/internal/lab"
)

// refusals are handshakes that the server ends.
func refusals() []Situation {
	return []Situation{
		{
			Name: "a client certificate is demanded", Refs: "RFC 8446 §6.2, certificate_required",
			Offers: behave(func(o *lab.TLSOffer) { o.Demands = true }),
			Want:   wants(critical("tls/client-certificate", "wants a client certificate", "(TLS alert ")),
		},
		{
			Name: "a client certificate is demanded in TLS 1.2", Refs: "RFC 5246 §7.4.6",
			Offers: behave(func(o *lab.TLSOffer) { o.Demands, o.MaxVersion = true, tls.VersionTLS12 }),
			Want:   wants(critical("tls/client-certificate", "wants a client certificate")),
		},
		{
			Name: "a client certificate is demanded, and the server's own has expired", Refs: "RFC 5246 §7.4.6",
			Offers: func(w *World) []lab.TLSOffer {
				return []lab.TLSOffer{{Certificate: w.leaf(w.R3, lasting(-90*day, -day)), Demands: true, MaxVersion: tls.VersionTLS12}}
			},
			Want: wants(critical("tls/client-certificate"), critical("tls/expired", "expired 24 h ago")),
		},
		{
			Name: "a client certificate is demanded in HTTP", Refs: "nginx: ssl_verify_client",
			Offers: behave(func(o *lab.TLSOffer) { o.DemandsInHTTP = true }),
			Want:   wants(critical("tls/client-certificate", "asked for a client certificate, got none, and answers HTTP 400")),
		},
		{
			Name: "the name is refused, and others are served", Refs: "RFC 6066 §3",
			Offers: func(w *World) []lab.TLSOffer {
				return []lab.TLSOffer{{Certificate: w.leaf(w.R3, named("blog.example")), KnowsNot: Host}}
			},
			Want: wants(critical("tls/handshake", "refuses this name and has no certificate for it (TLS alert unrecognized name)", "without a name it presents one for blog.example")),
		},
		{
			Name: "every name is refused, and none too", Refs: "RFC 8446 §6.2, handshake_failure",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct, o.Alert = lab.SendsAlert, 40 }),
			Want:   wants(critical("tls/handshake", "TLS alert handshake failure", "without a name it fails too")),
		},
		{
			Name: "the server fails by itself", Refs: "RFC 8446 §6.2, internal_error",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct, o.Alert = lab.SendsAlert, 80 }),
			Want:   wants(critical("tls/handshake", "TLS alert internal error", "without a name it fails too")),
		},
		{
			Name: "an alert that says nothing", Refs: "RFC 8446 §6.2",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct, o.Alert = lab.SendsAlert, 50 }),
			Want:   wants(critical("tls/handshake", "ended the handshake with the TLS alert error decoding message")),
		},
	}
}

// otherwise are servers that speak something else, or nothing.
func otherwise() []Situation {
	return []Situation{
		{
			Name: "plain HTTP on the port of TLS", Refs: "RFC 9110 §4.2.2",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct = lab.SpeaksHTTP }),
			Want:   wants(critical("tls/handshake", "speaks plain HTTP, not TLS")),
		},
		{
			Name: "SSH on the port of TLS", Refs: "RFC 4253 §4.2",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct = lab.SpeaksSSH }),
			Want:   wants(critical("tls/handshake", `does not speak TLS (its answer begins with "SSH-2")`)),
		},
		{
			Name: "PROXY protocol is expected", Refs: "PROXY protocol §2",
			Offers: behave(func(o *lab.TLSOffer) { o.Introduced = true }),
			Want:   wants(critical("tls/handshake", "expects PROXY protocol: it hangs up on plain TLS, and speaks TLS after a PROXY header", "make both sides agree")),
		},
		{
			Name: "the server hangs up without a word", Refs: "RFC 8446 §6.1",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct = lab.HangsUp }),
			Want:   wants(critical("http/unreachable", "hung up in the TLS handshake without a word", "healthy backend")),
		},
		{
			Name: "the connection is reset in the handshake", Refs: "RFC 9293 §3.5.3",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct = lab.Resets }),
			Want:   wants(critical("http/unreachable", "the connection was reset while doing the TLS handshake")),
		},
	}
}

// staples are OCSP responses that the server sends along, or not.
func staples() []Situation {
	feature := pkix.Extension{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}}
	must := alter(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{feature} })
	staple := func(template ocsp.Response, edits ...edit) func(*World) []lab.TLSOffer {
		return present(func(w *World) tls.Certificate { return w.stapled(w.leaf(w.R3, edits...), w.R3, template) })
	}
	good := ocsp.Response{Status: ocsp.Good}
	gone := ocsp.Response{Status: ocsp.Revoked, RevokedAt: time.Now().Add(-2 * day), RevocationReason: ocsp.KeyCompromise}
	ended := ocsp.Response{Status: ocsp.Good, ThisUpdate: time.Now().Add(-9 * day), NextUpdate: time.Now().Add(-2 * day)}
	future := ocsp.Response{Status: ocsp.Good, ThisUpdate: time.Now().Add(day), NextUpdate: time.Now().Add(7 * day)}
	return []Situation{
		{Name: "a staple says good", Refs: "RFC 6066 §8", Offers: staple(good)},
		{Name: "a staple is demanded and sent", Refs: "RFC 7633", Offers: staple(good, must)},
		{
			Name: "a staple says revoked", Refs: "RFC 6960 §2.2", Offers: staple(gone),
			Want: wants(critical("tls/revoked", "was revoked by its authority", "(key compromise)", "the stapled OCSP response says revoked")),
		},
		{
			Name: "a staple has ended", Refs: "RFC 6960 §3.2", Offers: staple(ended),
			Want: wants(warning("tls/bad-staple", "cannot be used: it ended", "Firefox refuses")),
		},
		{
			Name: "a staple that has not begun", Refs: "RFC 6960 §3.2", Offers: staple(future),
			Want: wants(warning("tls/bad-staple", "cannot be used: it begins")),
		},
		{
			Name: "a staple in which the authority does not know the certificate", Refs: "RFC 6960 §2.2", Offers: staple(ocsp.Response{Status: ocsp.Unknown}),
			Want: wants(warning("tls/bad-staple", "the authority does not know the certificate")),
		},
		{
			Name: "a staple by another authority", Refs: "RFC 6960 §4.2.2.2",
			Offers: present(func(w *World) tls.Certificate { return w.stapled(w.leaf(w.R3), w.New, gone) }),
			Want:   wants(warning("tls/bad-staple", "its signature is wrong")),
		},
		{
			Name: "a staple signed by somebody whom the authority has not allowed to", Refs: "RFC 6960 §4.2.2.2",
			Offers: present(func(w *World) tls.Certificate {
				c, other := w.leaf(w.R3), w.leaf(w.R3, named("other.example"), rsa(2048))
				if c.Leaf == nil || other.Leaf == nil {
					return c
				}
				t := gone
				t.ThisUpdate, t.NextUpdate = time.Now().Add(-day), time.Now().Add(day)
				der, err := w.R3.DelegatedOCSP(c.Leaf, other.Leaf, signer(other), t)
				w.failed(err)
				c.OCSPStaple = der
				return c
			}),
			Want: wants(warning("tls/bad-staple", "signed by somebody whom the authority has not allowed to")),
		},
		{
			Name: "a staple is demanded and not sent", Refs: "RFC 7633",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, must) }),
			Want:   wants(warning("tls/bad-staple", "no stapled OCSP response, which the certificate demands (must-staple)")),
		},
	}
}

// lists are revocation lists that authorities publish.
func lists() []Situation {
	list := func(name string, by func(w *World) *lab.CA, reason int) func(*World) []lab.TLSOffer {
		return present(func(w *World) tls.Certificate {
			c := w.leaf(w.R3, listedAt(w.base+name))
			w.listed(name, by(w), c, reason)
			return c
		})
	}
	own := func(w *World) *lab.CA { return w.R3 }
	return []Situation{
		{
			Name: "the authority's list says revoked", Refs: "RFC 5280 §5", Offers: list("revoked.crl", own, 4),
			Want: wants(critical("tls/revoked", "(superseded)", "the authority's revocation list says revoked")),
		},
		{Name: "the authority's list has others", Refs: "RFC 5280 §5", Offers: list("others.crl", own, 0)},
		{Name: "a list by another authority counts for nothing", Refs: "RFC 5280 §6.3.3", Offers: list("foreign.crl", func(w *World) *lab.CA { return w.New }, 1)},
		{
			Name: "a list that is not there is no finding", Refs: "RFC 5280 §6.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, listedAt(w.base+"no-such.crl")) }),
		},
		{
			Name: "an authority that is not trusted is not asked for its list", Refs: "RFC 5280 §6.3",
			Offers: present(func(w *World) tls.Certificate {
				c := w.leaf(w.Corp, listedAt(w.base+"corp.crl"))
				w.listed("corp.crl", w.Corp, c, 1)
				return c
			}),
			Want: wants(critical("tls/untrusted", "«Private Corp Root»")),
		},
	}
}

// pairs are two addresses of one host.
func pairs() []Situation {
	two := func(make func(w *World) (a, b tls.Certificate)) func(*World) []lab.TLSOffer {
		return func(w *World) []lab.TLSOffer {
			a, b := make(w)
			return []lab.TLSOffer{{Certificate: a}, {Certificate: b}}
		}
	}
	return []Situation{
		{
			Name: "two addresses with one certificate", Refs: "RFC 5280 §4.1.2.2",
			Offers: two(func(w *World) (a, b tls.Certificate) { a = w.leaf(w.R3); return a, a }),
		},
		{
			Name: "two addresses with a certificate each", Refs: "RFC 5280 §4.1.2.2",
			Offers: two(func(w *World) (a, b tls.Certificate) { return w.leaf(w.R3), w.leaf(w.New) }),
			Want:   wants(info("tls/differs", "present 2 different certificates", "issuer «Test R3»", "issuer «Test R4»")),
		},
		{
			Name: "one of two addresses still has the old certificate", Refs: "RFC 5280 §4.1.2.5",
			Offers: two(func(w *World) (a, b tls.Certificate) {
				return w.leaf(w.R3, lasting(-80*day, 10*day)), w.leaf(w.R3)
			}),
			Want: wants(warning("tls/differs", "1 of 2 addresses of www.shop.example still serves the old certificate", "reload or deploy")),
		},
		{
			Name: "one of two addresses has an expired certificate that the other has renewed", Refs: "RFC 5280 §4.1.2.5",
			Offers: two(func(w *World) (a, b tls.Certificate) {
				return w.leaf(w.R3, lasting(-90*day, -day)), w.leaf(w.R3)
			}),
			Want: wants(critical("tls/expired", "has the renewed one already"), warning("tls/differs", "still serves the old certificate")),
		},
		{
			Name: "one of two addresses lacks the intermediate", Refs: "RFC 8446 §4.4.2",
			Offers: two(func(w *World) (a, b tls.Certificate) {
				where := published(w.publish("r3.der", w.R3.Cert.Raw))
				return w.leaf(w.R3, where), w.leaf(w.R3, where, alone)
			}),
			Want: wants(critical("tls/incomplete-chain")),
		},
	}
}

// signer is the key of a certificate that the lab made.
func signer(c tls.Certificate) crypto.Signer {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return nil // it never is: the lab makes keys that sign
	}
	return key
}
