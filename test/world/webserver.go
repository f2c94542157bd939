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

	"driftprobe/internal/lab"
)

// Site is what one server presents, and what it answers.
type Site struct {
	lab.Site
	At   netip.AddrPort
	Cert Certificate
	// Staple is an OCSP response to send along; nil if there is none.
	Staple []byte
	// MaxVersion is the newest TLS version spoken; 0 the newest there is.
	MaxVersion uint16
	// Demands a client certificate.
	Demands bool
	// Refuses is a name for which the handshake is refused.
	Refuses string
}

// WebServer is one kind of server that ends TLS and speaks HTTP.
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
		{"nginx", nginx, func(s Site) bool { return answers(s, func(lab.Page) bool { return true }) }},
		{"haproxy", haproxy, func(s Site) bool { return s.Staple == nil && s.Refuses == "" && answers(s, small) }},
		{"caddy", caddy, func(s Site) bool {
			return s.Staple == nil && s.Refuses == "" && !s.Introduced && (s.MaxVersion == 0 || s.MaxVersion == tls.VersionTLS12) && answers(s, quick)
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
		listen := fmt.Sprintf("listen %s", s.At)
		if !s.Plain {
			listen += " ssl"
		}
		if s.H2 {
			listen += " http2"
		}
		if s.Introduced {
			listen += " proxy_protocol"
		}
		pages := nginxPages(t, dir, s)
		if s.Plain {
			return fmt.Sprintf("  server { %s; %s }\n", listen, pages)
		}
		more := ""
		switch {
		case s.Demands:
			more += fmt.Sprintf(" ssl_verify_client on; ssl_client_certificate %s.crt;", path)
		case s.Asks:
			more += fmt.Sprintf(" ssl_verify_client optional; ssl_client_certificate %s.crt;", path)
		}
		if s.Staple != nil {
			more += fmt.Sprintf(" ssl_stapling on; ssl_stapling_file %s.ocsp;", path)
		}
		block := fmt.Sprintf("  server { %s; server_name _; ssl_certificate %[2]s.crt; ssl_certificate_key %[2]s.key; ssl_protocols %[3]s;%[4]s %[5]s }\n",
			listen, path, upTo(s.MaxVersion), more, pages)
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
  absolute_redirect off;
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
		if s.H2 {
			bind += " alpn h2,http/1.1"
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
		return fmt.Sprintf("frontend at%d\n    %s\n%s", s.At.Port(), bind, haproxyPages(t, dir, s))
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
		pages := caddyPages(t, dir, s)
		if s.Plain {
			return fmt.Sprintf("http://:%d {\n  bind %s\n%s}\n", s.At.Port(), s.At.Addr(), pages)
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
		return fmt.Sprintf("https://www.shop.example:%[1]d, https://login.shop.example:%[1]d {\n  bind %[2]s\n  tls %[3]s.crt %[3]s.key {\n%[4]s  }\n%[5]s}\n", s.At.Port(), s.At.Addr(), path, more, pages)
	}
	speaks := func(s Site) string {
		if s.H2 || s.Plain {
			return ""
		}
		return fmt.Sprintf("  servers %s {\n    protocols h1\n  }\n", s.At)
	}
	conf := writeFile(t, filepath.Join(dir, "Caddyfile"), "{\n  admin off\n  auto_https off\n"+each(sites, speaks)+"}\n"+each(sites, site))
	return []string{"caddy", "run", "--adapter", "caddyfile", "--config", conf}
}
