package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// certificate judges what was presented: whether clients believe it, and what is
// weak about it.
func (j *judge) certificate(t TLS) []finding.Finding {
	var all []finding.Finding
	if f, ok := j.protocol(t); ok {
		all = append(all, f)
	}
	if f, ok := j.refusedWithout(t); ok {
		all = append(all, f)
	}
	if len(t.Chain) == 0 {
		return all
	}
	if f, ok := j.foreign(t); ok {
		return append(all, f)
	}
	return append(append(all, j.believed(t)...), j.strength(t)...)
}

// foreign finds the certificates that stand alone: they are to be replaced as a
// whole, so that their names and dates are noise.
func (j *judge) foreign(t TLS) (finding.Finding, bool) {
	leaf := t.Chain[0]
	if t.Valid(j.now) {
		return finding.Finding{}, false
	}
	if who := placeholder(leaf); who != "" {
		return j.defaultCertificate(leaf, who), true
	}
	if t.Trust.Trusted {
		return finding.Finding{}, false
	}
	if who := staging(t.Chain); who != "" {
		return j.stagingCertificate(leaf, who), true
	}
	if leaf.SelfSigned {
		return j.selfSigned(leaf), true
	}
	return finding.Finding{}, false
}

// believed names each cause for which clients refuse a certificate on its own,
// because they are mended by different people.
func (j *judge) believed(t TLS) []finding.Finding {
	if t.Valid(j.now) {
		return j.expiring(t)
	}
	var all []finding.Finding
	if !t.Trust.Trusted {
		all = append(all, j.untrusted(t))
	}
	if !t.Trust.NameMatches {
		all = append(all, j.nameMismatch(t.Chain[0]))
	}
	if !j.now.Before(t.Trust.NotAfter) {
		all = append(all, j.expired(t))
	} else if t.Trust.Trusted {
		all = append(all, j.expiring(t)...)
	}
	if j.now.Before(t.Trust.NotBefore) {
		all = append(all, j.notYetValid(t))
	}
	return all
}

// placeholder names the program that made up a certificate because it had none.
// The names are those in the sources of Traefik, ingress-nginx and cert-manager.
func placeholder(c Certificate) string {
	traefik := func(name string) bool { return strings.HasSuffix(name, ".traefik.default") }
	switch {
	case c.SubjectCN == "TRAEFIK DEFAULT CERT", slices.ContainsFunc(c.Names, traefik):
		return "Traefik"
	case c.SubjectCN == "Kubernetes Ingress Controller Fake Certificate":
		return "ingress-nginx"
	case c.IssuerCN == "cert-manager.local":
		return "cert-manager"
	case strings.HasPrefix(c.IssuerCN, "Caddy Local Authority"):
		return "Caddy"
	}
	return ""
}

// staging names the authority for tests that issued one of the certificates. The names
// are those of Let's Encrypt's staging hierarchies, old and new, and of pebble.
func staging(chain []Certificate) string {
	for _, c := range chain {
		for _, name := range []string{c.IssuerCN, c.IssuerO, c.SubjectCN} {
			switch {
			case strings.HasPrefix(name, "(STAGING)"), strings.HasPrefix(name, "Fake LE "):
				return "Let's Encrypt's staging environment"
			case strings.HasPrefix(name, "Pebble Intermediate CA"), strings.HasPrefix(name, "Pebble Root CA"):
				return "pebble, an ACME server for tests"
			}
		}
	}
	return ""
}

func (j *judge) defaultCertificate(c Certificate, who string) finding.Finding {
	f := j.finding(finding.TLSDefaultCertificate, finding.Critical,
		fmt.Sprintf("%s gets the placeholder certificate of %s at %s: there is no real one for this name", j.host, who, j.at))
	f.Expected = "a certificate for " + j.host
	f.Observed = certificateText(c)
	f.Hint = map[string]string{
		"Traefik":       "read Traefik's log for the ACME error (a rate limit?), and check that acme.json survives restarts, before ordering again",
		"ingress-nginx": "check that the Secret in the Ingress's tls section exists, is of type kubernetes.io/tls and names this host",
		"Caddy":         "read Caddy's log for the ACME error; its own authority signs for names that are not public, and where the Caddyfile says local_certs or tls internal",
		"cert-manager":  "kubectl describe certificate,order,challenge: the real certificate has not been issued yet",
	}[who]
	return f
}

