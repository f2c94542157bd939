package dnscheck

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Sizes of a cookie in bytes (RFC 7873 §4): the client's part, and both parts.
const (
	clientCookie = 8
	minCookie    = clientCookie + 8
	maxCookie    = clientCookie + 32
)

// cookieLife is how long a server's cookie is sent after the server last sent one,
// and an answer without any is not believed: servers refuse cookies that are older
// (RFC 9018 §4.3).
const cookieLife = time.Hour

// cookies are those of the questions between one address of ours and one server.
type cookies struct {
	text  string // hexadecimal: our part, and that of the server if it sent one
	heard time.Time
	// shy: the server answered only when it was sent no cookie. Firewalls drop what
	// they do not know.
	shy bool
}

// newCookies makes our part: as RFC 9018 §3 wants, nobody can guess it, and it is
// another one for each server and each address of ours.
func newCookies(secret []byte, from, to netip.AddrPort) cookies {
	sum := hmac.New(sha256.New, secret)
	sum.Write(from.Addr().AppendTo(nil))
	sum.Write(to.AppendTo([]byte{' '}))
	return cookies{text: hex.EncodeToString(sum.Sum(nil)[:clientCookie])}
}

// remembered is what is still good of the cookies of an earlier socket.
func (c cookies) remembered(old cookies, now time.Time) cookies {
	if strings.HasPrefix(old.text, c.text) && now.Sub(old.heard) < cookieLife {
		c.text, c.heard = old.text, old.heard
	}
	return c
}

// ours is our part.
func (c *cookies) ours() string { return c.text[:hex.EncodedLen(clientCookie)] }

// appendTo adds the cookie to a question that ends with an OPT record without
// options; one for which the server is shy only if the question insists. It tells
// whether there is one of the server, which then comes back.
func (c *cookies) appendTo(packet []byte, insists bool) (longer []byte, expects bool) {
	if c.text == "" || c.shy && !insists {
		return packet, false
	}
	size := hex.DecodedLen(len(c.text))
	binary.BigEndian.PutUint16(packet[len(packet)-2:], uint16(4+size))
	packet = binary.BigEndian.AppendUint16(packet, dns.EDNS0COOKIE)
	packet = binary.BigEndian.AppendUint16(packet, uint16(size))
	packet, _ = hex.AppendDecode(packet, []byte(c.text)) // c.text was made by an encoder
	return packet, size > clientCookie
}

// dropCookie takes away what appendTo added, if that was our part alone.
func dropCookie(packet []byte) (shorter []byte, dropped bool) {
	const option = 4 + clientCookie
	end := len(packet) - option
	if end < headerSize || binary.BigEndian.Uint32(packet[end:]) != dns.EDNS0COOKIE<<16|clientCookie {
		return packet, false
	}
	clear(packet[end-2 : end])
	return packet[:end], true
}

// check looks for a cookie in an answer and learns the server's part, also from an
// answer that says nothing else. What is not well is to be discarded (RFC 7873
// §5.3); of several cookies only the first counts.
func (c *cookies) check(m *dns.Msg) (found bool, wrong string) {
	opt := m.IsEdns0()
	if opt == nil {
		return false, ""
	}
	for _, o := range opt.Option {
		cookie, ok := o.(*dns.EDNS0_COOKIE)
		if !ok {
			continue
		}
		size := hex.DecodedLen(len(cookie.Cookie))
		switch {
		case size != clientCookie && (size < minCookie || size > maxCookie):
			return false, "an answer with a cookie of a wrong size"
		case c.text == "" || !strings.HasPrefix(cookie.Cookie, c.ours()):
			return false, "an answer with a cookie that is not ours"
		case size == clientCookie: // only sent back what it got
			return false, ""
		}
		if c.text != cookie.Cookie {
			c.text = cookie.Cookie
		}
		c.heard = time.Now()
		return true, ""
	}
	return false, ""
}
