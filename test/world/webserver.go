package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// Site is what one TLS server presents.
type Site struct {
	At   netip.AddrPort
	Cert Certificate
	// Staple is an OCSP response to send along; nil if there is none.
	Staple []byte
	// MaxVersion is the newest TLS version spoken; 0 the newest there is.
	MaxVersion uint16
	// Asks for a client certificate, or Demands one.
	Asks, Demands bool
	// Refuses is a name for which the handshake is refused.
	Refuses string
	// Plain: HTTP without TLS. Introduced: a PROXY protocol header comes first.
	Plain, Introduced bool
}

// WebServer is one kind of server that ends TLS.
type WebServer struct {
	Name string
	// configure writes the configuration and returns the command that serves it.
	configure func(t testing.TB, dir string, sites []Site) []string
	// Can tells whether it can present a site.
	Can func(Site) bool
}

// WebServers are all the kinds.
func WebServers() []WebServer {
	return []WebServer{
		{"nginx", nginx, func(Site) bool { return true }},
		{"haproxy", haproxy, func(s Site) bool { return s.Staple == nil && s.Refuses == "" }},
		{"caddy", caddy, func(s Site) bool {
			return s.Staple == nil && s.Refuses == "" && !s.Introduced && (s.MaxVersion == 0 || s.MaxVersion == tls.VersionTLS12)
		}},
	}
}

// Serve presents all sites until the test ends, each on a free port, which it fills in.
func (w WebServer) Serve(t testing.TB, sites []Site) {
	t.Helper()
	var held []net.Listener
	for i := range sites {
		l, err := net.Listen("tcp", netip.AddrPortFrom(sites[i].At.Addr(), 0).String())
		if err != nil {
			t.Fatalf("find a free port on %s: %v", sites[i].At.Addr(), err)
		}
		held = append(held, l) // so that no port is found twice
		sites[i].At = l.Addr().(*net.TCPAddr).AddrPort()
	}
	for _, l := range held {
		_ = l.Close()
	}
	dir := makeDir(t, filepath.Join(shortDir(t), w.Name))
	// What OpenSSL refuses by Debian's default is what some rows are about.
	loose := writeFile(t, filepath.Join(dir, "openssl.cnf"), `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = any
[any]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
`)
	env := []string{"OPENSSL_CONF=" + loose, "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	p := startProcess(t, dir, w.Name, env, w.configure(t, dir, sites)...)
	p.ready(t, func(ctx context.Context) error {
		for _, s := range sites {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.At.String())
			if err != nil {
				return err
			}
			_ = conn.Close()
		}
		return nil
	})
}

// stored writes the files of a site, and returns the path that they begin with.
func stored(t testing.TB, dir string, s Site) string {
	t.Helper()
	path := filepath.Join(dir, fmt.Sprint(s.At.Port()))
	writeFile(t, path+".crt", string(s.Cert.Chain))
	writeFile(t, path+".key", string(s.Cert.Key))
	writeFile(t, path+".pem", string(s.Cert.Chain)+string(s.Cert.Key))
	if s.Staple != nil {
		writeFile(t, path+".ocsp", string(s.Staple))
	}
	return path
}

// upTo lists the versions that nginx is to speak.
func upTo(newest uint16) string {
	all := []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	if newest == 0 {
		return strings.Join(all, " ")
	}
	return strings.Join(all[:newest-tls.VersionTLS10+1], " ")
}

func nginx(t testing.TB, dir string, sites []Site) []string {
	t.Helper()
	site := func(s Site) string {
		path := stored(t, dir, s)
		if s.Plain {
			return fmt.Sprintf("  server { listen %s; return 200 ok; }\n", s.At)
		}
		listen := fmt.Sprintf("listen %s ssl", s.At)
		more := ""
		if s.Introduced {
			listen += " proxy_protocol"
		}
		switch {
		case s.Demands:
			more += fmt.Sprintf(" ssl_verify_client on; ssl_client_certificate %s.crt;", path)
		case s.Asks:
			more += fmt.Sprintf(" ssl_verify_client optional; ssl_client_certificate %s.crt;", path)
		}
		if s.Staple != nil {
			more += fmt.Sprintf(" ssl_stapling on; ssl_stapling_file %s.ocsp;", path)
		}
		block := fmt.Sprintf("  server { %s; server_name _; ssl_certificate %[2]s.crt; ssl_certificate_key %[2]s.key; ssl_protocols %[3]s;%[4]s return 200 ok; }\n",
			listen, path, upTo(s.MaxVersion), more)
		if s.Refuses != "" {
			block += fmt.Sprintf("  server { %s; server_name %s; ssl_reject_handshake on; }\n", listen, s.Refuses)
		}
		return block
	}
	conf := writeFile(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  ssl_ciphers ALL:@SECLEVEL=0;
%[2]s}
`, dir, each(sites, site)))
	return []string{"nginx", "-e", "stderr", "-c", conf}
}

func haproxy(t testing.TB, dir string, sites []Site) []string {
	t.Helper()
	site := func(s Site) string {
		path := stored(t, dir, s)
		bind := fmt.Sprintf("bind %s", s.At)
		if !s.Plain {
			bind += fmt.Sprintf(" ssl crt %s.pem ssl-min-ver TLSv1.0 ciphers ALL:@SECLEVEL=0", path)
		}
		if s.MaxVersion != 0 {
			bind += " ssl-max-ver " + strings.Replace(tls.VersionName(s.MaxVersion), "TLS ", "TLSv", 1)
		}
		switch {
		case s.Demands:
			bind += fmt.Sprintf(" verify required ca-file %s.crt", path)
		case s.Asks:
			bind += fmt.Sprintf(" verify optional ca-file %s.crt", path)
		}
		if s.Introduced {
			bind += " accept-proxy"
		}
		return fmt.Sprintf("frontend at%d\n    %s\n    http-request return status 200 content-type text/plain string ok\n", s.At.Port(), bind)
	}
	conf := writeFile(t, filepath.Join(dir, "haproxy.cfg"), `global
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
`+each(sites, site))
	return []string{"haproxy", "-db", "-f", conf}
}

func caddy(t testing.TB, dir string, sites []Site) []string {
	t.Helper()
	site := func(s Site) string {
		path := stored(t, dir, s)
		if s.Plain {
			return fmt.Sprintf("http://www.shop.example:%d {\n  bind %s\n  respond ok\n}\n", s.At.Port(), s.At.Addr())
		}
		more := ""
		switch {
		case s.Demands:
			more += "    client_auth {\n      mode require\n    }\n"
		case s.Asks:
			more += "    client_auth {\n      mode request\n    }\n"
		}
		if s.MaxVersion == tls.VersionTLS12 {
			more += "    protocols tls1.2 tls1.2\n"
		}
		return fmt.Sprintf("https://www.shop.example:%d {\n  bind %s\n  tls %[3]s.crt %[3]s.key {\n%[4]s  }\n  respond ok\n}\n", s.At.Port(), s.At.Addr(), path, more)
	}
	conf := writeFile(t, filepath.Join(dir, "Caddyfile"), "{\n  admin off\n  auto_https off\n}\n"+each(sites, site))
	return []string{"caddy", "run", "--adapter", "caddyfile", "--config", conf}
}
