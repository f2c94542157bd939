package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
)

// BenchmarkProbe compares a whole observation with the least that could be done:
// a handshake that the standard library verifies, and a GET. The difference is
// what the facts cost.
func BenchmarkProbe(b *testing.B) {
	w := newWorld(b)
	at := listen(b, tlsServer(w.good, says(okResponse)))
	b.Run("observe", func(b *testing.B) {
		p := prober(w.roots)
		b.ReportAllocs()
		for b.Loop() {
			if o := p.Observe(b.Context(), Request{Target: target(at), Address: at}); !o.Answers(o.At) {
				b.Fatalf("%+v", o.Fault)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		transport := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: w.roots}}
			return d.DialContext(ctx, "tcp", at.String())
		}}
		b.ReportAllocs()
		for b.Loop() {
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
	})
}
