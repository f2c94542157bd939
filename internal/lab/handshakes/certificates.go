package handshakes

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"driftprobe/internal/lab"
)

// sound are certificates of which nothing is to be said.
func sound() []Situation {
	return []Situation{
		{Name: "a certificate with its intermediate", Refs: "RFC 8446 §4.4.2", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3) })},
		{Name: "the root is sent along", Refs: "RFC 8446 §4.4.2", Offers: present(func(w *World) tls.Certificate { return beside(w.leaf(w.R3), w.Root) })},
		{Name: "a wildcard one level up", Refs: "RFC 9525 §6.3", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named("*.shop.example")) })},
		{Name: "an RSA key of 2048 bits", Refs: "BR §6.1.5", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, rsa(2048)) })},
		{Name: "no common name, as newer profiles", Refs: "RFC 9525 §2", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, called("")) })},
		{Name: "a stray certificate in the chain has ended", Refs: "RFC 8446 §4.4.2", Offers: present(func(w *World) tls.Certificate { return beside(w.leaf(w.R3), w.Old) })},
		{Name: "the chain holds an ended cross signature beside the path that is valid", Refs: "DST Root CA X3, 2021", Offers: present(func(w *World) tls.Certificate {
			ended, err := w.R3.CrossSigned(w.Private, lab.CertSpec{NotBefore: time.Now().Add(-2 * year), NotAfter: time.Now().Add(-day)})
			w.failed(err)
			if err != nil {
				return tls.Certificate{}
			}
			c := w.leaf(w.R3, alone)
			return beside(c, ended, w.R3)
		})},
		{Name: "six days of life, three of them left", Refs: "Let's Encrypt: shortlived profile", Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(-3*day, 3*day+time.Hour)) })},
		{Name: "TLS 1.2 and nothing newer", Refs: "RFC 8996", Offers: behave(func(o *lab.TLSOffer) { o.MaxVersion = tls.VersionTLS12 })},
		{Name: "a client certificate is asked for and not demanded", Refs: "RFC 8446 §4.3.2", Offers: behave(func(o *lab.TLSOffer) { o.Asks = true })},
	}
}

// dates are certificates that are valid some other time.
func dates() []Situation {
	return []Situation{
		{
			Name: "the certificate has expired", Refs: "RFC 5280 §4.1.2.5",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(-90*day, -2*day)) }),
			Want:   wants(critical("tls/expired", "the certificate of www.shop.example", "expired 2 days ago", "renew it")),
		},
		{
			Name: "the intermediate has expired", Refs: "RFC 5280 §6.1.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Old) }),
			Want:   wants(critical("tls/expired", "the intermediate «Old R2» in the chain", "present the current intermediate")),
		},
		{
			Name: "the certificate is not valid yet", Refs: "RFC 5280 §4.1.2.5",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(day, 90*day)) }),
			Want:   wants(critical("tls/not-yet-valid", "the certificate of www.shop.example", "is not valid for another")),
		},
		{
			Name: "the intermediate is not valid yet", Refs: "RFC 5280 §6.1.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Future) }),
			Want:   wants(critical("tls/not-yet-valid", "the intermediate «Next R5» in the chain")),
		},
	}
}

// clocks are certificates outside of their dates, where a clock may be wrong.
func clocks() []Situation {
	const hour = time.Hour
	return []Situation{
		{
			Name: "expired, and the server's clock is far behind", Refs: "RFC 9110 §6.6.1",
			Offers: func(w *World) []lab.TLSOffer {
				return []lab.TLSOffer{{Certificate: w.leaf(w.R3, lasting(-90*day, -hour)), ClockAhead: time.Minute - 3*hour}}
			},
			Want: wants(critical("tls/expired", "the server's clock is 3 h behind ours", "does not see that a renewal is due")),
		},
		{
			Name: "not valid yet by our clock, and the server's is ahead", Refs: "RFC 9110 §6.6.1",
			Offers: func(w *World) []lab.TLSOffer {
				return []lab.TLSOffer{{Certificate: w.leaf(w.R3, lasting(hour, 90*day)), ClockAhead: 3*hour - time.Minute}}
			},
			Want: wants(critical("tls/not-yet-valid", "the server's clock is 3 h ahead of ours", "ours is likelier wrong")),
		},
		{
			Name: "not valid yet, and the other address has our time", Refs: "RFC 9110 §6.6.1",
			Offers: func(w *World) []lab.TLSOffer {
				c := w.leaf(w.R3, lasting(hour, 90*day))
				return []lab.TLSOffer{{Certificate: c, ClockAhead: 2 * hour}, {Certificate: c}}
			},
			Want: wants(
				critical("tls/not-yet-valid", "the server's is likelier wrong, as 1 other address agrees with ours"),
				critical("tls/not-yet-valid"),
			),
		},
		{
			Name: "not valid yet, and the other address has the server's time", Refs: "RFC 9110 §6.6.1",
			Offers: func(w *World) []lab.TLSOffer {
				o := lab.TLSOffer{Certificate: w.leaf(w.R3, lasting(hour, 90*day)), ClockAhead: 2 * hour}
				return []lab.TLSOffer{o, o}
			},
			Want: wants(
				critical("tls/not-yet-valid", "ours is likelier wrong, as 1 other address agrees with the server"),
				critical("tls/not-yet-valid"),
			),
		},
	}
}

