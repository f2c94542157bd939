// Package handshakes is a table of what servers present in a TLS handshake, right and
// wrong, each row with what must be said of it. Certificates are made anew for each
// run; the lab serves the rows over real sockets, and most can be served by any real
// server. Like the lab it speaks wire protocols only: codes and severities are words.
package handshakes

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"driftprobe/internal/lab"
)

// Host is the name that is looked at in all rows.
const Host = "www.shop.example"

// Situation is one row.
type Situation struct {
	// Name is one sentence, and unique.
	Name string
	// Refs say where the situation is described.
	Refs string
	// Fetch: the operator allows that missing intermediates are fetched.
	Fetch bool
	// Offers are what the servers at the host's addresses present, one each. The
	// world must not be in use meanwhile.
	Offers func(*World) []lab.TLSOffer
	// Want are all findings about Host: each one that is made must be wanted here, and
	// each one wanted must be made.
	Want []lab.Want
}

// All are the rows.
func All() []Situation {
	return slices.Concat(
		sound(), dates(), clocks(), ends(), names(), authorities(), missing(), unfound(), placeholders(), weaknesses(),
		refusals(), otherwise(), staples(), lists(), pairs(), unusual(), almost(), unfit(), mishaps(),
	)
}

// World is the authorities of the rows, and where they publish.
type World struct {
	// Root is the one that is trusted; R3 and New are under it, Old has ended, and
	// Future has not begun. Private is trusted by nobody, and Corp is under it.
	Root, R3, New, Old, Future, Private, Corp *lab.CA

	publisher *http.Server
	base      string
	served    chan struct{}
	mu        sync.Mutex
	files     map[string][]byte
	asked     []string
	err       error
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// NewWorld makes the authorities and starts the server that publishes for them.
func NewWorld() (*World, error) {
	w := &World{files: map[string][]byte{}, served: make(chan struct{})}
	w.Root, w.Private = w.root("Test Root X1"), w.root("Private Corp Root")
	w.R3 = w.under(w.Root, "Test R3", -year, year)
	w.New = w.under(w.Root, "Test R4", -30*day, 2*year)
	w.Old = w.under(w.Root, "Old R2", -2*year, -10*day)
	w.Future = w.under(w.Root, "Next R5", 2*day, year)
	w.Corp = w.under(w.Private, "Corp Issuing CA", -year, year)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err = errors.Join(w.err, err); err != nil {
		return nil, err
	}
	w.base = "http://" + listener.Addr().String() + "/"
	w.publisher = &http.Server{Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(w.served)
		_ = w.publisher.Serve(listener) // ends with Close
	}()
	return w, nil
}

// Close ends the publishing.
func (w *World) Close() error {
	err := w.publisher.Close()
	<-w.served
	return err
}

// Err is what went wrong while certificates were made.
func (w *World) Err() error { return w.err }

// Asked are the paths that were fetched so far.
func (w *World) Asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// At is where a row's addresses are; tests may add a port.
func At(n lab.Net, i int) netip.Addr { return n.Addr(byte(10 + i)) }

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.URL.Path)
	body, ok := w.files[r.URL.Path]
	w.mu.Unlock()
	switch {
	case r.URL.Path == "/moved":
		http.Redirect(rw, r, "/Test R3", http.StatusFound)
	case !ok:
		http.NotFound(rw, r)
	default:
		_, _ = rw.Write(body) // the client may be gone: its affair
	}
}

// publish makes a file available, and returns its URL.
func (w *World) publish(name string, body []byte) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files["/"+name] = body
	return w.base + name
}

// failed keeps the first error.
func (w *World) failed(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *World) root(name string) *lab.CA {
	ca, err := lab.NewCA(name)
	w.failed(err)
	return ca
}

func (w *World) under(by *lab.CA, name string, from, to time.Duration, edits ...edit) *lab.CA {
	spec := lab.CertSpec{CommonName: name, NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}
	for _, e := range edits {
		e(&spec)
	}
	ca, err := by.Intermediate(spec)
	if err != nil {
		w.failed(err)
		return w.Root
	}
	return ca
}

