package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Net is one /24 of the loopback network, 127.53.N.0, held by one test.
type Net struct{ n byte }

// Addr is the address 127.53.N.last.
func (n Net) Addr(last byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 53, n.n, last}) }

// claimPort is held on the last address of a Net as long as the test runs, so
// that two tests, also of two processes, never share one.
const claimPort = 5353

// Claim takes a free /24 for the test. Low numbers are left to people who
// start a demo on the same machine.
func Claim(t testing.TB) Net {
	t.Helper()
	var err error
	for range 100 {
		n := Net{byte(16 + rand.IntN(224))}
		var held net.Listener
		held, err = net.Listen("tcp", netip.AddrPortFrom(n.Addr(254), claimPort).String())
		if err != nil {
			continue
		}
		left, failure := net.Dial("tcp", netip.AddrPortFrom(n.Addr(1), 53).String())
		if errors.Is(failure, syscall.EHOSTUNREACH) {
			err = fmt.Errorf("%s is still cut off", n.Addr(1))
			held.Close()
			continue
		}
		if failure == nil {
			err = fmt.Errorf("%s is served by what a run that was killed has left", n.Addr(1))
			left.Close()
			held.Close()
			continue
		}
		t.Cleanup(func() { held.Close() })
		return n
	}
	t.Fatalf("claim a loopback network: %v", err)
	return Net{}
}

// Cut takes the way to the addresses .0 to .127 away from everybody on this machine, until
// the returned function is called.
func (n Net) Cut(t testing.TB) (mend func()) {
	t.Helper()
	route := func(verb string) error {
		out, err := exec.Command("ip", "route", verb, "unreachable", n.Addr(0).String()+"/25", "table", "local").CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip route %s: %w: %s", verb, err, out)
		}
		return nil
	}
	if err := route("add"); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		if err := route("del"); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// ownAddress gives the loopback interface an address as its own until the test
// ends. All of 127.0.0.0/8 answers without that, but named listens only on
// addresses that an interface has.
func ownAddress(t testing.TB, addr netip.Addr) {
	t.Helper()
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatalf("list this system's addresses: %v", err)
	}
	if slices.ContainsFunc(own, func(a net.Addr) bool { return strings.HasPrefix(a.String(), addr.String()+"/") }) {
		return
	}
	change := func(verb string) {
		if out, err := exec.Command("ip", "addr", verb, addr.String()+"/32", "dev", "lo").CombinedOutput(); err != nil {
			t.Errorf("ip addr %s %s: %v\n%s", verb, addr, err, out)
		}
	}
	change("add")
	t.Cleanup(func() { change("del") })
}
