package probe

import (
	"crypto/tls"
	"fmt"
	"slices"

	"driftprobe/finding"
)

func (j *judge) handshakeHint() string {
	switch j.seen.Fault.Kind {
	case NotIntroduced:
		return "make both sides agree: the load balancer in front has to send the PROXY protocol header, or the server must not expect it; clients that come straight to this address never send one"
	case LongHello:
		return "update the server, or the firewall in front of it: it has to read a ClientHello that comes in two packets, as browsers send it since 2024 (https://tldr.fail)"
	}
	return "compare with: " + j.openssl()
}

// protocol: browsers, and most else, speak no TLS older than 1.2 (RFC 8996).
func (j *judge) protocol(t TLS) (finding.Finding, bool) {
	if t.Version == 0 || t.Version >= tls.VersionTLS12 {
		return finding.Finding{}, false
	}
	name := tls.VersionName(t.Version)
	f := j.finding(finding.TLSProtocol, finding.Critical,
		fmt.Sprintf("%s speaks nothing newer than %s at %s, which clients refuse", j.host, name, j.at))
	f.Expected = "TLS 1.2 or 1.3"
	f.Observed = name + ", although 1.2 and 1.3 were offered"
	f.Hint = "enable TLS 1.2 and 1.3 on the server or load balancer"
	return f, true
}

func (j *judge) oldProtocol() finding.Finding {
	f := j.finding(finding.TLSProtocol, finding.Critical,
		fmt.Sprintf("%s and we share no TLS version at %s", j.host, j.at))
	f.Expected = "TLS 1.2 or 1.3"
	f.Observed = j.faultText()
	f.Hint = "enable TLS 1.2 and 1.3 on the server or load balancer; compare with: " + j.openssl()
	return f
}

func (j *judge) clientCertificate() finding.Finding {
	if t := j.seen.TLS; t != nil && t.ClientCertificateSent {
		f := j.finding(finding.TLSClientCertificate, finding.Critical,
			fmt.Sprintf("%s refuses the probe's client certificate at %s", j.host, j.at))
		f.Expected = "a client certificate that the server accepts"
		f.Observed = j.faultText()
		f.Hint = "see whether the target's client_certificate has ended, and whether its issuer is among those that the server names: " + j.openssl()
		return f
	}
	f := j.finding(finding.TLSClientCertificate, finding.Critical,
		fmt.Sprintf("%s wants a client certificate at %s and refuses us without", j.host, j.at))
	f.Expected = "a TLS handshake without a client certificate"
	f.Observed = j.faultText()
	f.Hint = "if clients have certificates here, give the probe one too (client_certificate); else switch the demand off (nginx: ssl_verify_client, haproxy: verify required, Traefik: clientAuthType)"
	return f
}

// refusesUs tells whether that server says so. Where a status is expected it is judged by
// that, unless it is the answer to the question for the proof.
func (j *judge) refusesUs() bool {
	t, h := j.seen.TLS, j.seen.HTTP
	return t != nil && t.ClientCertificate && h != nil && h.WantsCertificate && (j.seen.Unproven || len(j.target.Expect.Status) == 0)
}

// refusedWithout is the server that ends the handshake without a client certificate
// and refuses in HTTP: nginx does, with 400.
func (j *judge) refusedWithout(t TLS) (finding.Finding, bool) {
	if !j.refusesUs() {
		return finding.Finding{}, false
	}
	f := j.clientCertificate()
	f.Observed = "it asked for a client certificate, got none, and answers " + j.responseText(*j.seen.HTTP)
	if t.ClientCertificateSent {
		f.Observed = "it asked for a client certificate, got ours, and answers " + j.responseText(*j.seen.HTTP)
	}
	return f, true
}

