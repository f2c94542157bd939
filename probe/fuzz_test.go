package probe

import (
	"crypto/x509"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// unsound says what is wrong with a finding whatever it is about: each outlet
// relies on its text.
func unsound(f finding.Finding) string {
	if _, ok := finding.Lookup(f.Code); !ok {
		return "its code is not in the catalogue"
	}
	if f.Summary == "" || f.Expected == "" || f.Observed == "" || f.Hint == "" || len(f.SeenAt) == 0 {
		return "a part is empty"
	}
	if !f.ClearBy.IsZero() {
		return "it claims to know when it is over"
	}
	for _, text := range []string{f.Summary, f.Expected, f.Observed, f.Hint} {
		if len(text) > 4000 {
			return "a text is too long"
		}
		for _, r := range text {
			if !strconv.IsPrint(r) || r == utf8.RuneError && !utf8.ValidString(text) {
				return "a text is not printable: " + strconv.Quote(text)
			}
		}
	}
	return ""
}

// FuzzJudge feeds text as a hostile certificate, server or snapshot file could
// hold it.
func FuzzJudge(f *testing.F) {
	for flags := range uint16(512) {
		if flags%37 == 0 {
			f.Add("cn\x1b[2J", "\u202eevil", "a\r\nb", "signed\x00by", "nginx\x9b", flags, int64(1), int64(-1))
		}
	}
	f.Add("TRAEFIK DEFAULT CERT", "", "", "", "", uint16(0), int64(-1<<62), int64(1<<62))
	f.Add(strings.Repeat("\xff", 300), "i", "n", "w", "s", uint16(511), int64(1<<62), int64(-1<<62))
	f.Fuzz(func(t *testing.T, cn, issuer, name, why, server string, flags uint16, from, to int64) {
		bit := func(n int) bool { return flags>>n&1 == 1 }
		kinds := []Kind{"", Timeout, Refused, Reset, NoRoute, Closed, Alert, NotTLS, Malformed, Forbidden, Self, Kind(why)}
		o := seen(status(int(flags)), bodyMatched(bit(0)), misnamed(name, cn, issuer, why, server, name))
		c := &o.TLS.Chain[0]
		c.SubjectCN, c.IssuerCN, c.IssuerO, c.SelfSigned = cn, issuer, name, bit(1)
		c.NotBefore, c.NotAfter = time.Unix(from, 0), time.Unix(to, 0)
		o.TLS.Trust = Trust{
			Trusted: bit(2), NameMatches: bit(3), Why: why, Ends: cn,
			NotBefore: time.Unix(from, 0), NotAfter: time.Unix(to, 0).Add(-time.Duration(flags)),
		}
		o.TLS.Version, o.TLS.ClientCertificate = 0x0301+flags%5, bit(6)
		o.TLS.Trust.Path, o.TLS.Trust.Starts = []int{int(flags) - 7, 0}, cn
		o.TLS.Chain[0].Key, o.TLS.Chain[0].Bits, o.TLS.Chain[0].MustStaple = issuer, int(flags), bit(7)
		if bit(8) {
			o.TLS.Trust.Missing = &Missing{Subject: cn, URL: server, Found: bit(9)}
		}
		if bit(10) {
			o.TLS.Staple = &Statement{Says: Word(issuer), Why: why, Reason: name}
			o.TLS.List = &Statement{Says: Revoked, Why: why, Reason: name}
		}
		if bit(11) {
			o.HTTP.Date = time.Unix(to, 0)
		}
		o.HTTP.Server, o.HTTP.Location, o.HTTP.HeadersMissing = server, name, []string{cn, issuer}
		if bit(4) {
			o.Fault = Fault{PhaseTLS, kinds[int(flags)%len(kinds)], why}
		}
		if bit(5) {
			o.Address = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(flags)}), flags)
		}
		tg := inventory.Target{Host: name, Path: server, Expect: inventory.Expect{BodyRegex: why, Headers: map[string]string{cn: why}}}
		for _, finding := range Judge(Policy{}, noon(), tg, inventory.Expected{}, []Observation{o}) {
			if problem := unsound(finding); problem != "" {
				t.Errorf("%s: %s", finding.Code, problem)
			}
		}
	})
}

// FuzzCertificate takes whatever x509 accepts through the facts and the trust
// decision: no panic, bounded and valid text.
func FuzzCertificate(f *testing.F) {
	w := newWorld(f)
	f.Add(w.leaf.cert.Raw)
	f.Add(w.root.cert.Raw)
	f.Add(newLeaf(f, nil, "\x1b[1m").cert.Raw)
	now := time.Now()
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		facts := certificateFacts(c, true)
		trust := verify([]*x509.Certificate{c, w.intermediate.cert, c}, w.roots, now).trust
		if trust.NotAfter.IsZero() && !c.NotAfter.IsZero() || trust.Trusted != (trust.Why == "") {
			t.Errorf("trust %+v", trust)
		}
		for _, text := range append(facts.Names, facts.SubjectCN, facts.IssuerCN, facts.IssuerO, facts.Serial, trust.Ends) {
			if len(text) > 256 || !utf8.ValidString(text) {
				t.Errorf("text of %d bytes: %q", len(text), text)
			}
		}
		if problem := unprintable(trust.Why); problem != "" {
			t.Errorf("why: %s", problem)
		}
	})
}

func unprintable(text string) string {
	for _, r := range text {
		if !strconv.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return ""
}
