package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// RevocationList signs a list (RFC 5280 section 5) of the revoked serials with the
// reasons given, valid for a week from since.
func (ca *CA) RevocationList(since time.Time, revoked map[*big.Int]int) ([]byte, error) {
	template := &x509.RevocationList{Number: big.NewInt(since.Unix()), ThisUpdate: since, NextUpdate: since.Add(7 * 24 * time.Hour)}
	for serial, reason := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: serial, RevocationTime: since, ReasonCode: reason,
		})
	}
	return x509.CreateRevocationList(rand.Reader, template, ca.Cert, ca.key)
}

// OCSP signs a response about a certificate that this CA issued (RFC 6960). The
// template's status, dates and reason count; its serial is filled in.
func (ca *CA) OCSP(about *x509.Certificate, template ocsp.Response) ([]byte, error) {
	template.SerialNumber = about.SerialNumber
	return ocsp.CreateResponse(ca.Cert, ca.Cert, template, ca.key)
}

// DelegatedOCSP is OCSP signed by a certificate that the CA issued for that, with its
// key. The template's Certificate is filled in.
func (ca *CA) DelegatedOCSP(about, by *x509.Certificate, key crypto.Signer, template ocsp.Response) ([]byte, error) {
	template.SerialNumber, template.Certificate = about.SerialNumber, by
	return ocsp.CreateResponse(ca.Cert, by, template, key)
}

// CrossSigned is this CA's name and key once more, certified by another, or by the
// same with other dates.
func (ca *CA) CrossSigned(by *CA, spec CertSpec) (*CA, error) {
	template, err := spec.template()
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: ca.Cert.Subject.CommonName, Organization: ca.Cert.Subject.Organization}
	asCA(template)
	der, err := x509.CreateCertificate(rand.Reader, template, by.Cert, ca.key.Public(), by.key)
	if err != nil {
		return nil, fmt.Errorf("sign %q again: %w", ca.Cert.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{Cert: cert, key: ca.key, root: by.root, chain: append([][]byte{cert.Raw}, by.chain...)}, nil
}
