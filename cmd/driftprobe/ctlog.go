package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"driftprobe/config"
	"driftprobe/internal/ctlog"
	"driftprobe/internal/monitor"
)

// certificateLogs makes the sources of Certificate Transparency that the configuration
// names. A private log may have a certificate of a private authority.
func certificateLogs(c config.CT, roots *x509.CertPool) ([]monitor.CertificateLog, error) {
	var all []monitor.CertificateLog
	if c.CertSpotter.Configured {
		source, err := certSpotter(c.CertSpotter)
		if err != nil {
			return nil, err
		}
		all = append(all, source)
	}
	for _, log := range c.Logs {
		source, err := openLog(log, roots)
		if err != nil {
			return nil, err
		}
		all = append(all, source)
	}
	return all, nil
}

// openLog prepares one log. It asks nobody.
func openLog(log config.CTLog, roots *x509.CertPool) (*ctlog.Log, error) {
	key, err := config.ReadFile(log.PublicKeyFile, config.MaxSecret)
	if err != nil {
		return nil, faultf("name a readable file with the log's public key in PEM form", "%v", err)
	}
	settings := ctlog.LogSettings{URL: log.URL, Key: key}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok && roots != nil {
		own := standard.Clone()
		own.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		settings.Transport = own
	}
	source, err := ctlog.NewLog(settings)
	if err != nil {
		return nil, faultf("see docs/ct.md for what a log needs", "%s: %v", log.PublicKeyFile, err)
	}
	return source, nil
}

func certSpotter(c config.CertSpotter) (*ctlog.CertSpotter, error) {
	settings := ctlog.CertSpotterSettings{URL: c.APIURL}
	if c.KeyFile != "" {
		settings.Key = func() (string, error) {
			key, err := config.ReadSecretFile(c.KeyFile, "certificates.ct.certspotter.key_file")
			return key.Reveal(), err
		}
	}
	source, err := ctlog.NewCertSpotter(settings)
	if err != nil {
		return nil, faultf("check certificates.ct.certspotter.api_url", "certificates.ct.certspotter: %v", err)
	}
	return source, nil
}