// edit changes the order of a certificate.
type edit func(*lab.CertSpec)

// leaf is a certificate for Host by the authority, with its chain.
func (w *World) leaf(by *lab.CA, edits ...edit) tls.Certificate {
	spec := lab.CertSpec{Names: []string{Host}, CommonName: Host, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(89 * day)}
	for _, e := range edits {
		e(&spec)
	}
	c, err := by.Issue(spec)
	w.failed(err)
	return c
}

func (w *World) selfSigned(edits ...edit) tls.Certificate {
	spec := lab.CertSpec{Names: []string{Host}, CommonName: Host}
	for _, e := range edits {
		e(&spec)
	}
	c, err := lab.SelfSigned(spec)
	w.failed(err)
	return c
}

// stapled adds an OCSP response.
func (w *World) stapled(c tls.Certificate, by *lab.CA, template ocsp.Response) tls.Certificate {
	if c.Leaf == nil {
		return c // its making failed
	}
	if template.ThisUpdate.IsZero() {
		template.ThisUpdate, template.NextUpdate = time.Now().Add(-day), time.Now().Add(6*day)
	}
	der, err := by.OCSP(c.Leaf, template)
	w.failed(err)
	c.OCSPStaple = der
	return c
}

// listed publishes a revocation list by an authority on which the certificate stands,
// if it has a reason.
func (w *World) listed(name string, by *lab.CA, c tls.Certificate, reason int) {
	revoked := map[*big.Int]int{big.NewInt(77): 1}
	if c.Leaf != nil && reason > 0 {
		revoked[c.Leaf.SerialNumber] = reason
	}
	der, err := by.RevocationList(time.Now().Add(-day), revoked)
	w.failed(err)
	w.publish(name, der)
}

func named(names ...string) edit { return func(s *lab.CertSpec) { s.Names = names } }

func called(cn string) edit { return func(s *lab.CertSpec) { s.CommonName = cn } }

func from(organization string) edit { return func(s *lab.CertSpec) { s.Organization = organization } }

func lasting(from, to time.Duration) edit {
	return func(s *lab.CertSpec) { s.NotBefore, s.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

func rsa(bits int) edit { return func(s *lab.CertSpec) { s.RSABits = bits } }

func alone(s *lab.CertSpec) { s.OmitIntermediates = true }

func alter(change func(*x509.Certificate)) edit { return func(s *lab.CertSpec) { s.Alter = change } }

// published names where the issuer's certificate is to be had.
func published(url string) edit {
	return alter(func(c *x509.Certificate) { c.IssuingCertificateURL = []string{url} })
}

func listedAt(url string) edit {
	return alter(func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} })
}

// beside sends further certificates along.
func beside(c tls.Certificate, more ...*lab.CA) tls.Certificate {
	c.Certificate = slices.Clone(c.Certificate)
	for _, ca := range more {
		c.Certificate = append(c.Certificate, ca.Cert.Raw)
	}
	return c
}

// present is one server with the certificate.
func present(make func(w *World) tls.Certificate) func(*World) []lab.TLSOffer {
	return func(w *World) []lab.TLSOffer { return []lab.TLSOffer{{Certificate: make(w)}} }
}

// behave is one server with a good certificate and other manners.
func behave(change func(*lab.TLSOffer)) func(*World) []lab.TLSOffer {
	return func(w *World) []lab.TLSOffer {
		o := lab.TLSOffer{Certificate: w.leaf(w.R3)}
		change(&o)
		return []lab.TLSOffer{o}
	}
}

func critical(code string, texts ...string) lab.Want {
	return lab.Want{Code: code, Severity: "critical", Texts: texts}
}

func warning(code string, texts ...string) lab.Want {
	return lab.Want{Code: code, Severity: "warning", Texts: texts}
}

func info(code string, texts ...string) lab.Want {
	return lab.Want{Code: code, Severity: "info", Texts: texts}
}

func wants(all ...lab.Want) []lab.Want { return all }
