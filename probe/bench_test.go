package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"testing"

	"driftprobe/internal/inventory"
)

// BenchmarkProbe compares a whole observation with the least that could be done:
// a handshake that the standard library verifies, and a GET. The difference is
// what the facts cost. What it costs beside everything else is measured by "make cost".
func BenchmarkProbe(b *testing.B) {
	w := newWorld(b)
	at := listen(b, tlsServer(w.good, says(okResponse)))
	p := prober(w.roots)
	observe := func(b *testing.B) {
		if o := p.Observe(b.Context(), Request{Target: target(at), Address: at}); !o.Answers(o.At) {
			b.Fatalf("%+v", o.Fault)
		}
	}
	bare := bareProbe(w, at)
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			observe(b)
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bare(b)
		}
	})
}

func bareProbe(w world, at netip.AddrPort) func(*testing.B) {
	transport := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: w.roots}}
		return d.DialContext(ctx, "tcp", at.String())
	}}
	return func(b *testing.B) {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://"+host+"/", nil)
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

// BenchmarkIdleTarget reports what is kept of one target between two looks at it: the
// target and the newest observation, all of it its own but the chain, which those
// that present it share.
func BenchmarkIdleTarget(b *testing.B) {
	w := newWorld(b)
	at := listen(b, tlsServer(w.good, says(okResponse)))
	p := prober(w.roots)
	const many = 500
	for b.Loop() {
		p.Observe(b.Context(), Request{Target: target(at), Address: at}) // what is remembered once
		before := heap()
		targets, seen := make([]inventory.Target, many), make([]Observation, many)
		for i := range many {
			name := fmt.Sprintf("https://%s/%d", host, i)
			targets[i] = inventory.Target{Key: name, Host: host, Port: at.Port(), Path: "/" + fmt.Sprint(i)}
			seen[i] = p.Observe(b.Context(), Request{Target: targets[i], Address: at})
			if !seen[i].Answers(seen[i].At) {
				b.Fatalf("%+v", seen[i].Fault)
			}
		}
		after := heap()
		b.ReportMetric((float64(after)-float64(before))/many, "B/target")
		runtime.KeepAlive(targets)
		runtime.KeepAlive(seen)
	}
}

// heap is what is in use after the garbage is gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
