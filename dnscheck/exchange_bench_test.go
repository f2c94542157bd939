//go:build unix

package dnscheck

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// cpu is the processor time of this process, in the system too.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkExchange tells what a question costs in each way, in processor time of
// this process; the server is in another one. The ways take turns, so that what else
// the machine does counts for all alike. It does count: a processor that has to be
// woken for each packet makes a question that waits alone dearer. Medians in µs on a
// virtual machine with two processors, -benchtime 4x:
//
//	                          bare  new socket  sequential  pipelined
//	load 1, 5 runs            23.3        54.4        26.6        9.9
//	load 20, 9 runs           17.1        38.2        15.6       10.8
//
// The system's own work to send and to receive on loopback was 5.4 of the pipelined.
func BenchmarkExchange(b *testing.B) {
	const (
		round    = 4096
		inFlight = 64
	)
	at := benchServer(b)
	x := newExchanger(256, 0, unlimitedRate)
	defer x.close()
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	ask := func() {
		r := x.ask(ctx, at, question{name: "www.shop.example.", qtype: dns.TypeA})
		if r.msg == nil || len(r.msg.Answer) != 2 {
			b.Error(r)
		}
	}
	client := &dns.Client{UDPSize: udpSize}
	conn, err := client.Dial(at.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ways := []struct {
		name string
		once func() // asks round questions
		cpu  time.Duration
	}{
		{name: "bare", once: func() {
			for range round {
				plainExchange(b, client, conn)
			}
		}},
		{name: "new-socket", once: func() {
			for range round {
				conn, err := client.Dial(at.String())
				if err != nil {
					b.Fatal(err)
				}
				plainExchange(b, client, conn)
				conn.Close()
			}
		}},
		{name: "sequential", once: func() {
			for range round {
				ask()
			}
		}},
		{name: "pipelined", once: func() {
			var asked sync.WaitGroup
			for range inFlight {
				asked.Go(func() {
					for range round / inFlight {
						ask()
					}
				})
			}
			asked.Wait()
		}},
	}
	for b.Loop() {
		for i := range ways {
			begin := cpu(b)
			ways[i].once()
			ways[i].cpu += cpu(b) - begin
		}
	}
	for _, w := range ways {
		b.ReportMetric(float64(w.cpu.Nanoseconds())/float64(b.N)/round, w.name+"-cpu-ns")
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
