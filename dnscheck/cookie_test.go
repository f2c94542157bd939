package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

const serverCookie = "0123456789abcdef" // what the servers of these tests add

// cookieIn is the cookie of a message in hexadecimal.
func cookieIn(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

// withCookies gives an answer other cookies.
func withCookies(m *dns.Msg, cookies ...string) *dns.Msg {
	m = m.Copy()
	m.Extra = nil
	m.SetEdns0(udpSize, false)
	for _, c := range cookies {
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Cookie: c})
	}
	return m
}

// asked are the questions that a server got.
type asked struct {
	mu  sync.Mutex
	all []lab.Query
}

// texts are the questions in short, as "udp" and the cookie, or "no EDNS".
func (a *asked) texts() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, q := range a.all {
		text := q.Proto + " " + cookieIn(q.Msg)
		if q.Msg.IsEdns0() == nil {
			text = q.Proto + " no EDNS"
		}
		out = append(out, text)
	}
	a.all = nil
	return out
}

// ours puts the part of our cookie in texts into a word that a test can know.
func ours(texts []string) (cookie string, out []string) {
	for _, text := range texts {
		proto, c, _ := strings.Cut(text, " ")
		if len(c) >= 2*clientCookie && !strings.HasPrefix(c, "no") {
			if cookie == "" {
				cookie = c[:2*clientCookie]
			}
			text = proto + " " + strings.Replace(c, cookie, "ours ", 1)
		}
		out = append(out, strings.TrimSpace(text))
	}
	return cookie, out
}

