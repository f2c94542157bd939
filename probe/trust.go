package probe

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
)

// verified is what was found out about a chain.
type verified struct {
	facts []Certificate
	trust Trust
	// issuer is the certificate that signed the leaf on the best path, nil if there
	// is none or the leaf signed itself.
	issuer *x509.Certificate
	// stuck is the certificate whose issuer was not sent, nil if there is none.
	stuck *x509.Certificate
	// until is when the dates of what was presented may make another path the best.
	until time.Time
}

// verify verifies a presented chain (leaf first, not empty, at most MaxChain).
// Dates and name are set aside and reported on their own.
//
// The dates of the root do not count: RFC 5280 section 6.1 takes from a trust
// anchor its name and key only, and browsers, Android and Java do so. Trust
// stores drop old roots by themselves.
func verify(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) verified {
	v := verified{until: now.Add(recheck)}
	for i, c := range chain {
		v.facts = append(v.facts, certificateFacts(c, i == 0))
		for _, at := range []time.Time{c.NotBefore, c.NotAfter} {
			if at.After(now) && at.Before(v.until) {
				v.until = at
			}
		}
	}
	path, err := bestPath(chain, roots, now)
	if err != nil {
		v.trust, v.stuck = whyUntrusted(chain, err)
		path = chain[:1]
	} else if len(path) > 1 {
		v.issuer = path[1]
	}
	v.trust.Trusted = err == nil
	for _, c := range path {
		if i := slices.Index(chain, c); i >= 0 {
			v.trust.Path = append(v.trust.Path, i)
		}
	}
	starts, ends := bounds(path)
	v.trust.NotBefore, v.trust.Starts = starts.NotBefore.UTC(), clip(title(starts.Subject))
	v.trust.NotAfter, v.trust.Ends = ends.NotAfter.UTC(), clip(title(ends.Subject))
	return v
}

// bestPath finds the path to a root that a client would like best: one that is
// valid now before one that is not, then the one that ends last.
//
// Verify checks dates, so it is given copies of the presented certificates that
// never expire. What is left are the dates of the root, and systems that verify
// by themselves (macOS, Windows); for those other moments are tried too.
func bestPath(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	original := make(map[*x509.Certificate]*x509.Certificate, len(chain))
	undated := make([]*x509.Certificate, len(chain))
	intermediates := x509.NewCertPool()
	for i, c := range chain {
		twin := *c
		twin.NotBefore, twin.NotAfter = time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		undated[i], original[&twin] = &twin, c
		if i > 0 {
			intermediates.AddCert(&twin)
		}
	}
	var first error
	for _, at := range moments(chain, now) {
		paths, err := undated[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: at})
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		for _, p := range paths {
			for i, c := range p {
				if o, ok := original[c]; ok {
					p[i] = o
				}
			}
		}
		return slices.MaxFunc(paths, func(a, b []*x509.Certificate) int { return comparePaths(a, b, now) }), nil
	}
	return nil, first
}

// moments are now, then the first and the last of the leaf, and when what leads to a root
// was made: the root was valid then. They are few: each costs a whole verification, and a
// chain can be made up so that one takes a hundred signatures.
func moments(chain []*x509.Certificate, now time.Time) []time.Time {
	list := []time.Time{now, chain[0].NotBefore.Add(time.Second), chain[0].NotAfter.Add(-time.Second)}
	for _, c := range chain[1:] {
		at := c.NotBefore.Add(time.Second)
		if len(issuersOf(c, chain)) == 0 && !slices.ContainsFunc(list, at.Equal) {
			list = append(list, at)
		}
	}
	return list
}

func comparePaths(a, b []*x509.Certificate, now time.Time) int {
	startA, endA := bounds(a)
	startB, endB := bounds(b)
	validA := !now.Before(startA.NotBefore) && now.Before(endA.NotAfter)
	validB := !now.Before(startB.NotBefore) && now.Before(endB.NotAfter)
	if validA != validB {
		if validA {
			return 1
		}
		return -1
	}
	return endA.NotAfter.Compare(endB.NotAfter)
}

// bounds returns the certificates on a path that begin last and end first. The
// root, if there is one beside the leaf, does not count.
func bounds(path []*x509.Certificate) (starts, ends *x509.Certificate) {
	starts, ends = path[0], path[0]
	for _, c := range path[:max(1, len(path)-1)] {
		if c.NotBefore.After(starts.NotBefore) {
			starts = c
		}
		if c.NotAfter.Before(ends.NotAfter) {
			ends = c
		}
	}
	return starts, ends
}