// strength is what is weak about a certificate that may otherwise be right, and
// whether its authority has taken it back.
func (j *judge) strength(t TLS) []finding.Finding {
	var all []finding.Finding
	for _, i := range t.Trust.Path {
		if i >= 0 && i < len(t.Chain) && t.Chain[i].weakKey() {
			all = append(all, j.weakKey(t.Chain[i], i == 0))
			break // one subject, one finding: the leaf's is the one to begin with
		}
	}
	for _, from := range []struct {
		name string
		says *Statement
	}{{"the stapled OCSP response", t.Staple}, {"the authority's revocation list", t.List}} {
		if from.says != nil && from.says.Says == Revoked {
			all = append(all, j.revoked(t, from.name, *from.says))
			break
		}
	}
	if f, ok := j.badStaple(t); ok {
		all = append(all, f)
	}
	return all
}

// weakKey: browsers and OpenSSL at its usual level refuse RSA under 2048 bits
// (CA/Browser Forum, baseline requirements section 6.1.5), and elliptic curves under
// 256.
func (c Certificate) weakKey() bool {
	return c.Key == "RSA" && c.Bits < 2048 || c.Key == "ECDSA" && c.Bits < 256
}

func (j *judge) weakKey(c Certificate, leaf bool) finding.Finding {
	what := culprit(c.SubjectCN, leaf)
	f := j.finding(finding.TLSWeak, finding.Critical,
		fmt.Sprintf("%s of %s at %s has a weak key: %s with %d bits", what, j.host, j.at, finding.Printable(c.Key, 20), c.Bits))
	f.Expected = "an RSA key of at least 2048 bits, or ECDSA P-256"
	f.Observed = certificateText(c)
	f.Hint = "make a new key and order the certificate anew"
	return f
}

