package probe

import (
	"crypto/x509"
	"reflect"
	"strconv"
	"testing"
	"time"
)

// TestChainsAreRememberedByAllThatWasPresented: and looked at anew when the dates of
// a certificate among them may change the path.
func TestChainsAreRememberedByAllThatWasPresented(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	// The same key and name twice, of which one ends in an hour; without it the path
	// ends with the other.
	brief := *w.intermediate.cert
	brief.NotBefore, brief.NotAfter = now.Add(-day), now.Add(30*time.Minute)
	der, err := x509.CreateCertificate(nil, &brief, w.root.cert, &w.intermediate.key.PublicKey, w.root.key)
	if err != nil {
		t.Fatal(err)
	}
	short, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c := newChains()
	chain := []*x509.Certificate{w.leaf.cert, short, w.intermediate.cert}
	first := c.verify(chain, w.roots, now)
	if !first.trust.Trusted || !first.until.Equal(short.NotAfter) {
		t.Errorf("good until %s, want %s: %+v", first.until, short.NotAfter, first.trust)
	}
	if again := c.verify(chain, x509.NewCertPool(), now.Add(time.Minute)); !reflect.DeepEqual(again, first) {
		t.Error("it was verified twice")
	}
	if later := c.verify(chain, x509.NewCertPool(), now.Add(31*time.Minute)); later.trust.Trusted {
		t.Error("it was not verified anew after a date had passed")
	}
	if v := c.verify(chain[:1], w.roots, now); v.trust.Trusted || len(c.trusted.kept) != 1 {
		t.Errorf("without its intermediate: %+v, %d remembered", v.trust, len(c.trusted.kept))
	}
	if v := c.verify(chain[:2], w.roots, now); !v.trust.NotAfter.Equal(short.NotAfter) {
		t.Errorf("with the brief intermediate alone it ends %s", v.trust.NotAfter)
	}
}

// TestWhatIsTooMuchIsForgottenInPart: who meets a few more chains than are remembered
// must not verify all of them anew each round.
func TestWhatIsTooMuchIsForgottenInPart(t *testing.T) {
	now := time.Now()
	r := &remembered[int, string]{most: 64}
	for i := range 70 {
		r.put(i, "x", now.Add(time.Hour))
	}
	if n := len(r.kept); n < 56 || n > 64 {
		t.Errorf("%d are kept", n)
	}
	l := &lists{}
	for i := range maxLists + 1 {
		l.put(strconv.Itoa(i), &list{})
	}
	if n := len(l.known); n != maxLists || l.get(strconv.Itoa(maxLists)) == nil {
		t.Errorf("%d lists are kept", n)
	}
	l.put("large", &list{revoked: make([]revoked, maxEntries-1)})
	l.put("one more", &list{revoked: make([]revoked, 2)})
	if l.entries > maxEntries || l.get("one more") == nil {
		t.Errorf("%d entries are kept", l.entries)
	}
}

func TestRememberedIsBounded(t *testing.T) {
	now := time.Now()
	r := &remembered[int, string]{most: 2}
	for i := range 5 {
		r.put(i, "x", now.Add(time.Hour))
		if _, good := r.get(i, now); !good || len(r.kept) > 2 {
			t.Fatalf("%d: %d are kept", i, len(r.kept))
		}
	}
	if _, good := r.get(4, now.Add(time.Hour)); good {
		t.Error("it is good for ever")
	}
}
