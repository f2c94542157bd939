package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Net is one /24 of the loopback network, 127.X.Y.0. The zero Net is not valid;
// parts that take a Net say what they do with a zero one.
type Net struct{ x, y byte }

// NewNet names 127.x.y.0/24.
func NewNet(x, y byte) Net { return Net{x, y} }

// RandomNet picks a /24 on which this process can bind. Two tests that run at
// once rarely share one, and if they do they still differ in their ports.
func RandomNet() (Net, error) {
	n := Net{byte(64 + rand.IntN(128)), byte(rand.IntN(256))}
	ln, err := listenTCP(netip.AddrPortFrom(n.Addr(1), 0))
	if err != nil {
		return Net{}, err
	}
	return n, ln.Close()
}

// Addr is the address 127.X.Y.last.
func (n Net) Addr(last byte) netip.Addr { return netip.AddrFrom4([4]byte{127, n.x, n.y, last}) }

// IsZero tells whether n was never set.
func (n Net) IsZero() bool { return n == Net{} }

// String is the CIDR form.
func (n Net) String() string { return netip.PrefixFrom(n.Addr(0), 24).String() }

// FreePort finds a port that is free for UDP and TCP on all the addresses. The
// port is below the range from which systems pick ports for clients, so that it
// stays free while a server is stopped.
func FreePort(addrs ...netip.Addr) (uint16, error) {
	var port uint16
	err := onOnePort(0, func(p uint16) error {
		port = p
		return tryPort(p, addrs)
	})
	return port, err
}

func tryPort(port uint16, addrs []netip.Addr) error {
	for _, a := range addrs {
		udp, tcp, err := listenBoth(netip.AddrPortFrom(a, port))
		if err != nil {
			return err
		}
		if err := errors.Join(udp.Close(), tcp.Close()); err != nil {
			return fmt.Errorf("release %s port %d: %w", a, port, err)
		}
	}
	return nil
}

// onOnePort calls start with port, or, when port is 0, with random ports until
// one is not taken.
func onOnePort(port uint16, start func(uint16) error) error {
	if port != 0 {
		return start(port)
	}
	var err error
	for range 30 {
		err = start(uint16(10_000 + rand.IntN(22_000)))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return fmt.Errorf("find a free port: %w", err)
}

// listenBoth opens UDP and TCP on one address and port.
func listenBoth(at netip.AddrPort) (net.PacketConn, net.Listener, error) {
	tcp, err := listenTCP(at)
	if err != nil {
		return nil, nil, err
	}
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, nil, errors.Join(bindError(at.Addr(), err), tcp.Close())
	}
	return udp, tcp, nil
}

// CheckAddrs tells whether this system answers on all the addresses. Its error
// has one command that adds those it does not have.
func CheckAddrs(addrs ...netip.Addr) error {
	var missing []string
	for _, a := range addrs {
		ln, err := listenTCP(netip.AddrPortFrom(a, 0))
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			missing = append(missing, a.String())
		case err != nil:
			return err
		default:
			if err := ln.Close(); err != nil {
				return fmt.Errorf("release %s: %w", a, err)
			}
		}
	}
	return missingError(missing)
}

func missingError(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this system has no loopback address %s (add them with: for a in %s; do sudo ifconfig lo0 alias $a up; done)",
		missing[0], strings.Join(missing, " "))
}

func listenTCP(at netip.AddrPort) (net.Listener, error) {
	ln, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, bindError(at.Addr(), err)
	}
	return ln, nil
}

// bindError adds the way out on systems that answer on 127.0.0.1 alone.
func bindError(addr netip.Addr, err error) error {
	if errors.Is(err, syscall.EADDRNOTAVAIL) && addr.IsLoopback() {
		return fmt.Errorf("this system has no loopback address %s (add it with: sudo ifconfig lo0 alias %s up): %w", addr, addr, err)
	}
	return fmt.Errorf("listen on %s: %w", addr, err)
}