// newFaultyServer serves n1.shop.example with a fault, and notes what it is asked.
func newFaultyServer(t *testing.T, fault lab.Fault) (netip.AddrPort, *asked) {
	t.Helper()
	zone, err := lab.NewZone("shop.example. 60 SOA ns. m. 1 2 3 4 5\nn1.shop.example. 60 A 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.NewDNSServer(netip.MustParseAddrPort("127.0.0.1:0"), zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	a := &asked{}
	server.SetFault(func(q lab.Query, truth *dns.Msg) lab.Reply {
		a.mu.Lock()
		a.all = append(a.all, q)
		a.mu.Unlock()
		return fault(q, truth)
	})
	return server.Addr(), a
}

// sendsCookies is a server that does as RFC 7873 says.
func sendsCookies(q lab.Query, truth *dns.Msg) lab.Reply {
	if got := cookieIn(q.Msg); got != "" {
		truth = withCookies(truth, got[:2*clientCookie]+serverCookie)
	}
	return lab.Send(truth)
}

func TestTheCookieOfAServerIsSentBack(t *testing.T) {
	t.Parallel()
	at, asked := newFaultyServer(t, sendsCookies)
	x := newTestExchanger(t)
	for range 2 {
		if r := x.ask(patiently(t), at, numbered(1)); r.msg == nil || r.tcp {
			t.Fatal(r)
		}
	}
	locked(x.servers, func() { x.servers.known[at].sock.born = time.Now().Add(-socketAge) })
	if r := x.ask(patiently(t), at, numbered(1)); r.msg == nil || r.tcp {
		t.Fatal(r)
	}
	cookie, texts := ours(asked.texts())
	if want := []string{"udp ours", "udp ours " + serverCookie, "udp ours " + serverCookie}; !slices.Equal(texts, want) {
		t.Errorf("asked %q, want %q: the last from another port", texts, want)
	}
	if r := newTestExchanger(t).ask(patiently(t), at, numbered(1)); r.msg == nil {
		t.Fatal(r)
	}
	if other, _ := ours(asked.texts()); other == cookie || other == "" {
		t.Errorf("cookies of two exchangers: %q and %q", cookie, other)
	}
}

func TestOurCookieIsAnotherForEachServerAndAddress(t *testing.T) {
	at := netip.MustParseAddrPort
	first := newCookies([]byte("secret"), at("192.0.2.1:1000"), at("192.0.2.53:53"))
	if again := newCookies([]byte("secret"), at("192.0.2.1:2000"), at("192.0.2.53:53")); again != first || len(first.text) != 2*clientCookie {
		t.Errorf("%q, and from another port %q", first.text, again.text)
	}
	for rule, c := range map[string]cookies{
		"another secret":             newCookies([]byte("Secret"), at("192.0.2.1:1000"), at("192.0.2.53:53")),
		"another server":             newCookies([]byte("secret"), at("192.0.2.1:1000"), at("192.0.2.54:53")),
		"another port of the server": newCookies([]byte("secret"), at("192.0.2.1:1000"), at("192.0.2.53:54")),
		"another address of ours":    newCookies([]byte("secret"), at("192.0.2.2:1000"), at("192.0.2.53:53")),
	} {
		if c.text == first.text {
			t.Errorf("%s has the same cookie", rule)
		}
	}
	now := time.Now()
	full := cookies{text: first.text + serverCookie, heard: now}
	for _, c := range []struct {
		rule  string
		fresh cookies
		now   time.Time
		want  string
	}{
		{"soon after", first, now.Add(cookieLife - 1), full.text},
		{"too late", first, now.Add(cookieLife), first.text},
		{"from another address of ours", cookies{text: "00" + first.text[2:]}, now, "00" + first.text[2:]},
	} {
		if got := c.fresh.remembered(full, c.now).text; got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestAnAnswerWithAWrongCookieIsListenedPast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		cookies func(ours string) []string
		wrong   string // empty: it is believed
	}{
		{"another cookie", func(string) []string { return []string{"ffffffffffffffff" + serverCookie} }, "not ours"},
		{"the first of two counts", func(ours string) []string { return []string{"ffffffffffffffff" + serverCookie, ours + serverCookie} }, "not ours"},
		{"the second of two does not", func(ours string) []string { return []string{ours + serverCookie, "ffffffffffffffff" + serverCookie} }, ""},
		{"no byte", func(string) []string { return []string{""} }, "wrong size"},
		{"too short for a server's part", func(ours string) []string { return []string{ours + "00"} }, "wrong size"},
		{"as long as it may be", func(ours string) []string { return []string{ours + strings.Repeat("00", 32)} }, ""},
		{"too long", func(ours string) []string { return []string{ours + strings.Repeat("00", 33)} }, "wrong size"},
		{"only ours, sent back", func(ours string) []string { return []string{ours} }, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			rightAfterwards := false
			var mu sync.Mutex
			at, _ := newFaultyServer(t, func(q lab.Query, truth *dns.Msg) lab.Reply {
				mu.Lock()
				defer mu.Unlock()
				// Sent again without a cookie it would be answered as well.
				got := cookieIn(q.Msg)
				if got == "" {
					return lab.Reply{}
				}
				forged := withCookies(truth, c.cookies(got[:2*clientCookie])...)
				if rightAfterwards {
					return lab.Send(forged, truth)
				}
				return lab.Send(forged)
			})
			r := newTestExchanger(t).ask(shortly(t), at, numbered(1))
			if (r.msg != nil) != (c.wrong == "") || r.msg == nil && (r.outcome != Malformed || !strings.Contains(r.detail, c.wrong)) {
				t.Errorf("got %+v, want %q", r, c.wrong)
			}
			mu.Lock()
			rightAfterwards = true
			mu.Unlock()
			if r := newTestExchanger(t).ask(patiently(t), at, numbered(1)); r.msg == nil {
				t.Errorf("with the right answer afterwards: %+v", r)
			}
		})
	}
}

