package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// CA signs certificates: a root, or an intermediate under one.
type CA struct {
	// Cert is the CA's own certificate.
	Cert *x509.Certificate

	key   crypto.Signer
	root  *x509.Certificate
	chain [][]byte // sent after the leaf: this CA and those above it, without the root
}

// CertSpec orders a certificate. Zero fields give an ECDSA P-256 certificate,
// valid since an hour for 90 days, as a public CA would backdate it.
type CertSpec struct {
	Names             []string // subject alternative names: DNS names or IP addresses
	CommonName        string
	Organization      string
	NotBefore         time.Time
	NotAfter          time.Time
	RSABits           int  // a key of RSA instead, for instance 1024
	OmitIntermediates bool // send the leaf alone
	// Logged is when a log of Certificate Transparency had it; zero: none. NotBefore
	// is an hour earlier then, if it is not given.
	Logged time.Time
	// Alter has the last word on the template.
	Alter func(*x509.Certificate)
}

// NewCA makes a root, valid for ten years.
func NewCA(name string) (*CA, error) {
	spec := CertSpec{CommonName: name, NotAfter: time.Now().AddDate(10, 0, 0)}
	cert, key, err := spec.sign(nil, nil, asCA)
	if err != nil {
		return nil, fmt.Errorf("make CA %q: %w", name, err)
	}
	return &CA{Cert: cert, key: key, root: cert}, nil
}

// Intermediate makes a CA under this one. Its dates come from spec, so that it
// may be expired while its leaves are not.
func (ca *CA) Intermediate(spec CertSpec) (*CA, error) {
	cert, key, err := spec.sign(ca.Cert, ca.key, asCA)
	if err != nil {
		return nil, fmt.Errorf("make intermediate %q: %w", spec.CommonName, err)
	}
	return &CA{Cert: cert, key: key, root: ca.root, chain: append([][]byte{cert.Raw}, ca.chain...)}, nil
}

// Issue signs a server certificate and gives it with the chain to send.
func (ca *CA) Issue(spec CertSpec) (tls.Certificate, error) {
	cert, key, err := spec.sign(ca.Cert, ca.key, asServer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issue certificate for %v: %w", spec.Names, err)
	}
	out := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	if !spec.OmitIntermediates {
		out.Certificate = append(out.Certificate, ca.chain...)
	}
	return out, nil
}

// PEM is the root certificate above this CA, what a client is to trust.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw})
}

// Pool holds the root alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.root)
	return pool
}

// SelfSigned makes a server certificate that is its own issuer.
func SelfSigned(spec CertSpec) (tls.Certificate, error) {
	cert, key, err := spec.sign(nil, nil, asServer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("self-sign certificate for %v: %w", spec.Names, err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// TraefikDefault imitates the certificate Traefik makes at each start and serves
// when it has no other: self-signed, CN "TRAEFIK DEFAULT CERT", a random name
// under traefik.default. (Traefik's has an RSA key; a P-256 key is faster here.)
func TraefikDefault() (tls.Certificate, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	name := hex.EncodeToString(random[:16]) + "." + hex.EncodeToString(random[16:]) + ".traefik.default"
	return SelfSigned(CertSpec{
		Names: []string{name}, CommonName: "TRAEFIK DEFAULT CERT",
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0),
	})
}

func asCA(t *x509.Certificate) {
	t.IsCA = true
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func asServer(t *x509.Certificate) {
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// sign makes a key and a certificate over it; without a parent it signs itself.
func (spec CertSpec) sign(parent *x509.Certificate, parentKey crypto.Signer, as func(*x509.Certificate)) (*x509.Certificate, crypto.Signer, error) {
	key, err := spec.newKey()
	if err != nil {
		return nil, nil, err
	}
	template, err := spec.template()
	if err != nil {
		return nil, nil, err
	}
	as(template)
	if spec.Alter != nil {
		spec.Alter(template)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func (spec CertSpec) newKey() (crypto.Signer, error) {
	if spec.RSABits != 0 {
		return rsa.GenerateKey(rand.Reader, spec.RSABits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (spec CertSpec) template() (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: spec.CommonName},
		NotBefore:    spec.NotBefore,
		NotAfter:     spec.NotAfter,
	}
	if spec.Organization != "" {
		t.Subject.Organization = []string{spec.Organization}
	}
	issued := time.Now()
	if !spec.Logged.IsZero() {
		issued = spec.Logged
		t.ExtraExtensions = []pkix.Extension{signedTimestamp(spec.Logged)}
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = issued.Add(-time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = issued.Add(90*24*time.Hour - time.Hour)
	}
	for _, name := range spec.Names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t, nil
}

// signedTimestamp is the extension with one signed certificate timestamp (RFC 6962 section
// 3.3), whose signature is empty: clients of ours do not know the log.
func signedTimestamp(at time.Time) pkix.Extension {
	sct := make([]byte, 1+32, 47) // version 1 and the log's id
	sct = binary.BigEndian.AppendUint64(sct, uint64(at.UnixMilli()))
	sct = append(sct, 0, 0, 4, 3, 0, 0) // no extensions, SHA-256 with ECDSA, no signature
	list := binary.BigEndian.AppendUint16(nil, uint16(2+len(sct)))
	list = append(binary.BigEndian.AppendUint16(list, uint16(len(sct))), sct...)
	value, _ := asn1.Marshal(list) // never fails for bytes
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value}
}
