package handshakes

import (
	"crypto/tls"
	"crypto/x509"

	"driftprobe/internal/lab"
)

// authorities are chains that lead nowhere, or to somebody who is not trusted.
func authorities() []Situation {
	return []Situation{
		{
			Name: "signed by itself", Refs: "RFC 5280 §3.2",
			Offers: present(func(w *World) tls.Certificate { return w.selfSigned() }),
			Want:   wants(critical("tls/self-signed", "is signed by itself", "tls.ca_file")),
		},
		{
			Name: "signed by itself, for another name, and expired, is to be replaced as a whole", Refs: "RFC 5280 §3.2",
			Offers: present(func(w *World) tls.Certificate { return w.selfSigned(named("localhost"), lasting(-2*year, -year)) }),
			Want:   wants(critical("tls/self-signed")),
		},
		{
			Name: "a private root, sent along", Refs: "RFC 5280 §6.1",
			Offers: present(func(w *World) tls.Certificate { return beside(w.leaf(w.Corp), w.Private) }),
			Want:   wants(critical("tls/untrusted", "unknown authority «Private Corp Root», whose root was sent along", "name its root in tls.ca_file")),
		},
		{
			Name: "a private root, not sent", Refs: "RFC 5280 §6.1",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Corp) }),
			Want:   wants(critical("tls/untrusted", "signed by an unknown authority «Private Corp Root»")),
		},
		{
			Name: "a private root signed the certificate itself", Refs: "RFC 5280 §6.1",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Private) }),
			Want:   wants(critical("tls/untrusted", "issuer «Private Corp Root» is not trusted and no intermediate was sent")),
		},
		{
			Name: "an intermediate of the right name with another key", Refs: "RFC 5280 §6.1.3",
			Offers: present(func(w *World) tls.Certificate {
				return beside(w.leaf(w.R3, alone), w.under(w.Root, "Test R3", -year, year))
			}),
			Want: wants(critical("tls/untrusted", "the certificate sent for the issuer «Test R3» is not the one that signed")),
		},
		{
			Name: "a certificate for clients", Refs: "RFC 5280 §4.2.1.12",
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.R3, alter(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
			}),
			Want: wants(critical("tls/untrusted", "it is not meant for servers (extended key usage)")),
		},
		{
			Name: "an authority that may not sign for this name", Refs: "RFC 5280 §4.2.1.10",
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.under(w.Root, "Bound R6", -year, year, alter(func(c *x509.Certificate) {
					c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"other.example"}
				})))
			}),
			Want: wants(critical("tls/untrusted", "its authority is not allowed to sign for this name")),
		},
		{
			Name: "an intermediate that is no authority", Refs: "RFC 5280 §4.2.1.9",
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.under(w.Root, "Not A CA", -year, year, alter(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 })))
			}),
			Want: wants(critical("tls/untrusted", "not allowed to sign")),
		},
	}
}

// lacks is a certificate without the intermediate, which says where that is.
func lacks(where func(w *World) string) func(*World) []lab.TLSOffer {
	return present(func(w *World) tls.Certificate { return w.leaf(w.R3, alone, published(where(w))) })
}

// r3 publishes the intermediate.
func r3(w *World) string { return w.publish("r3.der", w.R3.Cert.Raw) }

// missing are chains that lack an intermediate.
func missing() []Situation {
	return []Situation{
		{
			Name: "the intermediate is missing", Refs: "RFC 8446 §4.4.2",
			Offers: lacks(r3),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "published at http://", "browsers hide the fault", "if «Test R3» is a private root")),
		},
		{
			Name: "the intermediate is missing, and found where the certificate says", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: lacks(r3),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "with the intermediate fetched from http://", "it leads to a trusted root")),
		},
		{
			Name: "two intermediates are missing, and found one after the other", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: present(func(w *World) tls.Certificate {
				sub := w.under(w.R3, "Test Sub S1", -year, year, published(r3(w)))
				return w.leaf(sub, alone, published(w.publish("s1.der", sub.Cert.Raw)))
			}),
			Want: wants(critical("tls/incomplete-chain", "lacks the intermediate «Test Sub S1»", "it leads to a trusted root")),
		},
		{
			Name: "the second of two intermediates is missing, and found", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: present(func(w *World) tls.Certificate {
				sub := w.under(w.R3, "Test Sub S2", -year, year, published(r3(w)))
				return beside(w.leaf(sub, alone), sub)
			}),
			Want: wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "it leads to a trusted root")),
		},
		{
			Name: "another intermediate is sent instead", Refs: "RFC 8446 §4.4.2",
			Offers: present(func(w *World) tls.Certificate { return beside(w.leaf(w.R3, alone, published(r3(w))), w.New) }),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "1 certificate sent beside it")),
		},
	}
}

// unfound are chains that lack an intermediate which is not to be had.
func unfound() []Situation {
	return []Situation{
		{
			Name: "the intermediate is missing, and rubbish is published", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: lacks(func(w *World) string { return w.publish("rubbish", []byte("<html>")) }),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "if «Test R3» is a private root")),
		},
		{
			Name: "the intermediate is missing, and a root of its name with another key is published", Refs: "RFC 5280 §6.1.3", Fetch: true,
			Offers: lacks(func(w *World) string { return w.publish("false.der", w.root("Test R3").Cert.Raw) }),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "if «Test R3» is a private root")),
		},
		{
			Name: "the intermediate is missing, and something endless is published", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: lacks(func(w *World) string { return w.publish("endless", make([]byte, 1<<20)) }),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»")),
		},
		{
			Name: "the intermediate is missing, and its place redirects", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: lacks(func(w *World) string { return w.base + "moved" }),
			Want:   wants(critical("tls/incomplete-chain", "lacks the intermediate «Test R3»", "if «Test R3» is a private root")),
		},
		{
			Name: "a private root publishes itself, which makes nobody trust it", Refs: "RFC 5280 §4.2.2.1", Fetch: true,
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.Private, published(w.publish("private.der", w.Private.Cert.Raw)))
			}),
			Want: wants(critical("tls/untrusted", "signed by an unknown authority «Private Corp Root», which publishes its root itself")),
		},
		{
			Name: "the intermediate is missing, and nobody says where it is", Refs: "RFC 8446 §4.4.2",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, alone) }),
			Want:   wants(critical("tls/untrusted", "issuer «Test R3» is not trusted and no intermediate was sent", "fullchain.pem")),
		},
	}
}
