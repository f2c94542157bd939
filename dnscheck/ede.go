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
