package world

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
)

// Authority is one authoritative name server with one zone.
type Authority struct {
	*Process
	// Name is its host name without final dot, Addr where it listens (port 53).
	Name   string
	Addr   netip.Addr
	run    software
	dir    string
	zone   Zone
	serial uint32
}

// software configures one kind of name server to serve a zone file in its
// folder, and returns the command that starts it.
type software func(t testing.TB, dir string, addr netip.Addr, z Zone) []string

func startAuthority(t testing.TB, run software, dir, name string, addr netip.Addr, z Zone) *Authority {
	t.Helper()
	a := &Authority{Name: name, Addr: addr, run: run, dir: makeDir(t, filepath.Join(dir, name)), zone: z, serial: 1}
	z.write(t, a.dir, a.serial)
	a.Process = startProcess(t, a.dir, name, nil, run(t, a.dir, addr, z)...)
	a.awaitSerial(t)
	return a
}

// Abandon makes the server forget its zone and serve another one, like a DNS
// provider whose customer has left while the delegation still names it.
func (a *Authority) Abandon(t testing.TB) {
	t.Helper()
	a.Stop(t)
	a.zone = Zone{Origin: "elsewhere.example", Servers: map[string]netip.Addr{"ns.elsewhere.example": a.Addr}}
	a.zone.write(t, a.dir, a.serial)
	a.run(t, a.dir, a.Addr, a.zone)
	a.Start(t)
	a.awaitSerial(t)
}

// Serve replaces the zone's records on this server alone, and returns when it
// answers with the new ones.
func (a *Authority) Serve(t testing.TB, records ...string) {
	t.Helper()
	a.serial++
	a.zone.Records = records
	a.zone.write(t, a.dir, a.serial)
	a.reload(t)
	a.awaitSerial(t)
}

func (a *Authority) awaitSerial(t testing.TB) {
	t.Helper()
	a.ready(t, func(ctx context.Context) error {
		serial, err := Serial(ctx, a.Addr, a.zone.Origin)
		if err == nil && serial != a.serial {
			err = fmt.Errorf("serves serial %d, not yet %d", serial, a.serial)
		}
		return err
	})
}

// nsd is NLnet Labs' authoritative server.
func nsd(t testing.TB, dir string, addr netip.Addr, z Zone) []string {
	t.Helper()
	conf := writeFile(t, filepath.Join(dir, "nsd.conf"), fmt.Sprintf(`server:
  ip-address: %s
  port: 53
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
zone:
  name: %q
  zonefile: %q
`, addr, dir, z.Origin, z.fileName()))
	return []string{"nsd", "-d", "-c", conf}
}

// knot is CZ.NIC's authoritative server. It keeps no journal: the zone file is
// the whole truth, as it is for nsd.
func knot(t testing.TB, dir string, addr netip.Addr, z Zone) []string {
	t.Helper()
	conf := writeFile(t, filepath.Join(dir, "knot.conf"), fmt.Sprintf(`server:
    rundir: %[1]q
    listen: %[2]s@53
    udp-workers: 1
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
  - domain: %[3]q
    file: %[4]q
`, dir, addr, z.Origin, z.fileName()))
	return []string{"knotd", "-c", conf}
}
