package probe

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// signedList is a revocation list by the authority.
func signedList(t *testing.T, by *keypair, entries ...x509.RevocationListEntry) []byte {
	return listOf(t, by, time.Now().Add(-day), entries...)
}

func listOf(t *testing.T, by *keypair, made time.Time, entries ...x509.RevocationListEntry) []byte {
	t.Helper()
	template := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: made, NextUpdate: time.Now().Add(day), RevokedCertificateEntries: entries,
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestListsAreRemembered: a list is fetched once in a while; what it said stays true
// when it cannot be had any more.
func TestListsAreRemembered(t *testing.T) {
	root := newCA(t, nil, "Test Root", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign })
	var body atomic.Pointer[[]byte]
	s, count := publisher(t, func(w http.ResponseWriter, r *http.Request) {
		if b := body.Load(); b != nil {
			_, _ = w.Write(*b)
			return
		}
		http.NotFound(w, r)
	})
	leaf := newLeaf(t, root, host, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{s.URL} })
	p := New(Settings{Roots: pool(root), Allow: loopback()})
	now := time.Now()
	says := func(after time.Duration) Word {
		l := look{Prober: p, seen: &Observation{At: now.Add(after)}, chain: []*x509.Certificate{leaf.cert}}
		l.verified = verify(l.chain, pool(root), now)
		if st := l.listed(t.Context()); st != nil {
			return st.Says
		}
		return ""
	}
	serve := func(der []byte) { body.Store(&der) }
	gone := x509.RevocationListEntry{SerialNumber: leaf.cert.SerialNumber, RevocationTime: now.Add(-time.Hour), ReasonCode: 1}
	released := gone
	released.ReasonCode = 8
	for _, step := range []struct {
		name    string
		serve   []byte // nil: nothing there
		after   time.Duration
		want    Word
		fetched int64
	}{
		{"nothing there: not known", nil, 0, "", 1},
		{"not asked again at once", signedList(t, root, gone), time.Minute, "", 1},
		{"asked again later: released from hold", signedList(t, root, released), retryAfter, Good, 2},
		{"remembered", signedList(t, root, gone), retryAfter + time.Hour, Good, 2},
		{"asked again after hours: revoked", signedList(t, root, gone), retryAfter + listFor, Revoked, 3},
		{"gone: what was said stays", nil, retryAfter + 2*listFor, Revoked, 4},
		{"rubbish: what was said stays", []byte("<html>"), 2*retryAfter + 2*listFor, Revoked, 5},
		{"signed by another: what was said stays", signedList(t, newCA(t, nil, "Test Root", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign })), 3*retryAfter + 2*listFor, Revoked, 6},
		{"an older one, without it: nothing is taken back", listOf(t, root, now.Add(-2*day)), 4*retryAfter + 2*listFor, Revoked, 7},
	} {
		body.Store(nil)
		if step.serve != nil {
			serve(step.serve)
		}
		if got := says(step.after); got != step.want || count.Load() != step.fetched {
			t.Errorf("%s: %q after %d fetches, want %q after %d", step.name, got, count.Load(), step.want, step.fetched)
		}
	}
	p.lists.fetching.Lock() // another look fetches
	if got := says(100 * listFor); got != Revoked || count.Load() != 7 {
		t.Errorf("while another fetches: %q after %d fetches", got, count.Load())
	}
	p.lists.fetching.Unlock()
	p.settings.SkipLists = true
	if got := says(200 * listFor); got != "" || count.Load() != 7 {
		t.Errorf("forbidden: %q after %d fetches", got, count.Load())
	}
}

func TestListsAreBounded(t *testing.T) {
	var l lists
	large := &list{revoked: make([]revoked, maxEntries/2+1)}
	l.put("a", large)
	l.put("b", large)
	if l.get("a") != nil || l.get("b") == nil || l.entries != len(large.revoked) {
		t.Errorf("%d lists of %d entries", len(l.known), l.entries)
	}
	l.put("b", &list{})
	if l.entries != 0 || len(l.known) != 1 {
		t.Errorf("%d lists of %d entries", len(l.known), l.entries)
	}
	for i := range 2 * maxLists {
		l.put(string(rune(i)), &list{})
		if len(l.known) > maxLists {
			t.Fatalf("%d lists", len(l.known))
		}
	}
}

// TestAListMaySpeakForOthers: the serials of another authority are not this one's
// (an indirect list, RFC 5280 section 5.3.3).
func TestAListMaySpeakForOthers(t *testing.T) {
	entry := func(serial int64, extensions ...pkix.Extension) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: time.Now(), Extensions: extensions}
	}
	certificateIssuer := pkix.Extension{Id: []int{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}
	l := kept(&x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{entry(1), entry(2, certificateIssuer), entry(3)}})
	for serial, want := range map[int64]Word{1: Revoked, 2: Good, 3: Good} {
		if got := l.about(big.NewInt(serial)).Says; got != want {
			t.Errorf("%d: %s", serial, got)
		}
	}
}

// TestAListSpeaksForItsSigner, and not for another authority that names the same URL.
func TestAListSpeaksForItsSigner(t *testing.T) {
	w := newWorld(t)
	another := newCA(t, w.root, "Test R4")
	const from = "http://192.0.2.1/one.crl"
	leaf := newLeaf(t, w.intermediate, host, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{from} })
	p := prober(w.roots)
	now := time.Now()
	p.lists.put(from, &list{
		signer: sha256.Sum256(w.intermediate.cert.RawSubjectPublicKeyInfo), had: true, again: now.Add(time.Hour), revoked: []revoked{{serial: hash(leaf.cert.SerialNumber)}},
	})
	for issuer, want := range map[*keypair]bool{w.intermediate: true, another: false} {
		l := look{Prober: p, seen: &Observation{At: now}, chain: []*x509.Certificate{leaf.cert}, verified: verified{trust: Trust{Trusted: true}, issuer: issuer.cert}}
		if says := l.listed(t.Context()); (says != nil && says.Says == Revoked) != want {
			t.Errorf("of «%s»: %+v", issuer.cert.Subject.CommonName, says)
		}
	}
}