// whyUntrusted names the cause. Verify says "unknown authority" for most of
// them, so we follow the issuers through what was presented ourselves. stuck is
// where the way ends, if a certificate that was not sent could lead on.
func whyUntrusted(chain []*x509.Certificate, err error) (t Trust, stuck *x509.Certificate) {
	because := func(c Cause, format string, args ...any) Trust {
		return Trust{Cause: c, Why: fmt.Sprintf(format, args...)}
	}
	if selfSigned(chain[0]) {
		return because(OtherRoot, "signed by itself"), nil
	}
	if text := invalidText(err); text != "" {
		return because(Unfit, "%s", text), nil
	}
	at := chain[0]
	for range chain {
		if selfSigned(at) {
			return because(OtherRoot, "signed by an unknown authority «%s», whose root was sent along", shown(at.Subject)), nil
		}
		if weak(at.SignatureAlgorithm) {
			return because(WeakSignature, "«%s» is signed with %s, which clients no longer accept", shown(at.Subject), at.SignatureAlgorithm), nil
		}
		issuers := issuersOf(at, chain[1:])
		if len(issuers) == 0 {
			break
		}
		i := slices.IndexFunc(issuers, func(c *x509.Certificate) bool { return signed(at, c) })
		if i < 0 {
			return because(WrongIssuer, "the certificate sent for the issuer «%s» is not the one that signed", shown(at.Issuer)), at
		}
		if at = issuers[i]; at.Version == 3 && !at.IsCA {
			return because(Unfit, "«%s» on its path is not allowed to sign others", shown(at.Subject)), nil
		}
	}
	published := publishedAt(at)
	switch {
	case at != chain[0]:
		t = because(OtherRoot, "signed by an unknown authority «%s»", shown(at.Issuer))
	case len(chain) == 1:
		t = because(OtherRoot, "issuer «%s» is not trusted and no intermediate was sent", shown(at.Issuer))
	default:
		t = because(OtherRoot, "issuer «%s» is not trusted and its certificate is not among those sent", shown(at.Issuer))
	}
	if at == chain[0] && published != "" {
		t.Cause = Incomplete
		t.Missing = &Missing{Subject: clip(title(at.Issuer)), URL: clip(published)}
	}
	return t, at
}

// invalidText puts Verify's own reasons into words, where it has one.
func invalidText(err error) string {
	if unknown := (x509.UnhandledCriticalExtension{}); errors.As(err, &unknown) {
		return "it has a critical extension that clients do not know"
	}
	invalid := x509.CertificateInvalidError{}
	if !errors.As(err, &invalid) {
		return ""
	}
	switch invalid.Reason {
	case x509.NotAuthorizedToSign:
		return "a certificate on its path is not allowed to sign others"
	case x509.CANotAuthorizedForThisName:
		return "its authority is not allowed to sign for this name"
	case x509.TooManyIntermediates:
		return "there are more intermediates than its authority allows"
	case x509.IncompatibleUsage:
		return "it is not meant for servers (extended key usage)"
	case x509.Expired:
		return "its root is not valid at any moment at which the rest is"
	}
	return "no path to a trusted root is valid"
}

// recorded are at most MaxChain of the certificates that were presented, in their order.
// Some servers send a whole bundle of authorities: those that can be on the leaf's path by
// their names come before others.
func recorded(all []*x509.Certificate) []*x509.Certificate {
	if len(all) <= MaxChain {
		return all
	}
	keep := map[int]bool{0: true}
	for way := []int{0}; len(way) > 0; way = way[1:] {
		for i, c := range all {
			if !keep[i] && len(keep) < MaxChain && bytes.Equal(c.RawSubject, all[way[0]].RawIssuer) {
				keep[i] = true
				way = append(way, i)
			}
		}
	}
	var some []*x509.Certificate
	for i, c := range all {
		if !keep[i] && len(keep) < MaxChain {
			keep[i] = true
		}
		if keep[i] {
			some = append(some, c)
		}
	}
	return some
}

func issuersOf(c *x509.Certificate, among []*x509.Certificate) []*x509.Certificate {
	var found []*x509.Certificate
	for _, o := range among {
		if o != c && bytes.Equal(o.RawSubject, c.RawIssuer) {
			found = append(found, o)
		}
	}
	return found
}

// selfSigned tells whether a certificate is signed with its own key. A weak
// signature that Go will not check counts if the names say so.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && signed(c, c)
}

func signed(c, by *x509.Certificate) bool {
	err := by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	return err == nil || weak(c.SignatureAlgorithm)
}

func weak(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// title is the name by which people know a certificate's subject or issuer.
func title(n pkix.Name) string {
	switch {
	case n.CommonName != "":
		return n.CommonName
	case len(n.Organization) > 0:
		return n.Organization[0]
	}
	return n.String()
}

func shown(n pkix.Name) string { return finding.Printable(title(n), maxText) }
