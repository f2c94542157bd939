//go:build unix

package dnscheck

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// The benchmarks ask the same server, in this process, so its work is in all of
// them; what tells is the difference in cpu-µs/op.

func benchServer(tb testing.TB) netip.AddrPort {
	tb.Helper()
	zone, err := lab.NewZone("shop.example. 60 SOA ns. m. 1 2 3 4 5\nshop.example. 60 NS ns.\nwww.shop.example. 60 A 192.0.2.1\nwww.shop.example. 60 A 192.0.2.2")
	if err != nil {
		tb.Fatal(err)
	}
	server, err := lab.NewDNSServer(netip.MustParseAddrPort("127.0.0.1:0"), zone)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return server.Addr()
}

// cpu is the processor time of this process.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func perQuery(b *testing.B, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	begin := cpu(b)
	f()
	b.ReportMetric(float64((cpu(b)-begin).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

func benchQuestion() question { return question{name: "www.shop.example.", qtype: dns.TypeA} }

func BenchmarkExchange(b *testing.B) {
	for name, parallel := range map[string]int{"sequential": 0, "parallel": 8} {
		b.Run(name, func(b *testing.B) {
			x, at := newExchanger(256, 0, unlimitedRate), benchServer(b)
			defer x.close()
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			once := func() {
				if r := x.ask(ctx, at, benchQuestion()); r.msg == nil || len(r.msg.Answer) != 2 {
					b.Error(r)
				}
			}
			once()
			perQuery(b, func() {
				if parallel == 0 {
					for range b.N {
						once()
					}
					return
				}
				b.SetParallelism(parallel) // times GOMAXPROCS
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						once()
					}
				})
			})
		})
	}
}

// plainExchange is how the library is used at its fastest, with none of our checks.
func plainExchange(b *testing.B, client *dns.Client, conn *dns.Conn) {
	b.Helper()
	m := new(dns.Msg).SetQuestion("www.shop.example.", dns.TypeA)
	m.SetEdns0(udpSize, false)
	if r, _, err := client.ExchangeWithConn(m, conn); err != nil || len(r.Answer) != 2 {
		b.Error(r, err)
	}
}

func BenchmarkExchangeWithConn(b *testing.B) {
	client := &dns.Client{UDPSize: udpSize}
	conn, err := client.Dial(benchServer(b).String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	perQuery(b, func() {
		for range b.N {
			plainExchange(b, client, conn)
		}
	})
}

func BenchmarkNewSocketPerQuery(b *testing.B) {
	client, at := &dns.Client{UDPSize: udpSize}, benchServer(b).String()
	perQuery(b, func() {
		for range b.N {
			conn, err := client.Dial(at)
			if err != nil {
				b.Fatal(err)
			}
			plainExchange(b, client, conn)
			conn.Close()
		}
	})
}
