package dnscheck

import (
	"fmt"
	"strconv"

	"github.com/miekg/dns"
)

// edeLimit bounds what is told of an extended error; its text is the server's.
const edeLimit = 120

// extendedError says why a server failed, if it told (RFC 8914): a text in ASCII
// of at most edeLimit bytes to put behind the name of the RCODE, with a blank and
// in brackets, as ` (EDE 22 No Reachable Authority: "at delegation shop.example")`.
// It is empty if the server told nothing. Of several errors it is the first.
func extendedError(m *dns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		e, ok := o.(*dns.EDNS0_EDE)
		if !ok {
			continue
		}
		text := fmt.Sprintf(" (EDE %d", e.InfoCode)
		if meaning, known := dns.ExtendedErrorCodeToString[e.InfoCode]; known {
			text += " " + meaning
		}
		if e.ExtraText != "" {
			const around = len(`: "")`)
			text += `: "` + escapedWithin(e.ExtraText, edeLimit-around-len(text)) + `"`
		}
		return text + ")"
	}
	return ""
}

// escapedWithin escapes what is not printable ASCII, as Go does, and cuts the text to
// that many bytes.
func escapedWithin(text string, size int) string {
	out := ""
	for _, c := range text {
		one := strconv.QuoteToASCII(string(c))
		one = one[1 : len(one)-1]
		if len(out)+len(one) > size-len("...") {
			return out + "..."
		}
		out += one
	}
	return out
}

// extendedCode is the extended error of a message: the first that speaks of
// validation, else the first.
func extendedCode(m *dns.Msg) uint16 {
	opt := m.IsEdns0()
	if opt == nil {
		return 0
	}
	var first uint16
	for _, o := range opt.Option {
		switch e, ok := o.(*dns.EDNS0_EDE); {
		case !ok:
		case saysBogus(e.InfoCode):
			return e.InfoCode
		case first == 0:
			first = e.InfoCode
		}
	}
	return first
}

// saysBogus tells whether an extended error says that validation failed.
func saysBogus(code uint16) bool {
	switch code {
	case dns.ExtendedErrorCodeDNSBogus, dns.ExtendedErrorCodeSignatureExpired, dns.ExtendedErrorCodeSignatureNotYetValid,
		dns.ExtendedErrorCodeDNSKEYMissing, dns.ExtendedErrorCodeRRSIGsMissing, dns.ExtendedErrorCodeNoZoneKeyBitSet,
		dns.ExtendedErrorCodeNSECMissing, dns.ExtendedErrorCodeSignatureExpiredBeforeValid:
		return true
	}
	return false
}

// saysUnreached tells whether an extended error says that the zone's servers could
// not be reached.
func saysUnreached(code uint16) bool {
	return code == dns.ExtendedErrorCodeNoReachableAuthority || code == dns.ExtendedErrorCodeNetworkError
}

// saysFiltered tells whether an extended error says that the answer is not the zone's
// but one that the resolver was told to give.
func saysFiltered(code uint16) bool {
	switch code {
	case dns.ExtendedErrorCodeForgedAnswer, dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeCensored, dns.ExtendedErrorCodeFiltered:
		return true
	}
	return false
}