func TestBADCOOKIEIsAnsweredWithTheNewCookieAndThenOverTCP(t *testing.T) {
	t.Parallel()
	bad := func(q lab.Query, truth *dns.Msg) lab.Reply {
		m := withCookies(truth, cookieIn(q.Msg)[:2*clientCookie]+serverCookie)
		m.Answer, m.Rcode = nil, dns.RcodeBadCookie
		return lab.Send(m)
	}
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		tcp   bool
		want  []string
	}{
		{"the new one is good", func(q lab.Query, truth *dns.Msg) lab.Reply {
			if !strings.HasSuffix(cookieIn(q.Msg), serverCookie) {
				return bad(q, truth)
			}
			return sendsCookies(q, truth)
		}, false, []string{"udp ours", "udp ours " + serverCookie}},
		{"none is good", func(q lab.Query, truth *dns.Msg) lab.Reply {
			if q.Proto == "udp" {
				return bad(q, truth)
			}
			return lab.Send(truth)
		}, true, []string{"udp ours", "udp ours " + serverCookie, "tcp"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			at, asked := newFaultyServer(t, c.fault)
			r := newTestExchanger(t).ask(patiently(t), at, numbered(1))
			if r.msg == nil || len(r.msg.Answer) != 1 || r.tcp != c.tcp || !r.heard {
				t.Errorf("got %+v", r)
			}
			if _, texts := ours(asked.texts()); !slices.Equal(texts, c.want) {
				t.Errorf("asked %q, want %q", texts, c.want)
			}
		})
	}
}

func tellsTruth(_ lab.Query, truth *dns.Msg) lab.Reply { return lab.Send(truth) }

func TestAnAnswerWithoutTheCookieThatIsExpectedIsAskedForOverTCP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		echoes  bool // our own part comes back
		overTCP lab.Fault
		want    string
		tcp     bool
	}{
		{"TCP says the truth", false, tellsTruth, "192.0.2.1", true},
		{"our part alone is no cookie of the server", true, tellsTruth, "192.0.2.1", true},
		{"without TCP it has to be believed", false, func(lab.Query, *dns.Msg) lab.Reply { return lab.Reply{Close: true} }, "192.0.2.66", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			forges := false
			at, asked := newFaultyServer(t, func(q lab.Query, truth *dns.Msg) lab.Reply {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case q.Proto == "tcp":
					return c.overTCP(q, truth)
				case forges:
					truth.Answer[0].(*dns.A).A = []byte{192, 0, 2, 66}
					if c.echoes {
						truth = withCookies(truth, cookieIn(q.Msg)[:2*clientCookie])
					}
					return lab.Send(truth)
				}
				return sendsCookies(q, truth)
			})
			x := newTestExchanger(t)
			if r := x.ask(patiently(t), at, numbered(1)); r.msg == nil || r.tcp {
				t.Fatal(r)
			}
			mu.Lock()
			forges = true
			mu.Unlock()
			r := x.ask(patiently(t), at, numbered(1))
			if r.msg == nil || r.tcp != c.tcp || !r.heard || r.msg.Answer[0].(*dns.A).A.String() != c.want {
				t.Errorf("got %+v, want %s", r, c.want)
			}
			if _, texts := ours(asked.texts()); !slices.Equal(texts, []string{"udp ours", "udp ours " + serverCookie, "tcp"}) {
				t.Errorf("asked %q", texts)
			}
		})
	}
}

func TestWhoDropsCookiesIsAskedWithout(t *testing.T) {
	t.Parallel()
	var drops atomic.Bool
	drops.Store(true)
	at, asked := newFaultyServer(t, lab.When(func(q lab.Query) bool { return drops.Load() && cookieIn(q.Msg) != "" }, lab.Silent))
	x := newTestExchanger(t)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // of which the first try has a third
		defer cancel()
		if r := x.ask(ctx, at, numbered(1)); r.msg == nil || !r.shy {
			t.Errorf("got %+v", r)
		}
	}
	insisting := numbered(1)
	insisting.insists = true
	if r := x.ask(shortly(t), at, insisting); r.outcome != Silent {
		t.Errorf("who insists got %+v", r)
	}
	drops.Store(false)
	for _, q := range []question{insisting, numbered(1)} {
		if r := x.ask(patiently(t), at, q); r.msg == nil || r.shy {
			t.Errorf("when cookies are welcome again: %+v", r)
		}
	}
	if _, texts := ours(asked.texts()); !slices.Equal(texts, []string{"udp ours", "udp", "udp", "udp ours", "udp ours", "udp ours", "udp ours"}) {
		t.Errorf("asked %q", texts)
	}
}
