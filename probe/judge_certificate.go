package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// certificate names each cause on its own, because they are mended by different
// people. Two causes stand alone: a placeholder and a self-signed certificate
// are to be replaced as a whole, so that their names and dates are noise.
func (j judge) certificate(t TLS) []finding.Finding {
	if len(t.Chain) == 0 || t.Valid(j.now) {
		return j.expiring(t)
	}
	leaf := t.Chain[0]
	if who := placeholder(leaf); who != "" {
		return []finding.Finding{j.defaultCertificate(leaf, who)}
	}
	if leaf.SelfSigned && !t.Trust.Trusted {
		return []finding.Finding{j.selfSigned(leaf)}
	}
	var all []finding.Finding
	if !t.Trust.Trusted {
		all = append(all, j.untrusted(t))
	}
	if !t.Trust.NameMatches {
		all = append(all, j.nameMismatch(leaf))
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
	}
	return ""
}

func (j judge) defaultCertificate(c Certificate, who string) finding.Finding {
	f := j.finding(finding.TLSDefaultCertificate, finding.Critical,
		fmt.Sprintf("%s gets the placeholder certificate of %s at %s: there is no real one for this name", j.host, who, j.at))
	f.Expected = "a certificate for " + j.host
	f.Observed = certificateText(c)
	f.Hint = map[string]string{
		"Traefik":       "read Traefik's log for the ACME error (a rate limit?), and check that acme.json survives restarts, before ordering again",
		"ingress-nginx": "check that the Secret in the Ingress's tls section exists, is of type kubernetes.io/tls and names this host",
		"cert-manager":  "kubectl describe certificate,order,challenge: the real certificate has not been issued yet",
	}[who]
	return f
}

func (j judge) selfSigned(c Certificate) finding.Finding {
	f := j.finding(finding.TLSSelfSigned, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is signed by itself", j.host, j.at))
	f.Expected = "a certificate from a trusted authority"
	f.Observed = certificateText(c)
	f.Hint = "install a certificate from an authority; if this one is meant to be trusted, name it in tls.ca_file"
	return f
}

func (j judge) untrusted(t TLS) finding.Finding {
	why := printable(t.Trust.Why, 200)
	if why == "" {
		why = "no path to a trusted root"
	}
	f := j.finding(finding.TLSUntrusted, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is not trusted: %s", j.host, j.at, why))
	f.Expected = "a chain that leads to a trusted root"
	f.Observed = fmt.Sprintf("%s, with %s sent beside it", certificateText(t.Chain[0]), count(len(t.Chain)-1, "certificate"))
	f.Hint = "present the whole chain (fullchain.pem); for a private authority set tls.ca_file"
	return f
}

func (j judge) nameMismatch(c Certificate) finding.Finding {
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

func (j judge) expired(t TLS) finding.Finding {
	what := culprit(t)
	f := j.finding(finding.TLSExpired, finding.Critical,
		fmt.Sprintf("%s of %s at %s expired %s ago", what, j.host, j.at, finding.Left(j.now.Sub(t.Trust.NotAfter))))
	f.Expected = "valid at " + moment(j.now)
	f.Observed = fmt.Sprintf("%s ended %s", what, moment(t.Trust.NotAfter))
	f.Hint = "renew it; if that was done, reload the server that presents it"
	if !leafEnds(t) {
		f.Hint = "present the current intermediate: install the whole chain that came with the certificate"
	}
	return f
}

func (j judge) notYetValid(t TLS) finding.Finding {
	f := j.finding(finding.TLSNotYetValid, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is not valid for another %s", j.host, j.at, finding.Left(t.Trust.NotBefore.Sub(j.now))))
	f.Expected = "valid at " + moment(j.now)
	f.Observed = "valid from " + moment(t.Trust.NotBefore)
	f.Hint = "compare the clocks of the machine that issued it and of this one"
	return f
}

// expiring measures what is left on the path in the leaf's own lifetime.
func (j judge) expiring(t TLS) []finding.Finding {
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
	what := culprit(t)
	f := j.finding(finding.TLSExpiring, severity,
		fmt.Sprintf("%s of %s at %s ends in %s", what, j.host, j.at, finding.Left(left)))
	f.Expected = fmt.Sprintf("more than %s left of a lifetime of %s", finding.Left(share(j.policy.ExpiringFraction)), finding.Left(lifetime))
	f.Observed = fmt.Sprintf("%s ends %s", what, moment(t.Trust.NotAfter))
	f.Hint = "find out why it was not renewed: the ACME client's log names the refusal"
	return []finding.Finding{f}
}

// leafEnds tells whether it is the leaf that ends first, not an intermediate.
func leafEnds(t TLS) bool { return t.Trust.NotAfter.Equal(t.Chain[0].NotAfter) }

// culprit is the certificate that ends first.
func culprit(t TLS) string {
	if leafEnds(t) {
		return "the certificate"
	}
	return fmt.Sprintf("the intermediate «%s» in the chain", printable(t.Trust.Ends, maxText))
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
	return fmt.Sprintf("subject «%s», issuer «%s», ends %s", printable(subject, maxText), printable(issuer, maxText), moment(c.NotAfter))
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
