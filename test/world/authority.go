package world

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
)

// Authority is one authoritative name server with one zone.
type Authority struct {
	*Process
	// Name is its host name without final dot, Addr where it listens (port 53).
	Name   string
	Addr   netip.Addr
	run    Software
	dir    string
	zone   Zone
	serial uint32
}

func startAuthority(t testing.TB, run Software, dir, name string, addr netip.Addr, z Zone) *Authority {
	t.Helper()
	a := &Authority{Name: name, Addr: addr, run: run, dir: makeDir(t, filepath.Join(dir, name)), zone: z, serial: 1}
	z.write(t, a.dir, a.serial)
	a.Process = startProcess(t, a.dir, name, nil, run.configure(t, a.site())...)
	a.awaitSerial(t)
	return a
}

func (a *Authority) site() site {
	return site{dir: a.dir, addrs: []netip.Addr{a.Addr}, zones: []string{a.zone.Origin}}
}

// Abandon makes the server forget its zone and serve another one, like a DNS
// provider whose customer has left while the delegation still names it.
func (a *Authority) Abandon(t testing.TB) {
	t.Helper()
	a.Stop(t)
	a.zone = Zone{Origin: "elsewhere.example", Servers: map[string]netip.Addr{"ns.elsewhere.example": a.Addr}}
	a.zone.write(t, a.dir, a.serial)
	a.run.configure(t, a.site())
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
	if a.run.reload == nil {
		a.hangUp(t)
	} else {
		command := a.run.reload(a.site())
		if out, err := exec.Command(executable(command[0]), command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("reload %s: %v\n%s", a.Name, err, out)
		}
	}
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
