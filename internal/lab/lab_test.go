package lab

import (
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The helpers that the tests of this package share.

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closing[T io.Closer](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := v.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return v
	}
}

// ask sends one question and gives the answer, or nil if there was none in time.
func ask(t *testing.T, proto string, at netip.AddrPort, name string, rrtype uint16) *dns.Msg {
	t.Helper()
	req := new(dns.Msg).SetQuestion(name, rrtype)
	client := &dns.Client{Net: proto, Timeout: 2 * time.Second}
	reply, _, err := client.Exchange(req, at.String())
	if err != nil {
		t.Logf("%s %s at %s: %v", proto, name, at, err)
		return nil
	}
	return reply
}

// lines is the records as sorted text with single spaces.
func lines(rrs []dns.RR) []string {
	out := []string{}
	for _, rr := range rrs {
		out = append(out, strings.Join(strings.Fields(rr.String()), " "))
	}
	slices.Sort(out)
	return out
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := mustJSON(got), mustJSON(want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func TestLogKeepsNewestAndWaits(t *testing.T) {
	var l Log[int]
	for i := range logLimit + 5 {
		l.add(i)
	}
	all := l.All()
	if l.Len() != logLimit+5 || len(all) > logLimit || all[len(all)-1] != logLimit+4 {
		t.Errorf("len %d, kept %d, newest %d", l.Len(), len(all), all[len(all)-1])
	}
	l.Reset()
	done := make(chan error)
	go func() {
		_, err := l.Wait(t.Context(), 2)
		done <- err
	}()
	l.add(1)
	l.add(2)
	noError(t, <-done)
}

func TestFreePortIsFreeForBothProtocolsEverywhere(t *testing.T) {
	n := must[Net](t)(RandomNet())
	port := must[uint16](t)(FreePort(n.Addr(1), n.Addr(2)))
	for _, a := range []netip.Addr{n.Addr(1), n.Addr(2)} {
		udp, tcp, err := listenBoth(netip.AddrPortFrom(a, port))
		noError(t, err)
		defer func() { _ = udp.Close(); _ = tcp.Close() }()
	}
	if err := tryPort(port, []netip.Addr{n.Addr(1)}); err == nil {
		t.Errorf("a taken port was found free")
	}
}

func TestBindErrorNamesTheCommand(t *testing.T) {
	// 127.0.0.0/8 always binds on Linux, so the error is made by hand.
	err := bindError(netip.MustParseAddr("127.53.0.1"), errAddrNotAvail)
	if !strings.Contains(err.Error(), "sudo ifconfig lo0 alias 127.53.0.1 up") {
		t.Errorf("error %q does not help", err)
	}
	equal(t, "several", missingError([]string{"127.53.0.1", "127.53.0.2"}).Error(),
		"this system has no loopback address 127.53.0.1 (add them with: for a in 127.53.0.1 127.53.0.2; do sudo ifconfig lo0 alias $a up; done)")
	noError(t, CheckAddrs(netip.MustParseAddr("127.0.0.1")))
	if CheckAddrs(netip.MustParseAddr("192.0.2.1")) == nil {
		t.Errorf("an address that is not ours was found here")
	}
}
