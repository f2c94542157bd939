package probe

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// stapled reads the OCSP response that came with a certificate (RFC 6960). Whatever
// is wrong with it makes it unusable, and is said.
func stapled(der []byte, leaf, issuer *x509.Certificate, now time.Time) *Statement {
	r, err := ocsp.ParseResponseForCert(der, leaf, issuer)
	if err != nil {
		return &Statement{Says: Unusable, Why: "it cannot be read, is not about this certificate, or its signature is wrong"}
	}
	s := &Statement{Until: r.NextUpdate.UTC()}
	if r.NextUpdate.IsZero() {
		s.Until = time.Time{}
	}
	// The package follows the signature to the issuer and does not ask whether the
	// signer was allowed to speak for it (RFC 6960 section 4.2.2.2).
	if c := r.Certificate; c != nil && !bytes.Equal(c.Raw, issuer.Raw) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		s.Says, s.Why = Unusable, "it is signed by somebody whom the authority has not allowed to"
		return s
	}
	switch {
	case r.Status == ocsp.Revoked: // and it stays so, however old the response
		s.Says, s.Revoked, s.Reason = Revoked, r.RevokedAt.UTC(), reasonText(r.RevocationReason)
	case !s.Until.IsZero() && now.After(s.Until):
		s.Says, s.Why = Unusable, "it ended "+moment(s.Until)
	case now.Add(maxSkew).Before(r.ThisUpdate):
		s.Says, s.Why = Unusable, "it begins "+moment(r.ThisUpdate)
	case r.Status == ocsp.Good:
		s.Says = Good
	default:
		s.Says = Unknown
	}
	return s
}

// reasonText names the reasons of RFC 5280 section 5.3.1; "" if none is given.
func reasonText(code int) string {
	return map[int]string{
		1: "key compromise", 2: "CA compromise", 3: "affiliation changed", 4: "superseded",
		5: "cessation of operation", 6: "on hold", 9: "privilege withdrawn", 10: "AA compromise",
	}[code]
}