// ends are certificates that end soon, by their own lifetime.
func ends() []Situation {
	const hour = time.Hour
	return []Situation{
		{
			Name: "less than a third of 90 days is left", Refs: "Let's Encrypt: integration guide",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(-80*day, 10*day+hour)) }),
			Want:   wants(warning("tls/expiring", "ends in 10 days", "more than 30 days left of a lifetime of 90 days")),
		},
		{
			Name: "hours are left", Refs: "RFC 5280 §4.1.2.5",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(-89*day, 5*hour+time.Minute)) }),
			Want:   wants(critical("tls/expiring", "ends in 5 h")),
		},
		{
			Name: "six days of life, one of them left", Refs: "Let's Encrypt: shortlived profile",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, lasting(-5*day, day+hour)) }),
			Want:   wants(warning("tls/expiring", "a lifetime of 6 days")),
		},
		{
			Name: "the intermediate ends before the certificate does", Refs: "RFC 5280 §6.1.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.under(w.Root, "Waning R1", -year, 5*day+hour)) }),
			Want:   wants(warning("tls/expiring", "the intermediate «Waning R1» in the chain", "ends in 5 days")),
		},
	}
}

// names are certificates for somebody else.
func names() []Situation {
	return []Situation{
		{
			Name: "the certificate is for another name", Refs: "RFC 9525 §6.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named("blog.example", "www.blog.example")) }),
			Want:   wants(critical("tls/name-mismatch", "is not for www.shop.example", "a certificate for blog.example, www.blog.example")),
		},
		{
			Name: "a wildcard stands for one label only", Refs: "RFC 9525 §6.3",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named("*.example")) }),
			Want:   wants(critical("tls/name-mismatch", "a certificate for *.example")),
		},
		{
			Name: "the name is in the common name only", Refs: "RFC 9525 §2",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, named()) }),
			Want:   wants(critical("tls/name-mismatch", "a certificate for no name at all")),
		},
		{
			Name: "twelve other names, of which five are told", Refs: "RFC 5280 §4.2.1.6",
			Offers: present(func(w *World) tls.Certificate {
				var list []string
				for i := range 12 {
					list = append(list, fmt.Sprintf("shop%d.example", i))
				}
				return w.leaf(w.R3, named(list...))
			}),
			Want: wants(critical("tls/name-mismatch", "shop4.example, … 7 more")),
		},
		{
			Name: "a name that writes to the terminal is escaped", Refs: "RFC 5280 §4.2.1.6",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.Private, called("\x1b[2Jroot"), named(Host), alone) }),
			Want:   wants(critical("tls/untrusted", `\x1b[2Jroot`)),
		},
		{
			Name: "expired and for another name are two repairs", Refs: "RFC 5280 §6.1; RFC 9525 §6.3",
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.R3, named("blog.example"), lasting(-90*day, -day))
			}),
			Want: wants(critical("tls/expired"), critical("tls/name-mismatch")),
		},
	}
}

