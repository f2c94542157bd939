package probe

import (
	"fmt"
	"io"
	"net"
	"net/netip"
)

// introduce speaks PROXY protocol in the load balancer's place, where the probe goes
// past it to somebody who expects that. A stranger is told nothing.
func (l *look) introduce(conn net.Conn) error {
	if b := l.request.Bypass; b == nil || !b.ProxyProtocol || l.request.Stranger {
		return nil
	}
	l.doing = "sending the PROXY protocol header"
	from, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return known{Self, "our own address is not known"}
	}
	_, err = io.WriteString(conn, proxyHeader(from, l.request.Address))
	return err
}

// proxyHeader is the header of a connection in version 1 of the protocol, which
// DigitalOcean's load balancers speak and every controller takes.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt section 2.1
func proxyHeader(from, to netip.AddrPort) string {
	family, source, target := "TCP4", from.Addr().Unmap(), to.Addr().Unmap()
	if target.Is6() {
		family = "TCP6"
	}
	return fmt.Sprintf("PROXY %s %s %s %d %d\r\n", family, source.WithZone(""), target.WithZone(""), from.Port(), to.Port())
}
