package lab

import (
	"context"
	"io"
	"net"
	"strings"
)

// maxPROXY is the longest header of version 1, with its line end.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt section 2.1
const maxPROXY = 107

// introduced is a connection that begins with a PROXY protocol header, or is none.
type introduced struct {
	net.Conn
	known bool
}

// Read takes the header off first. A server has one reader of a connection.
func (c *introduced) Read(p []byte) (int, error) {
	if !c.known {
		if err := c.header(); err != nil {
			return 0, err
		}
		c.known = true
	}
	return c.Conn.Read(p)
}

// header reads byte by byte: what follows belongs to TLS.
func (c *introduced) header() error {
	var line []byte
	for one := make([]byte, 1); len(line) < maxPROXY; line = append(line, one[0]) {
		if strings.HasSuffix(string(line), "\r\n") {
			if fields := strings.Fields(string(line)); len(fields) == 6 && fields[0] == "PROXY" && (fields[1] == "TCP4" || fields[1] == "TCP6") {
				return nil
			}
			break
		}
		if len(line) == 6 && string(line) != "PROXY " {
			break
		}
		if _, err := io.ReadFull(c.Conn, one); err != nil {
			return err
		}
	}
	_ = c.Close() // as nginx and Traefik do, without a word
	return io.EOF
}

// dialIntroduced connects to somebody to whom a header is sent.
func dialIntroduced(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &preceded{Conn: c}, nil
}

// preceded is a connection on which a header goes first, in one write with what follows:
// who hangs up at the header has read all, so that nothing of its answer is lost in a reset.
type preceded struct {
	net.Conn
	sent bool // a client has one writer of a connection
}

// Write puts the header in front of the first.
func (c *preceded) Write(p []byte) (int, error) {
	if c.sent {
		return c.Conn.Write(p)
	}
	c.sent = true
	header := "PROXY TCP4 192.0.2.1 192.0.2.2 5555 443\r\n"
	n, err := c.Conn.Write(append([]byte(header), p...))
	return max(n-len(header), 0), err
}
