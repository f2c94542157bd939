package main

import (
	"crypto/tls"
	"sync"
	"time"

	"driftprobe/config"
)

// certified reads a target's client certificate from its files; nil if it has none.
func certified(t config.Target) (*tls.Certificate, error) {
	files, place := t.ClientCertificate, "targets["+t.URL+"]."
	if files.CertFile == "" {
		return nil, nil
	}
	cert, err := config.ReadSecretFile(files.CertFile, place+"client_certificate.cert_file")
	if err != nil {
		return nil, err
	}
	key, err := config.ReadSecretFile(files.KeyFile, place+"client_certificate.key_file")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
	if err != nil {
		return nil, faultf("give a PEM certificate and the unencrypted PEM key that belongs to it",
			"%sclient_certificate: %s and %s are no pair", place, files.CertFile, files.KeyFile)
	}
	return &pair, nil
}

// rewriting is for how long two files that are no pair are taken for being replaced:
// who renews a certificate writes one after the other, and a look can fall in between.
const rewriting = time.Minute

// clientPairs are those that were read last, by the key of their target.
type clientPairs struct {
	mu   sync.Mutex
	last map[string]clientPair
}

type clientPair struct {
	certificate *tls.Certificate
	// broken is since when the files are no pair; zero if they are one.
	broken time.Time
}

// settled returns what was read now, or, while the files are being replaced, what was
// read last.
func (c *clientPairs) settled(key string, read *tls.Certificate, err error, now time.Time) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		if read != nil {
			c.last[key] = clientPair{certificate: read}
		}
		return read, nil
	}
	old, had := c.last[key]
	if old.broken.IsZero() {
		old.broken = now
	}
	if !had || now.Sub(old.broken) >= rewriting {
		return nil, err
	}
	c.last[key] = old
	return old.certificate, nil
}
