package world

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// Software is one kind of authoritative name server.
type Software struct {
	Name string
	// configure prepares the site's folder and returns the command that serves it.
	configure func(t testing.TB, s site) []string
	// reload returns a command that makes a running server read its zones again; nil
	// stands for a hangup signal.
	reload func(s site) []string
}

// site is what one server serves: a file in the folder for each zone (see
// fileName), at port 53 of all the addresses.
type site struct {
	dir   string
	addrs []netip.Addr
	zones []string // origins, without the final dot; "." is the root
}

// Authorities are all the kinds of authoritative name servers.
func Authorities() []Software { return []Software{NSD(), Knot(), BIND(), PowerDNS()} }

// NSD is NLnet Labs' authoritative server.
func NSD() Software { return Software{Name: "nsd", configure: nsd} }

// Knot is CZ.NIC's authoritative server. It keeps no journal: the zone file is
// the whole truth, as it is for the others.
func Knot() Software { return Software{Name: "knot", configure: knot} }

// BIND is ISC's server, as an authority.
func BIND() Software { return Software{Name: "bind", configure: bind} }

// PowerDNS is PowerDNS' authoritative server on zone files (its bind backend),
// without its caches, and with DNAME, which it leaves alone unless it is told.
func PowerDNS() Software { return Software{Name: "pdns", configure: pdns, reload: pdnsReload} }

// each is a text with one line or section for every element, made by line.
func each[T any](all []T, line func(T) string) string {
	var b strings.Builder
	for _, one := range all {
		b.WriteString(line(one))
	}
	return b.String()
}

func nsd(t testing.TB, s site) []string {
	t.Helper()
	conf := writeFile(t, filepath.Join(s.dir, "nsd.conf"), fmt.Sprintf(`server:
%[1]s  port: 53
  do-ip6: no
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  pidfile: ""
  zonesdir: %[2]q
  zonelistfile: "%[2]s/zone.list"
  xfrdfile: "%[2]s/xfrd.state"
  xfrdir: %[2]q
  rrl-ratelimit: 0
  zonefiles-check: yes
remote-control:
  control-enable: no
%[3]s`,
		each(s.addrs, func(a netip.Addr) string { return fmt.Sprintf("  ip-address: %s\n", a) }), s.dir,
		each(s.zones, func(z string) string { return fmt.Sprintf("zone:\n  name: %q\n  zonefile: %q\n", z, fileName(z)) })))
	return []string{"nsd", "-d", "-c", conf}
}

func knot(t testing.TB, s site) []string {
	t.Helper()
	conf := writeFile(t, filepath.Join(s.dir, "knot.conf"), fmt.Sprintf(`server:
    rundir: %[1]q
%[2]s    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: %[1]q
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: %[1]q
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
%[3]s`, s.dir,
		each(s.addrs, func(a netip.Addr) string { return fmt.Sprintf("    listen: %s@53\n", a) }),
		each(s.zones, func(z string) string { return fmt.Sprintf("  - domain: %q\n    file: %q\n", z, fileName(z)) })))
	return []string{"knotd", "-c", conf}
}

func bind(t testing.TB, s site) []string {
	t.Helper()
	for _, a := range s.addrs {
		ownAddress(t, a)
	}
	conf := writeFile(t, filepath.Join(s.dir, "named.conf"), namedOptions(s.dir, s.addrs, `
  recursion no;
  notify no;
  allow-transfer { none; };
`)+"controls { };\n"+each(s.zones, func(z string) string { return fmt.Sprintf("zone %q { type primary; file %q; };\n", z, fileName(z)) }))
	return []string{"named", "-g", "-n", "1", "-U", "1", "-c", conf}
}

// namedOptions is the part of named's configuration that does not depend on its role.
func namedOptions(dir string, addrs []netip.Addr, more string) string {
	return fmt.Sprintf(`options {
  directory %[1]q;
  pid-file none;
  session-keyfile "%[1]s/session.key";
  listen-on port 53 { %[2]s};
  listen-on-v6 { none; };
  empty-zones-enable no;
  dnssec-validation no;
  max-cache-size 16m;
%[3]s};
`, dir, each(addrs, func(a netip.Addr) string { return a.String() + "; " }), more)
}

func pdns(t testing.TB, s site) []string {
	t.Helper()
	zones := writeFile(t, filepath.Join(s.dir, "zones.conf"), each(s.zones, func(z string) string {
		return fmt.Sprintf("zone %q { type master; file \"%s/%s\"; };\n", z, s.dir, fileName(z))
	}))
	writeFile(t, filepath.Join(s.dir, "pdns.conf"), fmt.Sprintf(`launch=bind
bind-config=%s
local-address=%s
local-port=53
socket-dir=%s
daemon=no
guardian=no
disable-syslog=yes
write-pid=no
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
distributor-threads=1
retrieval-threads=1
security-poll-suffix=
dname-processing=yes
`, zones, strings.TrimSuffix(each(s.addrs, func(a netip.Addr) string { return a.String() + "," }), ","), s.dir))
	return []string{"pdns_server", "--config-dir=" + s.dir}
}

// pdnsReload: a hangup signal ends pdns_server.
func pdnsReload(s site) []string {
	return append([]string{"pdns_control", "--config-dir=" + s.dir, "--socket-dir=" + s.dir, "bind-reload-now"}, s.zones...)
}
