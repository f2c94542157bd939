package probe

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

func TestTrust(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	stranger := newCA(t, nil, "Elsewhere Root")
	strangerMid := newCA(t, stranger, "Elsewhere R1")
	impostor := newCA(t, nil, "Test R3")
	oldMid := newCA(t, w.root, "Old R2", dates(-400*day, -10*day))
	oldRoot := newCA(t, nil, "Retired Root", dates(-4000*day, -100*day))
	futureLeaf := newLeaf(t, w.intermediate, host, dates(30*day, 90*day))
	expiredLeaf := newLeaf(t, w.intermediate, host, dates(-90*day, -2*day))
	clientOnly := newLeaf(t, w.intermediate, host, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	// Two intermediates with one key and name, of which one has ended: the cross
	// signature of an old root that is still sent along.
	twin := func(from, to time.Duration, by *keypair) *keypair {
		c := *w.intermediate.cert
		c.NotBefore, c.NotAfter = now.Add(from), now.Add(to)
		der, err := x509.CreateCertificate(nil, &c, by.cert, &w.intermediate.key.PublicKey, by.key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return &keypair{cert, w.intermediate.key}
	}
	endedTwin := twin(-400*day, -5*day, w.root)
	selfSignedLeaf := newLeaf(t, nil, host)

	for name, c := range map[string]struct {
		chain   []*keypair
		roots   *x509.CertPool
		trusted bool
		why     string
		ends    *keypair
		starts  *keypair
		names   bool
	}{
		"a whole chain":                      {[]*keypair{w.leaf, w.intermediate}, nil, true, "", w.leaf, w.leaf, true},
		"the root sent along does not count": {[]*keypair{w.leaf, w.intermediate, w.root}, nil, true, "", w.leaf, w.leaf, true},
		"an expired leaf is trusted and has ended": {
			[]*keypair{expiredLeaf, w.intermediate}, nil, true, "", expiredLeaf, expiredLeaf, true,
		},
		"a leaf of the future is trusted and has not begun": {
			[]*keypair{futureLeaf, w.intermediate}, nil, true, "", futureLeaf, futureLeaf, true,
		},
		"an expired intermediate ends the path, even if it ended before the leaf began": {
			[]*keypair{newLeaf(t, oldMid, host), oldMid}, nil, true, "", oldMid, nil, true,
		},
		"the path that is valid now wins over the expired one": {
			[]*keypair{w.leaf, endedTwin, w.intermediate}, nil, true, "", w.leaf, w.leaf, true,
		},
		"an expired stranger in the chain does not count": {
			[]*keypair{w.leaf, w.intermediate, oldRoot}, nil, true, "", w.leaf, w.leaf, true,
		},
		"the root's own end does not count": {
			[]*keypair{newLeaf(t, oldRoot, host, dates(-200*day, 50*day))}, pool(oldRoot), true, "", nil, nil, true,
		},
		"a self-signed leaf that is trusted": {
			[]*keypair{selfSignedLeaf}, pool(selfSignedLeaf), true, "", selfSignedLeaf, selfSignedLeaf, true,
		},
		"a self-signed leaf": {[]*keypair{selfSignedLeaf}, nil, false, "signed by itself", selfSignedLeaf, selfSignedLeaf, true},
		"the intermediate is missing": {
			[]*keypair{w.leaf}, nil, false, "issuer «Test R3» is not trusted and no intermediate was sent", w.leaf, w.leaf, true,
		},
		"the wrong intermediate is sent": {
			[]*keypair{w.leaf, oldMid}, nil, false, "issuer «Test R3» is not trusted and its certificate is not among those sent", w.leaf, w.leaf, true,
		},
		"an intermediate of the same name with another key": {
			[]*keypair{w.leaf, impostor}, nil, false, "the certificate sent for the issuer «Test R3» is not the one that signed", w.leaf, w.leaf, true,
		},
		"an unknown authority, whole chain sent": {
			[]*keypair{newLeaf(t, strangerMid, host), strangerMid, stranger}, nil, false, "signed by an unknown authority «Elsewhere Root»", nil, nil, true,
		},
		"an unknown authority, root not sent": {
			[]*keypair{newLeaf(t, strangerMid, host), strangerMid}, nil, false, "signed by an unknown authority «Elsewhere Root»", nil, nil, true,
		},
		"not for servers": {
			[]*keypair{clientOnly, w.intermediate}, nil, false, "it is not meant for servers (extended key usage)", clientOnly, clientOnly, true,
		},
		"a leaf that signs": {
			[]*keypair{newLeaf(t, w.leaf, host), w.leaf, w.intermediate}, nil, false, "«api.shop.example» on its path is not allowed to sign others", nil, nil, true,
		},
		"an issuer's name that writes to the terminal": {
			[]*keypair{newLeaf(t, newCA(t, nil, "\x1b[31mred"), host)}, nil, false, `issuer «\x1b[31mred» is not trusted and no intermediate was sent`, nil, nil, true,
		},
		"another name":              {[]*keypair{newLeaf(t, w.intermediate, "www.shop.example"), w.intermediate}, nil, true, "", nil, nil, false},
		"a wildcard one level up":   {[]*keypair{newLeaf(t, w.intermediate, "*.shop.example"), w.intermediate}, nil, true, "", nil, nil, true},
		"a wildcard two levels up":  {[]*keypair{newLeaf(t, w.intermediate, "*.example"), w.intermediate}, nil, true, "", nil, nil, false},
		"the name only as CN":       {[]*keypair{newLeaf(t, w.intermediate, host, names()), w.intermediate}, nil, true, "", nil, nil, false},
		"an authority without a CN": {[]*keypair{newLeaf(t, newCA(t, nil, "", subject(pkix.Name{Organization: []string{"Acme"}})), host)}, nil, false, "issuer «Acme»", nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			roots := c.roots
			if roots == nil {
				roots = w.roots
			}
			var chain []*x509.Certificate
			for _, k := range c.chain {
				chain = append(chain, k.cert)
			}
			v := verify(chain, roots, now)
			got := v.trust
			got.NameMatches = chain[0].VerifyHostname(host) == nil
			if got.Trusted != c.trusted || !strings.HasPrefix(got.Why, c.why) || c.why == "" && got.Why != "" || got.NameMatches != c.names {
				t.Errorf("got %+v", got)
			}
			if c.ends != nil && (!got.NotAfter.Equal(c.ends.cert.NotAfter) || got.Ends != title(c.ends.cert.Subject)) {
				t.Errorf("ends %q %s, want %s", got.Ends, got.NotAfter, c.ends.cert.NotAfter)
			}
			if c.starts != nil && !got.NotBefore.Equal(c.starts.cert.NotBefore) {
				t.Errorf("starts %s, want %s", got.NotBefore, c.starts.cert.NotBefore)
			}
		})
	}
}

// TestFactsSurviveFailure: chain, version and dates are there although nothing
// verifies, and they are bounded.
func TestFactsSurviveFailure(t *testing.T) {
	w := newWorld(t)
	var many []string
	for range 150 {
		many = append(many, strings.Repeat("a", 60)+".example")
	}
	leaf := newLeaf(t, nil, strings.Repeat("é", 60), names(many...), func(c *x509.Certificate) {
		c.Issuer = c.Subject
		c.IPAddresses = []net.IP{{192, 0, 2, 1}}
	})
	beside := make([]*keypair, 0, 14)
	for range 14 {
		beside = append(beside, w.intermediate)
	}
	at := listen(t, tlsServer(presented(leaf, beside...), says(okResponse)))
	o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at})
	if o.TLS == nil || o.HTTP == nil || o.Fault != (Fault{}) {
		t.Fatalf("observation %+v", o)
	}
	first := o.TLS.Chain[0]
	if len(o.TLS.Chain) != MaxChain || len(first.Names) != maxNames || len(first.SHA256) != 64 || !first.SelfSigned {
		t.Errorf("%d certificates, %d names, fingerprint %s", len(o.TLS.Chain), len(first.Names), first.SHA256)
	}
	if o.TLS.Version != tls.VersionTLS13 || o.TLS.Trust.Trusted || o.TLS.Trust.NameMatches || o.TLS.Trust.NotAfter.IsZero() {
		t.Errorf("facts %+v", o.TLS.Trust)
	}
	if o.TLS.Chain[1].SelfSigned || o.TLS.Chain[1].IssuerCN != "Test Root" {
		t.Errorf("second certificate %+v", o.TLS.Chain[1])
	}
}

// TestOldServersAreSeen: TLS 1.0 and RSA key exchange still give facts.
func TestOldServersAreSeen(t *testing.T) {
	w := newWorld(t)
	at := listen(t, func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
		if s.Handshake() == nil {
			says(okResponse)(s)
		}
	})
	o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at})
	if o.TLS == nil || o.TLS.Version != tls.VersionTLS10 || o.HTTP == nil {
		t.Errorf("observation %+v", o)
	}
}
