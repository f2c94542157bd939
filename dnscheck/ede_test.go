package dnscheck

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestTheExtendedErrorStandsBehindTheRCODE(t *testing.T) {
	ede := func(code uint16, text string) dns.EDNS0 { return &dns.EDNS0_EDE{InfoCode: code, ExtraText: text} }
	for _, c := range []struct {
		rule    string
		options []dns.EDNS0
		want    string
	}{
		{"none", nil, ""},
		{"another option", []dns.EDNS0{&dns.EDNS0_NSID{Nsid: "aa"}}, ""},
		{"a code", []dns.EDNS0{ede(20, "")}, " (EDE 20 Not Authoritative)"},
		{"a code and a text, behind another option", []dns.EDNS0{&dns.EDNS0_NSID{Nsid: "aa"}, ede(22, "at delegation shop.example")}, ` (EDE 22 No Reachable Authority: "at delegation shop.example")`},
		{"of two the first", []dns.EDNS0{ede(9, ""), ede(0, "x")}, " (EDE 9 DNSKEY Missing)"},
		{"an unknown code", []dns.EDNS0{ede(65000, "x")}, ` (EDE 65000: "x")`},
		{"a text that would play tricks", []dns.EDNS0{ede(0, "a\x1b[2J\n\"é\u202e\xff")}, ` (EDE 0 Other: "a\x1b[2J\n\"\u00e9\u202e\ufffd")`},
		{"a long text", []dns.EDNS0{ede(0, strings.Repeat("x", 300))}, ` (EDE 0 Other: "` + strings.Repeat("x", edeLimit-len(` (EDE 0 Other: "...")`)) + `...")`},
	} {
		m := new(dns.Msg).SetQuestion("www.shop.example.", dns.TypeA)
		if c.options != nil {
			m.SetEdns0(udpSize, false)
			m.IsEdns0().Option = c.options
		}
		if got := extendedError(m); got != c.want || len(got) > edeLimit {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestTheReasonOfAServerIsKept(t *testing.T) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	for rcode, want := range map[int]string{
		dns.RcodeRefused:       `REFUSED (EDE 20 Not Authoritative: "no")`,
		dns.RcodeServerFailure: `SERVFAIL (EDE 20 Not Authoritative: "no")`,
	} {
		m, wrong := open(packetOf(t, q, func(m *dns.Msg) {
			m.Rcode = rcode
			m.SetEdns0(udpSize, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 20, ExtraText: "no"}}
		}), 7, q)
		if m == nil {
			t.Fatal(wrong)
		}
		if got := readAnswer("shop.example.", q, m).Detail; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
