package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

const (
	maxIssuer  = 64 << 10 // bytes of one certificate
	maxIssuers = 256      // remembered
	// issuerFor is how long a certificate is remembered, for a chain that lacks it.
	issuerFor = 24 * time.Hour
)

// publishedAt is where a certificate says that its issuer's is published; "" if
// nowhere that is plain HTTP.
func publishedAt(c *x509.Certificate) string {
	for _, u := range c.IssuingCertificateURL[:min(len(c.IssuingCertificateURL), 4)] {
		if len(u) > 7 && u[:7] == "http://" {
			return u
		}
	}
	return ""
}

// complete looks for the missing certificate of a chain that breaks off, as browsers
// do: at the URL that the certificate names. That is the word of whoever made it, so
// this is done only where the operator asked for it, never for a stranger, and at most
// twice.
func (l *look) complete(ctx context.Context) {
	if !l.settings.FetchIssuers || l.request.Stranger || l.verified.stuck == nil {
		return
	}
	chain, at := l.chain, l.verified.stuck
	for range 2 {
		issuer := l.issuerOf(ctx, at)
		if issuer == nil {
			return
		}
		chain = append(slices.Clone(chain), issuer)
		path, err := bestPath(chain, l.settings.Roots, l.seen.At)
		if err != nil {
			if selfSigned(issuer) {
				t := &l.seen.TLS.Trust
				t.Cause, t.Missing = OtherRoot, nil
				t.Why = fmt.Sprintf("signed by an unknown authority «%s», which publishes its root itself", shown(issuer.Subject))
				return
			}
			at = issuer
			continue
		}
		stuck := l.verified.stuck
		l.seen.TLS.Trust.Cause = Incomplete
		l.seen.TLS.Trust.Missing = &Missing{Subject: clip(title(stuck.Issuer)), URL: clip(publishedAt(stuck)), Found: true}
		if len(path) > 1 {
			l.verified.issuer = path[1]
		}
		return
	}
}

// issuerOf fetches the certificate of an issuer, or remembers it; nil if it is not to
// be had.
func (l *look) issuerOf(ctx context.Context, c *x509.Certificate) *x509.Certificate {
	from := publishedAt(c)
	if from == "" {
		return nil
	}
	issuer, good := l.issuers.get(from, l.seen.At)
	if !good {
		until := l.seen.At.Add(retryAfter)
		if der, err := l.fetch(ctx, from, maxIssuer); err == nil {
			if parsed, err := x509.ParseCertificate(der); err == nil {
				issuer, until = parsed, l.seen.At.Add(issuerFor)
			}
		} else if ctx.Err() != nil {
			return nil // we ran out of time: that says nothing of the URL
		}
		l.issuers.put(from, issuer, until)
	}
	if issuer == nil || len(issuersOf(c, []*x509.Certificate{issuer})) == 0 || !signed(c, issuer) {
		return nil
	}
	return issuer
}
