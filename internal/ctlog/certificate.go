package ctlog

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"driftprobe/internal/issuance"
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
	if at := firstTimestamp(c); !at.IsZero() {
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

// firstTimestamp is when the first log signed that it had the certificate: authorities set
// NotBefore back. RFC 6962 section 3.3. Zero if none is embedded.
func firstTimestamp(c *x509.Certificate) time.Time {
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
	var first time.Time
	for _, e := range c.Extensions {
		var list, sct cryptobyte.String
		value := cryptobyte.String(e.Value)
		var octets cryptobyte.String
		if !e.Id.Equal(oid) || !value.ReadASN1(&octets, 4) || !octets.ReadUint16LengthPrefixed(&list) {
			continue
		}
		for !list.Empty() && list.ReadUint16LengthPrefixed(&sct) {
			var ms uint64
			if !sct.Skip(1+32) || !sct.ReadUint64(&ms) {
				continue
			}
			if at, ok := moment(ms); ok && !at.Before(c.NotBefore) && !at.After(c.NotAfter) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// moment reads milliseconds since 1970, up to the year 9999.
func moment(ms uint64) (time.Time, bool) {
	const year9999 = 253_402_300_799_000
	if ms > year9999 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms)).UTC(), true
}
