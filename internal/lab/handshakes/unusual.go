package handshakes

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"

	"driftprobe/internal/lab"
)

// unusual are certificates and handshakes that are right all the same.
func unusual() []Situation {
	no := alter(func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	return []Situation{
		{Name: "the name in capitals", Refs: "RFC 9525 §6.3", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named("WWW.Shop.EXAMPLE")) })},
		{Name: "the last of 3000 names", Refs: "RFC 5280 §4.2.1.6", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named(append(numbered(2999), Host)...)) })},
		{Name: "no extended key usage", Refs: "RFC 5280 §4.2.1.12", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, no) })},
		{Name: "the root signed the certificate itself", Refs: "RFC 5280 §6.1", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Root) })},
		{Name: "an authority that may sign for this name", Refs: "RFC 5280 §4.2.1.10", Offers: present(func(w *World) tls.Certificate {
			return w.leaf(w.under(w.Root, "Bound R7", -year, year, alter(func(c *x509.Certificate) {
				c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"shop.example"}
			})))
		})},
		{Name: "the chain is out of order, with the root in it twice", Refs: "RFC 8446 §4.4.2", Offers: present(func(w *World) tls.Certificate {
			sub := w.under(w.R3, "Test Sub S3", -year, year)
			return beside(w.leaf(sub, alone), w.Root, w.R3, w.Root, sub)
		})},
		{Name: "the root is sent as another authority signed it, whom nobody trusts", Refs: "RFC 5280 §3.2", Offers: present(func(w *World) tls.Certificate {
			cross, err := w.Root.CrossSigned(w.Private, lab.CertSpec{NotBefore: time.Now().Add(-year), NotAfter: time.Now().Add(year)})
			w.failed(err)
			if err != nil {
				return tls.Certificate{}
			}
			return beside(w.leaf(w.R3), cross)
		})},
		{Name: "the intermediate is the last of a bundle", Refs: "RFC 8446 §4.4.2", Offers: present(func(w *World) tls.Certificate {
			var bundle []*lab.CA
			for i := range 15 {
				bundle = append(bundle, w.under(w.Root, fmt.Sprintf("Stray R%d", 20+i), -year, year))
			}
			return beside(w.leaf(w.R3, alone), append(bundle, w.R3)...)
		})},
		{
			Name: "a warning that the name is not known, and the handshake goes on", Refs: "RFC 6066 §3",
			Offers: behave(func(o *lab.TLSOffer) { o.Begins, o.MaxVersion = []byte{21, 3, 3, 0, 2, 1, 112}, tls.VersionTLS12 }),
		},
	}
}

func numbered(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("shop%d.example", i))
	}
	return list
}

// almost are names that look like the host and are not.
func almost() []Situation {
	row := func(name, refs string, names ...string) Situation {
		return Situation{
			Name: name, Refs: refs, Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named(names...)) }),
			Want: wants(critical("tls/name-mismatch", "is not for www.shop.example", names[0])),
		}
	}
	return []Situation{
		row("wildcards where none may be", "RFC 9525 §6.3", "www.*.example", "*.*.example", "w*.shop.example", "*", "*.www.shop.example"),
		row("a URL, a port and a final dot are no part of a name", "RFC 5280 §4.2.1.6", "https://www.shop.example/", "www.shop.example:443", "www.shop.example."),
		row("the domain is no name for what is under it", "RFC 9525 §6.3", "shop.example", "example"),
		row("an address as a name", "RFC 5280 §4.2.1.6", "127.0.0.1", "::1"),
	}
}

