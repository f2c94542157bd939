package dnscheck_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// textOf is how many bytes of text something keeps in memory.
func textOf(v reflect.Value, seen map[*byte]bool) (n int) {
	switch v.Kind() {
	case reflect.String:
		if p := unsafe.StringData(v.String()); v.Len() > 0 && !seen[p] {
			seen[p] = true
			n = v.Len()
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += textOf(v.Index(i), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n += textOf(v.Field(i), seen)
			}
		}
	}
	return n
}

func TestWhatIsKeptOfAHostileZoneIsBounded(t *testing.T) {
	t.Parallel()
	const servers, most = 26, 33 << 10 // zoneNames, and names of constants
	label := strings.Repeat(`\001`, 60)
	evil := func(server, i int) string {
		return fmt.Sprintf(`x%d-%d.%s.%s.%s.%s.shop.example.`, server, i, label, label, label, label[:80])
	}
	for rule, c := range map[string]struct {
		own  func(server int) int // which names a server gives
		cut  bool
		kept bool // the servers' lists
	}{
		"the same long names on all servers":  {func(int) int { return 0 }, false, true},
		"other long names on each server":     {func(server int) int { return server }, true, false},
		"other long names on some few of all": {func(server int) int { return server % 2 }, true, false},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t, func(r realm) []lab.ZoneSpec {
				z := r.shop("")
				z.Servers = nil
				for i := range servers {
					z.Servers = append(z.Servers, lab.NameServer{Name: fmt.Sprintf("n%d.shop.example.", i), Addr: r.net.Addr(byte(11 + i))})
				}
				return []lab.ZoneSpec{z}
			}, nil)
			for server := range servers {
				r.server(byte(11 + server)).SetFault(func(q lab.Query, truth *dns.Msg) lab.Reply {
					if q.Type != dns.TypeNS {
						return lab.Send(truth)
					}
					if q.Proto == "udp" {
						return lab.AlwaysTruncated(q, truth)
					}
					m := truth.Copy()
					m.Answer, m.Compress = nil, true
					for i := range servers {
						m.Answer = append(m.Answer, &dns.NS{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeNS, Class: 1, Ttl: 60}, Ns: evil(c.own(server), i)})
					}
					return lab.Send(m)
				})
			}
			o := r.dns.ObserveZone(t.Context(), "shop.example")
			if n := textOf(reflect.ValueOf(o), map[*byte]bool{}); n > most {
				t.Errorf("%d bytes of text are kept", n)
			}
			lists := 0
			for _, s := range o.Servers {
				lists += len(s.NS)
			}
			if len(o.Servers) == 0 || (lists > 0) != c.kept || c.cut && o.Cut == "" {
				t.Errorf("%d servers, %d names in their lists, cut %q", len(o.Servers), lists, o.Cut)
			}
			for _, f := range dnscheck.JudgeZone(o.At, o) {
				if c.cut && strings.Contains(f.Summary, "does not match the zone") {
					t.Errorf("judged from lists that were not kept: %s", f.Summary)
				}
			}
		})
	}
}
