package probe

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"time"
)

// Logged is when the first log of Certificate Transparency signed that it had the
// certificate: the moment of issuance, while authorities set NotBefore back. It is zero if
// no log did. The signatures of the logs are not verified: the authority's covers them.
// RFC 6962 section 3.3.
func Logged(c *x509.Certificate) time.Time {
	var first time.Time
	for _, at := range sctTimes(sctList(c)) {
		if at.After(c.NotAfter) || at.Before(c.NotBefore) {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// sctList is the value of the certificate's SCT list extension.
func sctList(c *x509.Certificate) []byte {
	oid := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
	for _, e := range c.Extensions {
		var list []byte
		if e.Id.Equal(oid) {
			if rest, err := asn1.Unmarshal(e.Value, &list); err == nil && len(rest) == 0 {
				return list
			}
		}
	}
	return nil
}

// sctTimes are the timestamps in a list; what is malformed ends it. RFC 6962 section 3.2:
// a version, the log's 32 bytes and milliseconds since 1970.
func sctTimes(list []byte) []time.Time {
	const before, stamp = 1 + 32, 8
	var times []time.Time
	list, _, whole := vector(list)
	for whole && len(list) > 0 {
		var sct []byte
		if sct, list, whole = vector(list); !whole || len(sct) < before+stamp || sct[0] != 0 {
			continue
		}
		ms := binary.BigEndian.Uint64(sct[before:])
		const year9999 = 253_402_300_799_000
		if ms <= year9999 {
			times = append(times, time.UnixMilli(int64(ms)).UTC())
		}
	}
	return times
}

// vector splits off what two bytes say the length of.
func vector(b []byte) (content, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n], b[n:], true
}