// unfit are certificates that may not be used so.
func unfit() []Situation {
	row := func(name, refs, cause string, make func(w *World) tls.Certificate) Situation {
		return Situation{
			Name: name, Refs: refs, Offers: present(make), Want: wants(critical("tls/untrusted", cause, "order a certificate anew", "no chain and no trusted root mends this one")),
		}
	}
	unknown := alter(func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	})
	return []Situation{
		row("a critical extension that nobody knows", "RFC 5280 §4.2", "a critical extension that clients do not know", func(w *World) tls.Certificate { return w.leaf(w.R3, unknown) }),
		row("an authority that may sign for all names but this", "RFC 5280 §4.2.1.10", "not allowed to sign for this name", func(w *World) tls.Certificate {
			return w.leaf(w.under(w.Root, "Bound R8", -year, year, alter(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"shop.example"} })))
		}),
		row("an authority under one that allows none", "RFC 5280 §4.2.1.9", "more intermediates than its authority allows", func(w *World) tls.Certificate {
			last := w.under(w.Root, "Last R9", -year, year, alter(func(c *x509.Certificate) { c.MaxPathLenZero = true }))
			return w.leaf(w.under(last, "Beyond R9", -year, year))
		}),
		{
			Name: "a certificate that ends before it begins", Refs: "RFC 5280 §4.1.2.5", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(day, -day)) }),
			Want: wants(critical("tls/expired"), critical("tls/not-yet-valid")),
		},
	}
}

// mishaps are handshakes that fail through something unusual.
func mishaps() []Situation {
	row := func(name, refs string, change func(*lab.TLSOffer), want ...lab.Want) Situation {
		return Situation{Name: name, Refs: refs, Offers: behave(change), Want: want}
	}
	begins := func(conduct lab.Conduct, bytes ...byte) func(*lab.TLSOffer) {
		return func(o *lab.TLSOffer) { o.Begins, o.Conduct = bytes, conduct }
	}
	wrong := func(name string, make func(w *World) tls.Certificate, more ...lab.Want) Situation {
		return Situation{
			Name: name, Refs: "RFC 8446 §4.4.3", Offers: present(make),
			Want: append(more, critical("tls/handshake", "does not have the key of the certificate that it presents first", "chain in the wrong order")),
		}
	}
	return []Situation{
		wrong("the key is that of another certificate", func(w *World) tls.Certificate {
			c := w.leaf(w.R3)
			c.PrivateKey = w.leaf(w.R3).PrivateKey
			return c
		}),
		wrong("the intermediate comes first", func(w *World) tls.Certificate {
			c := w.leaf(w.R3)
			if len(c.Certificate) == 2 {
				c.Certificate[0], c.Certificate[1] = c.Certificate[1], c.Certificate[0]
			}
			return c
		}, critical("tls/name-mismatch")),
		row("no certificate at all", "RFC 8446 §4.4.2.4", func(o *lab.TLSOffer) { o.Certificate.Certificate = nil }, critical("tls/handshake", "received empty certificates message")),
		row("no protocol in common", "RFC 7301 §3.2", func(o *lab.TLSOffer) { o.Protocols = []string{"h3", "imap"} }, critical("tls/handshake", "none of the protocols that we offered by ALPN")),
		row("a record that is too long", "RFC 8446 §5.1", begins(lab.HangsUp, 22, 3, 3, 0xff, 0xff), critical("tls/handshake", "a TLS record that is longer than the protocol allows")),
		row("the server hangs up in the middle of its hello", "RFC 8446 §6.1", begins(lab.HangsUp, 22, 3, 3, 0, 100, 2), critical("http/unreachable", "hung up while we were in the middle of the TLS handshake")),
		row("the server says goodbye and no more", "RFC 8446 §6.1, close_notify", begins(lab.HangsUp, 21, 3, 3, 0, 2, 1, 0), critical("http/unreachable", "hung up while we were in the middle of the TLS handshake")),
		row("what follows the handshake is not encrypted", "RFC 8446 §5.2", func(o *lab.TLSOffer) { o.Breaks = []byte("HTTP/1.1 200 OK\r\n\r\n") }, critical("http/unreachable", "the TLS connection broke while we were waiting for the response")),
		row("what follows the handshake is not what was agreed on", "RFC 8446 §5.2", func(o *lab.TLSOffer) { o.Breaks = append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...) }, critical("http/unreachable", "the TLS connection broke while we were waiting for the response")),
		row("a hello in two packets is not read", "draft-ietf-tls-ecdhe-mlkem", func(o *lab.TLSOffer) { o.LongestHello = 1200 }, critical("tls/handshake", "hangs up on a ClientHello of today's length", "in two packets")),
	}
}
