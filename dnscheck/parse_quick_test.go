package dnscheck

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// commonAnswers are those for which it pays to be quick.
func commonAnswers(tb testing.TB) map[string][]byte {
	tb.Helper()
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	compressed := func(m *dns.Msg) { m.Compress = true; m.SetEdns0(udpSize, false) }
	out := map[string][]byte{}
	for rule, records := range map[string][]string{
		"addresses":               {"www.shop.example. 60 A 192.0.2.1", "www.shop.example. 60 A 192.0.2.2", "www.shop.example. 60 AAAA 2001:db8::1"},
		"an alias":                {"www.shop.example. 60 CNAME lb.shop.example.", "lb.shop.example. 60 A 192.0.2.1"},
		"nothing":                 {"shop.example. 60 SOA ns.shop.example. m.test. 1 2 3 4 5"},
		"a referral":              {"shop.example. 60 NS ns1.shop.example.", "shop.example. 60 NS ns2.shop.example."},
		"a referral to the roots": {". 60 NS a.root."},
		"a wildcard, in capitals": {"*.SHOP.example. 60 CNAME _x-1.Shop.EXAMPLE."},
		"without any record":      nil,
	} {
		out[rule] = packetOf(tb, q, compressed, records...)
		out[rule+", not compressed"] = packetOf(tb, q, nil, records...)
	}
	out["glue"] = packetOf(tb, q, func(m *dns.Msg) {
		compressed(m)
		glue, err := dns.NewRR("ns1.shop.example. 60 A 192.0.2.53")
		if err != nil {
			tb.Fatal(err)
		}
		m.Extra = append(m.Extra, glue)
	}, "shop.example. 60 NS ns1.shop.example.")
	for rule, options := range map[string][]dns.EDNS0{
		"a cookie":                           {&dns.EDNS0_COOKIE{Cookie: "0123456789abcdef0123456789abcdef"}},
		"an empty cookie":                    {&dns.EDNS0_COOKIE{}},
		"an extended error":                  {&dns.EDNS0_EDE{InfoCode: 22}},
		"an extended error, and a cookie":    {&dns.EDNS0_EDE{InfoCode: 22, ExtraText: "no \xff way"}, &dns.EDNS0_COOKIE{Cookie: "0123456789abcdef"}},
		"two cookies, as nobody should send": {&dns.EDNS0_COOKIE{Cookie: "01"}, &dns.EDNS0_COOKIE{Cookie: "02"}},
	} {
		out[rule] = packetOf(tb, q, func(m *dns.Msg) { compressed(m); m.IsEdns0().Option = options }, "www.shop.example. 60 A 192.0.2.1")
	}
	out["an extended RCODE"] = packetOf(tb, q, func(m *dns.Msg) { compressed(m); m.Rcode = dns.RcodeBadVers })
	return out
}

func TestQuickReadsTheCommonAnswers(t *testing.T) {
	for rule, packet := range commonAnswers(t) {
		want := new(dns.Msg)
		if err := want.Unpack(packet); err != nil {
			t.Fatal(rule, err)
		}
		if got := quick(packet); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%v\nwant\n%v", rule, got, want)
		}
	}
}

func TestQuickLeavesTheRestToTheLibrary(t *testing.T) {
	q := question{name: "www.shop.example.", qtype: dns.TypeA}
	good := packetOf(t, q, nil, "www.shop.example. 60 A 192.0.2.1")
	loop := append(bytes.Clone(good[:headerSize]), 0xC0, headerSize, 0, 1, 0, 1)
	ended := func(after []byte, options ...byte) []byte { // an OPT record with the options, and something after it
		p := packetOf(t, q, func(m *dns.Msg) { m.SetEdns0(udpSize, false) })
		p[len(p)-1] = byte(len(options))
		return slices.Concat(p, options, after)
	}
	for rule, packet := range map[string][]byte{
		"nothing at all":            nil,
		"a header":                  good[:headerSize],
		"a packet that is cut":      good[:len(good)-1],
		"bytes after the end":       append(bytes.Clone(good), 0),
		"a name that is a loop":     loop,
		"a record of another type":  packetOf(t, q, nil, `www.shop.example. 60 TXT "x"`),
		"an address without data":   packetOf(t, q, func(m *dns.Msg) { m.Answer[0].(*dns.A).A = nil }, "www.shop.example. 60 A 192.0.2.1"),
		"a name that needs escapes": packetOf(t, question{name: `w\.w.shop.example.`, qtype: dns.TypeA}, nil),
		"two questions":             packetOf(t, q, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"another option":            ended(nil, 0, dns.EDNS0NSID, 0, 0),
		"an option that is cut":     ended(nil, 0, dns.EDNS0COOKIE, 0, 2, 1),
		"half an option":            ended(nil, 0, dns.EDNS0COOKIE, 0),
		"an error without a code":   ended(nil, 0, dns.EDNS0EDE, 0, 1, 1),
		"an option over the end":    ended([]byte{1, 2}, 0, dns.EDNS0COOKIE, 0, 2),
	} {
		if m := quick(packet); m != nil {
			t.Errorf("%s: read as %v", rule, m)
		}
	}
}

func FuzzQuickIsTheLibrary(f *testing.F) {
	for _, packet := range commonAnswers(f) {
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		got := quick(packet)
		if got == nil {
			return
		}
		want := new(dns.Msg)
		if err := want.Unpack(packet); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%#v\nwant\n%#v, %v", got, want, err)
		}
	})
}

func TestQuestionsArePackedAsTheLibraryDoes(t *testing.T) {
	for _, q := range []question{
		{name: ".", qtype: dns.TypeNS},
		{name: "www.shop.example.", qtype: dns.TypeAAAA, recurse: true},
		{name: "www.shop.example.", qtype: dns.TypeA, recurse: true, unchecked: true},
		{name: `*.w\.w\000.shop.example.`, qtype: dns.TypeA},
	} {
		for _, edns := range []bool{true, false} {
			m := new(dns.Msg).SetQuestion(q.name, q.qtype)
			m.Id, m.RecursionDesired, m.AuthenticatedData, m.CheckingDisabled = 0xABCD, q.recurse, q.recurse, q.unchecked
			if edns {
				m.SetEdns0(udpSize, false)
			}
			want, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := q.pack(0xABCD, edns); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, EDNS %t: got %x, %v; want %x", q, edns, got, err, want)
			}
		}
	}
	if _, err := (question{name: "a..example.", qtype: dns.TypeA}).pack(1, true); err == nil {
		t.Error("a name with an empty label was packed")
	}
}