// placeholders and certificates for tests.
func placeholders() []Situation {
	staged := func(name, org string) func(w *World) tls.Certificate {
		return func(w *World) tls.Certificate {
			return w.leaf(w.under(w.root("(STAGING) Pretend Pear X1"), name, -year, year, from(org)))
		}
	}
	return []Situation{
		{
			Name: "Traefik's default certificate", Refs: "Traefik: default certificate",
			Offers: present(func(w *World) tls.Certificate {
				c, err := lab.TraefikDefault()
				w.failed(err)
				return c
			}),
			Want: wants(critical("tls/default-certificate", "placeholder certificate of Traefik", "acme.json")),
		},
		{
			Name: "ingress-nginx's fake certificate", Refs: "ingress-nginx: default SSL certificate",
			Offers: present(func(w *World) tls.Certificate {
				return w.selfSigned(called("Kubernetes Ingress Controller Fake Certificate"), from("Acme Co"), named("ingress.local"))
			}),
			Want: wants(critical("tls/default-certificate", "placeholder certificate of ingress-nginx", "kubernetes.io/tls")),
		},
		{
			Name: "cert-manager's temporary certificate", Refs: "cert-manager: issue-temporary-certificate",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.root("cert-manager.local")) }),
			Want:   wants(critical("tls/default-certificate", "placeholder certificate of cert-manager", "kubectl describe")),
		},
		{
			Name: "Caddy signed it with its own authority", Refs: "Caddy: tls internal",
			Offers: present(func(w *World) tls.Certificate {
				return w.leaf(w.under(w.root("Caddy Local Authority - 2026 ECC Root"), "Caddy Local Authority - ECC Intermediate", -day, day))
			}),
			Want: wants(critical("tls/default-certificate", "placeholder certificate of Caddy", "local_certs")),
		},
		{
			Name: "Let's Encrypt's staging environment", Refs: "Let's Encrypt: staging environment",
			Offers: present(staged("(STAGING) Wannabe Watercress R11", "(STAGING) Let's Encrypt")),
			Want:   wants(critical("tls/staging-certificate", "from Let's Encrypt's staging environment", "directory to production")),
		},
		{
			Name: "Let's Encrypt's staging environment of old", Refs: "Let's Encrypt: staging environment",
			Offers: present(staged("Fake LE Intermediate X1", "")),
			Want:   wants(critical("tls/staging-certificate", "from Let's Encrypt's staging environment")),
		},
		{
			Name: "pebble, an authority for tests", Refs: "github.com/letsencrypt/pebble",
			Offers: present(staged("Pebble Intermediate CA 4d37f5", "")),
			Want:   wants(critical("tls/staging-certificate", "from pebble")),
		},
	}
}

// weaknesses are keys, signatures and versions that clients refuse.
func weaknesses() []Situation {
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	return []Situation{
		{
			Name: "an RSA key of 1024 bits", Refs: "BR §6.1.5",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, rsa(1024)) }),
			Want:   wants(critical("tls/weak", "the certificate of www.shop.example", "has a weak key: RSA with 1024 bits")),
		},
		{
			Name: "the intermediate has an RSA key of 1024 bits", Refs: "BR §6.1.5",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.under(w.Root, "Thin R0", -year, year, rsa(1024))) }),
			Want:   wants(critical("tls/weak", "the intermediate «Thin R0» in the chain", "RSA with 1024 bits")),
		},
		{
			Name: "the certificate is signed with SHA-1", Refs: "RFC 9155",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.R3, alter(sha1)) }),
			Want:   wants(critical("tls/weak", "«www.shop.example» is signed with ECDSA-SHA1", "from an authority that signs with SHA-256")),
		},
		{
			Name: "the intermediate is signed with SHA-1", Refs: "RFC 9155",
			Offers: present(func(w *World) tls.Certificate { return w.leaf(w.under(w.Root, "Aged R1", -year, year, alter(sha1))) }),
			Want:   wants(critical("tls/weak", "«Aged R1» is signed with ECDSA-SHA1")),
		},
		{
			Name: "TLS 1.0 and nothing newer", Refs: "RFC 8996",
			Offers: behave(func(o *lab.TLSOffer) { o.MaxVersion = tls.VersionTLS10 }),
			Want:   wants(critical("tls/protocol", "speaks nothing newer than TLS 1.0", "enable TLS 1.2 and 1.3")),
		},
		{
			Name: "TLS 1.1 and nothing newer", Refs: "RFC 8996",
			Offers: behave(func(o *lab.TLSOffer) { o.MaxVersion = tls.VersionTLS11 }),
			Want:   wants(critical("tls/protocol", "speaks nothing newer than TLS 1.1")),
		},
		{
			Name: "no version in common", Refs: "RFC 8446 §6.2, protocol_version",
			Offers: behave(func(o *lab.TLSOffer) { o.Conduct, o.Alert = lab.SendsAlert, 70 }),
			Want:   wants(critical("tls/protocol", "share no TLS version", "speaks no TLS version from 1.0 to 1.3")),
		},
	}
}
