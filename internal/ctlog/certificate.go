package ctlog

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"driftprobe/internal/issuance"
	"driftprobe/probe"
)

const (
	// maxCertificate bounds one certificate, in bytes, and maxNames the names of it that
	// are compared: as many as of one that is seen served.
	maxCertificate = 64 << 10
	maxNames       = 100
)

// read makes of a certificate or precertificate (RFC 6962 section 3.1) what is known of
// its issuance. Both have one serial, and so they are counted once. ok is false if it
// can't be understood.
func read(der []byte, now time.Time) (seen issuance.Seen, ok bool) {
	if len(der) > maxCertificate {
		return issuance.Seen{}, false
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return issuance.Seen{}, false
	}
	names := slices.Clone(c.DNSNames[:min(len(c.DNSNames), maxNames)])
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames-len(names))] {
		names = append(names, ip.String())
	}
	seen = issuance.Seen{
		At: now, Names: names, Serial: c.SerialNumber.Text(16),
		Issued: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
	seen.CA = c.Issuer.CommonName // as of one that is seen served, where there is no organisation
	if len(c.Issuer.Organization) > 0 {
		seen.CA = c.Issuer.Organization[0]
	}
	if at := probe.Logged(c); !at.IsZero() {
		seen.Issued = at
	}
	return seen, true
}

// below tells whether a certificate is for a name of one of the domains.
func below(names, domains []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		return slices.ContainsFunc(domains, func(domain string) bool {
			return name == domain || strings.HasSuffix(name, "."+domain)
		})
	})
}

// moment reads milliseconds since 1970, up to the year 9999.
func moment(ms uint64) (time.Time, bool) {
	const year9999 = 253_402_300_799_000
	if ms > year9999 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms)).UTC(), true
}