func (j *judge) stagingCertificate(c Certificate, who string) finding.Finding {
	f := j.finding(finding.TLSStagingCertificate, finding.Critical,
		fmt.Sprintf("%s gets a certificate from %s at %s, which no client trusts", j.host, who, j.at))
	f.Expected = "a certificate from an authority that clients trust"
	f.Observed = certificateText(c)
	f.Hint = "set the ACME client's directory to production (Let's Encrypt: https://acme-v02.api.letsencrypt.org/directory), delete the certificate it keeps, and order anew"
	return f
}

func (j *judge) selfSigned(c Certificate) finding.Finding {
	f := j.finding(finding.TLSSelfSigned, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is signed by itself", j.host, j.at))
	f.Expected = "a certificate from a trusted authority"
	f.Observed = certificateText(c)
	f.Hint = "install a certificate from an authority; if this one is meant to be trusted, name it in tls.ca_file"
	return f
}

func (j *judge) untrusted(t TLS) finding.Finding {
	switch {
	case t.Trust.Missing != nil:
		return j.incomplete(t, *t.Trust.Missing)
	case t.Trust.Cause == WeakSignature:
		return j.weakSignature(t)
	}
	why := finding.Printable(t.Trust.Why, 200)
	if why == "" {
		why = "no path to a trusted root"
	}
	f := j.finding(finding.TLSUntrusted, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is not trusted: %s", j.host, j.at, why))
	f.Expected = "a chain that leads to a trusted root"
	f.Observed = sent(t)
	switch {
	case t.Trust.Cause == WrongIssuer:
		f.Hint = "install the chain that came with the certificate (fullchain.pem)"
	case t.Trust.Cause == Unfit:
		f.Hint = "order a certificate anew, for servers, from an authority that may issue it: no chain and no trusted root mends this one"
	case t.Trust.Cause == OtherRoot && len(t.Chain) > 1:
		f.Hint = "order the certificate from an authority that clients trust; if yours trust this one, name its root in tls.ca_file"
	default:
		f.Hint = "present the whole chain (fullchain.pem); for a private authority set tls.ca_file"
	}
	return f
}

// incomplete is a chain that lacks a certificate. Who tries it in a browser often
// sees nothing amiss.
func (j *judge) incomplete(t TLS, m Missing) finding.Finding {
	name := finding.Printable(m.Subject, maxText)
	f := j.finding(finding.TLSIncompleteChain, finding.Critical,
		fmt.Sprintf("the chain of %s at %s lacks the intermediate «%s»", j.host, j.at, name))
	f.Expected = "the certificate with every intermediate up to a trusted root"
	f.Observed = sent(t)
	f.Hint = "install the whole chain (fullchain.pem), or add the intermediate, which is published at " + quote(finding.Printable(m.URL, 200)) +
		"; browsers hide the fault, because they know or fetch intermediates, and curl, Go, Java and mobile apps fail"
	if m.Found {
		f.Observed += "; with the intermediate fetched from " + finding.Printable(m.URL, 200) + " it leads to a trusted root"
	} else {
		f.Hint += "; if «" + name + "» is a private root, name it in tls.ca_file"
	}
	return f
}

// sent is the certificate and how many came with it.
func sent(t TLS) string {
	beside := count(len(t.Chain)-1, "certificate")
	if len(t.Chain) == MaxChain { // more are not recorded
		beside += " or more"
	}
	return fmt.Sprintf("%s, with %s sent beside it", certificateText(t.Chain[0]), beside)
}

func (j *judge) nameMismatch(c Certificate) finding.Finding {
	has := "no name at all"
	if len(c.Names) > 0 {
		has = few(c.Names)
	}
	f := j.finding(finding.TLSNameMismatch, finding.Critical,
		fmt.Sprintf("the certificate at %s is not for %s", j.at, j.host))
	f.Expected = "a certificate for " + j.host
	f.Observed = "a certificate for " + has
	f.Hint = "order a certificate with this name, or mend the rule that chooses one for it; compare with: " + j.openssl()
	return f
}

func (j *judge) expired(t TLS) finding.Finding {
	what := ending(t)
	f := j.finding(finding.TLSExpired, finding.Critical,
		fmt.Sprintf("%s of %s at %s expired %s ago", what, j.host, j.at, finding.Left(j.now.Sub(t.Trust.NotAfter))))
	f.Expected = "valid at " + moment(j.now)
	f.Observed = fmt.Sprintf("%s ended %s", what, moment(t.Trust.NotAfter))
	f.Hint = "renew it; if that was done, reload the server that presents it"
	if newer, ok := j.newer(); ok {
		f.Hint = "reload or deploy the server that presents it: " + newer + " has the renewed one already"
	} else if !leafEnds(t) {
		f.Hint = "present the current intermediate: install the whole chain that came with the certificate"
	}
	if text := j.clocks(); text != "" {
		f.Observed += "; " + text
	}
	return f
}

func (j *judge) notYetValid(t TLS) finding.Finding {
	what := culprit(t.Trust.Starts, t.Trust.NotBefore.Equal(t.Chain[0].NotBefore))
	f := j.finding(finding.TLSNotYetValid, finding.Critical,
		fmt.Sprintf("%s of %s at %s is not valid for another %s", what, j.host, j.at, finding.Left(t.Trust.NotBefore.Sub(j.now))))
	f.Expected = "valid at " + moment(j.now)
	f.Observed = "valid from " + moment(t.Trust.NotBefore)
	f.Hint = "compare the clocks of the machine that issued it and of this one"
	if text := j.clocks(); text != "" {
		f.Observed += "; " + text
	}
	return f
}

// expiring measures what is left on the path in the leaf's own lifetime.
func (j *judge) expiring(t TLS) []finding.Finding {
	if len(t.Chain) == 0 {
		return nil
	}
	lifetime := t.Chain[0].NotAfter.Sub(t.Chain[0].NotBefore)
	left := t.Trust.NotAfter.Sub(j.now)
	share := func(f float64) time.Duration { return time.Duration(float64(lifetime) * f) }
	if left >= share(j.policy.ExpiringFraction) {
		return nil
	}
	severity := finding.Warning
	if left < min(share(j.policy.UrgentFraction), j.policy.UrgentTime) {
		severity = finding.Critical
	}
	newer, renewed := j.newer()
	if renewed && severity == finding.Warning {
		return nil // told once, of all addresses: see differing
	}
	what := ending(t)
	f := j.finding(finding.TLSExpiring, severity,
		fmt.Sprintf("%s of %s at %s ends in %s", what, j.host, j.at, finding.Left(left)))
	f.Expected = fmt.Sprintf("more than %s left of a lifetime of %s", finding.Left(share(j.policy.ExpiringFraction)), finding.Left(lifetime))
	f.Observed = fmt.Sprintf("%s ends %s", what, moment(t.Trust.NotAfter))
	f.Hint = "find out why it was not renewed: the ACME client's log names the refusal"
	if renewed {
		f.Hint = "reload or deploy the server that presents it: " + newer + " has the renewed one already"
	}
	return []finding.Finding{f}
}

// leafEnds tells whether it is the leaf that ends first, not an intermediate.
func leafEnds(t TLS) bool { return t.Trust.NotAfter.Equal(t.Chain[0].NotAfter) }

// ending is the certificate that ends first.
func ending(t TLS) string { return culprit(t.Trust.Ends, leafEnds(t)) }

// culprit is the certificate that is meant: the leaf, or one of the chain.
func culprit(name string, leaf bool) string {
	if leaf {
		return "the certificate"
	}
	return fmt.Sprintf("the intermediate «%s» in the chain", finding.Printable(name, maxText))
}

// certificateText is "subject «a», issuer «b», ends 2026-01-02 15:04 UTC".
func certificateText(c Certificate) string {
	subject, issuer := c.SubjectCN, c.IssuerCN
	if subject == "" && len(c.Names) > 0 {
		subject = c.Names[0] // newer profiles of public authorities have no CN
	}
	if issuer == "" {
		issuer = c.IssuerO
	}
	return fmt.Sprintf("subject «%s», issuer «%s», ends %s", finding.Printable(subject, maxText), finding.Printable(issuer, maxText), moment(c.NotAfter))
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no other " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
