//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/internal/metrics"
	"driftprobe/internal/monitor"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// apart tells the process that serves the benchmark what it is for.
const apart = "DRIFTPROBE_BENCHMARK_SERVER"

// TestServeTheBenchmark is the server of BenchmarkCost, in a process of its own, so
// that what it costs is not counted. Without the variable it has nothing to do.
func TestServeTheBenchmark(t *testing.T) {
	if os.Getenv(apart) == "" {
		return
	}
	root, err := lab.NewCA("Benchmark Root")
	if err != nil {
		t.Fatal(err)
	}
	between, err := root.Intermediate(lab.CertSpec{CommonName: "Benchmark R3", NotAfter: time.Now().AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := between.Issue(lab.CertSpec{Names: []string{"*.bench.example"}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", listener.Addr(), root.PEM())
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started us ends
	_ = server.Close()
}

// serveApart starts that process.
func serveApart(b *testing.B) (netip.AddrPort, *x509.CertPool) {
	b.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestServeTheBenchmark$")
	command.Env = append(os.Environ(), apart+"=1")
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
	})
	var at netip.AddrPort
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !at.IsValid() {
			at, _ = netip.ParseAddrPort(lines.Text())
			continue
		}
		fmt.Fprintln(&text, lines.Text())
		if lines.Text() == "-----END CERTIFICATE-----" {
			break
		}
	}
	block, _ := pem.Decode([]byte(text.String()))
	if block == nil || !at.IsValid() {
		b.Fatalf("the server says %q", text.String())
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return at, pool
}

// spent is the processor time of this process, user and system.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkCost measures processor time, beside the least that could be done: a
// handshake that the standard library verifies, and a GET. TLS 1.3, P-256, one
// intermediate, no names resolved.
//
// "flat-out" does a probe and that by turns, as fast as it goes. "loop" watches 1,000
// targets every 10 s, with all that the process does: the loop, judging, metrics and a
// scrape every 10 s. "idle" is the memory of 10,000 targets after the first looks.
func BenchmarkCost(b *testing.B) {
	at, roots := serveApart(b)
	b.Run("flat-out", func(b *testing.B) { flatOut(b, at, roots) })
	b.Run("loop", func(b *testing.B) { wholeLoop(b, at, roots) })
	b.Run("idle", func(b *testing.B) { idleMemory(b, at, roots) })
}

func costTargets(n int, at netip.AddrPort) []inventory.Target {
	all := make([]inventory.Target, 0, n)
	for i := range n {
		host := fmt.Sprintf("host-%d.bench.example", i)
		all = append(all, inventory.Target{
			Key: fmt.Sprintf("https://%s:%d/", host, at.Port()), Host: host, Port: at.Port(), Path: "/", Addresses: []netip.Addr{at.Addr()}, Origin: "config",
		})
	}
	return byKey(all)
}

func flatOut(b *testing.B, at netip.AddrPort, roots *x509.CertPool) {
	p := probe.New(probe.Settings{Roots: roots, Timeout: time.Minute})
	goal := costTargets(1, at)[0]
	bare := bareProbe(b, at, roots)
	full := func() {
		if o := p.Observe(b.Context(), probe.Request{Target: goal, Address: at, Pinned: true}); !o.Answers(o.At) {
			b.Fatalf("%+v", o.Fault)
		}
	}
	for b.Loop() {
		ours, least := make([]float64, turns), make([]float64, turns)
		for i := range turns {
			ours[i], least[i] = each(b, full), each(b, bare)
		}
		compared(b, median(ours), median(least))
	}
}

const (
	// turn is how often something is done between two looks at the clock: the kernel
	// counts in steps. The median of so many turns is what is reported.
	turn  = 20
	turns = 51
)

// each is the processor time of doing it once, in microseconds.
func each(b *testing.B, do func()) float64 {
	b.Helper()
	began := spent(b)
	for range turn {
		do()
	}
	return float64((spent(b) - began).Microseconds()) / turn
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func compared(b *testing.B, ours, least float64) {
	b.Helper()
	b.ReportMetric(ours, "cpu-µs/probe")
	b.ReportMetric(least, "cpu-µs/bare")
	b.ReportMetric(ours/least, "times-bare")
}

func bareProbe(b *testing.B, at netip.AddrPort, roots *x509.CertPool) func() {
	transport := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{ServerName: "host-0.bench.example", RootCAs: roots}}
		return d.DialContext(ctx, "tcp", at.String())
	}}
	return func() {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://host-0.bench.example/", nil)
		if err != nil {
			b.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// watching runs the loop over the targets, until stop is called.
func watching(b *testing.B, targets []inventory.Target, roots *x509.CertPool, interval time.Duration, publish func(snapshot.Snapshot, finding.Report)) (stats *monitor.Stats, stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	prober := probe.New(probe.Settings{Roots: roots})
	stats = new(monitor.Stats)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		monitor.Run(ctx, monitor.Options{
			Interval: interval, Workers: 1000, Targets: targets, Probe: prober.Observe, Publish: publish, Stats: stats,
			Resolve: func(_ context.Context, host string) dnscheck.Observation {
				return dnscheck.Observation{Host: host, At: time.Now(), Steps: []dnscheck.Step{{Name: host, Zone: "bench.example", Answers: []dnscheck.Answer{{
					Server: dnscheck.Server{Name: "ns.bench.example", Address: netip.MustParseAddrPort("192.0.2.53:53")},
					Type:   dnscheck.A, Outcome: dnscheck.OK, Addresses: targets[0].Addresses, TTL: 300,
				}}}}}
			},
		})
	}()
	return stats, func() {
		cancel()
		<-ended
	}
}

func wholeLoop(b *testing.B, at netip.AddrPort, roots *x509.CertPool) {
	const interval = 10 * time.Second
	bare := bareProbe(b, at, roots)
	for b.Loop() {
		var ours, least []float64 // least half before and half after: a machine is not equally fast all the time
		for range turns / 2 {
			least = append(least, each(b, bare))
		}
		collector, shown := metrics.New("v", "c"), &page{}
		stats, stop := watching(b, costTargets(1000, at), roots, interval, func(s snapshot.Snapshot, r finding.Report) {
			collector.Set(s, r)
			shown.set(look{ready: true, snap: s, report: r})
		})
		for !shown.get().ready || stats.Probes.Load() < 1000 {
			time.Sleep(interval) // all the first looks at once are not what is measured
		}
		for range 4 {
			began, from := spent(b), stats.Probes.Load()
			time.Sleep(interval)
			if _, err := collector.Registry().Gather(); err != nil {
				b.Fatal(err)
			}
			ours = append(ours, float64((spent(b)-began).Microseconds())/float64(stats.Probes.Load()-from))
		}
		stop()
		if last := shown.get(); !last.ready || len(last.report.Findings) > 0 {
			b.Fatalf("%+v", last.report)
		}
		for range turns / 2 {
			least = append(least, each(b, bare))
		}
		compared(b, median(ours), median(least))
	}
}

func idleMemory(b *testing.B, at netip.AddrPort, roots *x509.CertPool) {
	const many = 10_000
	used := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := used()
		var newest look
		all := make(chan struct{}, 1)
		stats, stop := watching(b, costTargets(many, at), roots, 40*time.Second, func(s snapshot.Snapshot, r finding.Report) {
			newest = look{ready: true, snap: s, report: r}
			if len(s.Observations.Probes) == many && !slices.ContainsFunc(s.Observations.Probes, func(o probe.Observation) bool { return o.HTTP == nil }) {
				select {
				case all <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-all:
		case <-time.After(5 * time.Minute):
			b.Fatalf("%d targets were not all seen, after %d probes", many, stats.Probes.Load())
		}
		// At one moment or another a look or a judgement is under way: the least is what
		// idle targets take.
		least := used()
		for range 8 {
			time.Sleep(500 * time.Millisecond)
			least = min(least, used())
		}
		b.ReportMetric((least-before)/many, "B/target")
		b.ReportMetric(float64(stats.Probes.Load()), "probes")
		stop()
		runtime.KeepAlive(newest)
	}
}