func (j *judge) weakSignature(t TLS) finding.Finding {
	f := j.finding(finding.TLSWeak, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s is not trusted: %s", j.host, j.at, finding.Printable(t.Trust.Why, 200)))
	f.Expected = "signatures with SHA-256 or better, up to the root"
	f.Observed = certificateText(t.Chain[0])
	f.Hint = "order the certificate anew, from an authority that signs with SHA-256, and install the chain that comes with it"
	return f
}

func (j *judge) revoked(t TLS, source string, s Statement) finding.Finding {
	reason := ""
	if s.Reason != "" {
		reason = " (" + finding.Printable(s.Reason, maxText) + ")"
	}
	f := j.finding(finding.TLSRevoked, finding.Critical,
		fmt.Sprintf("the certificate of %s at %s was revoked by its authority on %s%s", j.host, j.at, moment(s.Revoked), reason))
	f.Expected = "a certificate that its authority stands by"
	f.Observed = fmt.Sprintf("%s says revoked: serial %s, %s", source, finding.Printable(t.Chain[0].Serial, maxText), certificateText(t.Chain[0]))
	f.Hint = "order a new certificate; if the key may be known to others, with a new key"
	return f
}

// badStaple: Firefox refuses a certificate that demands a staple and comes without,
// and a staple that is not good. Others look away.
func (j *judge) badStaple(t TLS) (finding.Finding, bool) {
	leaf := t.Chain[0]
	var what string
	switch {
	case t.Staple != nil && t.Staple.Says == Unusable:
		what = "a stapled OCSP response that cannot be used: " + t.Staple.Why
	case t.Staple != nil && t.Staple.Says == Unknown:
		what = "a stapled OCSP response in which the authority does not know the certificate"
	case t.Staple == nil && leaf.MustStaple && t.Trust.Trusted:
		what = "no stapled OCSP response, which the certificate demands (must-staple)"
	default:
		return finding.Finding{}, false
	}
	f := j.finding(finding.TLSBadStaple, finding.Warning,
		fmt.Sprintf("%s at %s sends %s", j.host, j.at, finding.Printable(what, 200)))
	f.Expected = "a current OCSP response from the certificate's authority"
	if !leaf.MustStaple {
		f.Expected += ", or none"
	}
	f.Observed = finding.Printable(what, 200)
	f.Hint = "Firefox refuses this: mend the server's stapling (can it reach the authority?), or switch it off"
	if leaf.MustStaple {
		f.Hint = "Firefox refuses this: mend the server's stapling (can it reach the authority?), or order a certificate without must-staple"
	}
	return f, true
}

// comparable tells whether an observation shows what clients get at an address, and
// that it is good but perhaps for its dates.
func (o Observation) comparable() bool {
	return !o.Stranger && o.TLS != nil && len(o.TLS.Chain) > 0 && o.TLS.Trust.Trusted && o.TLS.Trust.NameMatches &&
		(o.Bypass == nil || !o.Bypass.TerminatesTLS)
}

// newer names another address whose certificate is of later date, and lasts longer.
func (j *judge) newer() (at string, ok bool) {
	if !j.seen.comparable() {
		return "", false
	}
	mine := j.seen.TLS.Chain[0]
	for _, o := range j.all {
		if !o.comparable() {
			continue
		}
		c := o.TLS.Chain[0]
		if c.NotBefore.After(mine.NotBefore) && c.NotAfter.After(mine.NotAfter) && j.now.Before(o.TLS.Trust.NotAfter) && !j.now.Before(o.TLS.Trust.NotBefore) {
			if name := newJudge(j.policy, j.now, j.target, j.expected, o).at; !ok || name < at {
				at, ok = name, true
			}
		}
	}
	return at, ok
}

// differ tells whether two addresses present different certificates.
func differ(os []Observation) bool {
	first := slices.IndexFunc(os, Observation.comparable)
	return first >= 0 && slices.ContainsFunc(os[first+1:], func(o Observation) bool {
		return o.comparable() && o.TLS.Chain[0].SHA256 != os[first].TLS.Chain[0].SHA256
	})
}

// differing compares what the addresses of the target present. While a renewal
// spreads they differ for a moment; a warning is that one of them still has an old
// certificate at a time when that should be replaced.
func (j *judge) differing(os []Observation) finding.Finding {
	shown := map[string][]string{}
	var all, old, places, lines []string
	for _, o := range os {
		if !o.comparable() {
			continue
		}
		one := newJudge(j.policy, j.now, j.target, j.expected, o)
		one.all = os
		leaf := o.TLS.Chain[0]
		shown[leaf.SHA256] = append(shown[leaf.SHA256], one.at)
		all = append(all, one.at)
		lines = append(lines, fmt.Sprintf("%s: serial %s, %s", one.at, finding.Printable(leaf.Serial, 40), certificateText(leaf)))
		if _, renewed := one.newer(); renewed && one.due(*o.TLS) {
			old = append(old, one.at)
		}
	}
	slices.Sort(all)
	places = slices.Compact(all)
	slices.Sort(lines)
	f := finding.Finding{
		Code: finding.TLSDiffers, Severity: finding.Info, Subject: finding.Subject{Host: j.target.Host}, SeenAt: places,
		Summary:  fmt.Sprintf("the addresses of %s present %d different certificates", j.host, len(shown)),
		Expected: "one certificate at all addresses",
		Observed: finding.List(lines, 4),
		Hint:     "nothing, if a renewal is on its way or two providers serve this name; else make all of them load the same certificate",
	}
	if len(old) > 0 {
		slices.Sort(old)
		verb := "serve"
		if len(old) == 1 {
			verb = "serves"
		}
		f.Severity = finding.Warning
		f.Summary = fmt.Sprintf("%d of %s of %s still %s the old certificate: %s",
			len(old), finding.Count(len(places), "address", "addresses"), j.host, verb, finding.List(old, 4))
		f.Expected = "the renewed certificate, which another address has"
		f.Hint = "reload or deploy the servers that still have the old one, before it ends"
	}
	return f
}

// due tells whether the certificate should have been replaced by now.
func (j *judge) due(t TLS) bool {
	lifetime := t.Chain[0].NotAfter.Sub(t.Chain[0].NotBefore)
	return float64(t.Trust.NotAfter.Sub(j.now)) < j.policy.ExpiringFraction*float64(lifetime)
}
