package probe

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// TestFromSocketToFinding goes all the way, with certificates as the real
// programs make them.
func TestFromSocketToFinding(t *testing.T) {
	w := newWorld(t)
	oldMid := newCA(t, w.root, "Old R2", dates(-400*day, -10*day))
	issuer := func(cn string) *keypair { return newCA(t, nil, cn) }
	for name, c := range map[string]struct {
		cert tls.Certificate
		want []string
	}{
		"good": {w.good, nil},
		"Traefik": {
			presented(newLeaf(t, nil, "TRAEFIK DEFAULT CERT", names("6ab0.9c21.traefik.default"))), []string{"tls/default-certificate"},
		},
		"ingress-nginx": {
			presented(newLeaf(t, nil, "", names("ingress.local"), subject(pkix.Name{
				CommonName: "Kubernetes Ingress Controller Fake Certificate", Organization: []string{"Acme Co"},
			}))), []string{"tls/default-certificate"},
		},
		"cert-manager's temporary certificate": {
			presented(newLeaf(t, issuer("cert-manager.local"), host)), []string{"tls/default-certificate"},
		},
		"self-signed":          {presented(newLeaf(t, nil, "localhost")), []string{"tls/self-signed"}},
		"intermediate missing": {presented(w.leaf), []string{"tls/untrusted"}},
		"unknown authority":    {presented(newLeaf(t, issuer("Elsewhere"), host)), []string{"tls/untrusted"}},
		"another name":         {presented(newLeaf(t, w.intermediate, "b.example"), w.intermediate), []string{"tls/name-mismatch"}},
		"expired leaf":         {presented(newLeaf(t, w.intermediate, host, dates(-90*day, -day)), w.intermediate), []string{"tls/expired"}},
		"expired intermediate": {presented(newLeaf(t, oldMid, host), oldMid), []string{"tls/expired"}},
		"not yet valid":        {presented(newLeaf(t, w.intermediate, host, dates(day, 90*day)), w.intermediate), []string{"tls/not-yet-valid"}},
		"six days, one left":   {presented(newLeaf(t, w.intermediate, host, dates(-5*day, day+time.Hour)), w.intermediate), []string{"tls/expiring"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := listen(t, tlsServer(c.cert, says(okResponse)))
			o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at})
			var got []string
			for _, f := range Judge(Policy{}, o.At, target(at), inventory.Expected{}, []Observation{o}) {
				got = append(got, string(f.Code))
				if problem := unsound(f); problem != "" {
					t.Errorf("%s: %s", f.Code, problem)
				}
			}
			if !slices.Equal(got, c.want) || o.HTTP == nil {
				t.Errorf("findings %v, want %v; observation %+v", got, c.want, o)
			}
		})
	}
}

// TestExpiredIntermediateIsNamed: an expired leaf and an expired intermediate
// are different repairs.
func TestExpiredIntermediateIsNamed(t *testing.T) {
	w := newWorld(t)
	oldMid := newCA(t, w.root, "Old R2", dates(-400*day, -10*day))
	leaf := newLeaf(t, oldMid, host, func(c *x509.Certificate) { c.Subject = pkix.Name{} }) // as newer profiles
	at := listen(t, tlsServer(presented(leaf, oldMid), says(okResponse)))
	o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at})
	fs := Judge(Policy{}, o.At, target(at), inventory.Expected{}, []Observation{o})
	if len(fs) != 1 || !strings.HasPrefix(fs[0].Summary, "the intermediate «Old R2» in the chain of api.shop.example") {
		t.Errorf("findings %+v", fs)
	}
}
