package probe_test

import (
	"crypto/tls"
	"flag"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
	"driftprobe/internal/lab/exchanges"
	"driftprobe/internal/lab/handshakes"
	"driftprobe/internal/trial"
	"driftprobe/probe"
)

// probes is how many looks TestNothingIsLeftBehind makes; "make soak" makes ten
// thousand.
var probes = flag.Int("probes", 400, "looks at servers that misbehave")

// world is the authority of the rows of HTTP.
type world struct {
	ca   *lab.CA
	cert tls.Certificate
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func newWorld(t *testing.T) world {
	t.Helper()
	ca, err := lab.NewCA("Test Root X1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := exchanges.Certificate(ca)
	if err != nil {
		t.Fatal(err)
	}
	return world{ca, cert}
}

// place has the lab serve a row until the test ends.
func (w world) place(t *testing.T, s exchanges.Situation) netip.AddrPort {
	t.Helper()
	here := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	site, closeAll, err := s.Surround(here, w.cert)
	t.Cleanup(func() { _ = closeAll() })
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.NewWebServer(netip.AddrPortFrom(here, 0), site, w.cert)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr()
}

// TestHandshakes serves every row of the table over real sockets, looks and judges.
func TestHandshakes(t *testing.T) {
	rows := handshakes.All()
	if len(rows) < 115 {
		t.Fatalf("only %d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, s := range rows {
		if seen[s.Name] || s.Refs == "" {
			t.Errorf("%q stands twice, or says nobody who describes it", s.Name)
		}
		seen[s.Name] = true
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w, err := handshakes.NewWorld()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			offers := s.Offers(w)
			if err := w.Err(); err != nil {
				t.Fatal(err)
			}
			var at []netip.AddrPort
			for i, offer := range offers {
				server, err := lab.NewTLSServer(netip.AddrPortFrom(handshakes.At(lab.NewNet(0, 0), i), 0), offer)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = server.Close() })
				at = append(at, server.At)
			}
			for _, problem := range trial.Unmet(s.Want, trial.Handshakes(t.Context(), s, w.Root.Pool(), at...)) {
				t.Error(problem)
			}
		})
	}
}

// TestExchanges does the same with the table of HTTP, which gives every code of its
// family.
func TestExchanges(t *testing.T) {
	rows := exchanges.All()
	if len(rows) < 210 {
		t.Fatalf("only %d rows", len(rows))
	}
	w := newWorld(t)
	seen := map[string]bool{}
	for _, s := range rows {
		if seen[s.Name] || s.Refs == "" {
			t.Errorf("%q stands twice, or says nobody who describes it", s.Name)
		}
		seen[s.Name] = true
		for _, want := range s.Want {
			seen[want.Code] = true
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			faults, err := trial.Exchange(t.Context(), s, w.ca.Pool(), w.place(t, s))
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults {
				t.Error(fault)
			}
		})
	}
	for _, e := range finding.Catalogue() {
		if e.Code.Family() == "http" && !seen[string(e.Code)] {
			t.Errorf("no row gives %s", e.Code)
		}
	}
}

// maxMemory is what one look may allocate, all together, at whatever its peer does:
// ours and the server's part of the test.
const maxMemory = 24 << 20

// TestBombsAreBounded: what a look allocates in all bounds what it holds at once.
func TestBombsAreBounded(t *testing.T) {
	w := newWorld(t)
	for _, s := range exchanges.All() {
		r := w.request(t, s)
		limit := time.Minute
		if s.Endless {
			limit = 300 * time.Millisecond
		}
		p := probe.New(probe.Settings{Roots: w.ca.Pool(), Allow: loopback(), Timeout: limit})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p.Observe(t.Context(), r)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > maxMemory {
			t.Errorf("%s: %d MiB", s.Name, n>>20)
		}
	}
	requests, root := handshakesOf(t)
	p := probe.New(probe.Settings{Roots: root.Pool(), Allow: loopback(), Timeout: time.Minute, FetchIssuers: true})
	for _, r := range requests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p.Observe(t.Context(), r)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > maxMemory {
			t.Errorf("a row of TLS at %s: %d MiB", r.Address, n>>20)
		}
	}
}

// request is the one for a row that is served until the test ends.
func (w world) request(t *testing.T, s exchanges.Situation) probe.Request {
	t.Helper()
	r, err := trial.Request(s, w.place(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// handshakesOf are requests to the rows of TLS, which are served until the test ends, and
// the authority that they trust.
func handshakesOf(t *testing.T) (all []probe.Request, root *lab.CA) {
	t.Helper()
	w, err := handshakes.NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for _, s := range handshakes.All() {
		for _, offer := range s.Offers(w) {
			server, err := lab.NewTLSServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0), offer)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			goal := inventory.Target{Key: "https://" + handshakes.Host + "/", Host: handshakes.Host, Port: server.At.Port(), Path: "/"}
			all = append(all, probe.Request{Target: goal, Address: server.At})
		}
	}
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	return all, w.Root
}

// TestNothingIsLeftBehind: no goroutine and no file descriptor, whatever the servers
// do.
func TestNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	all, root := handshakesOf(t)
	roots := w.ca.Pool()
	roots.AddCert(root.Cert)
	for _, s := range exchanges.All() {
		all = append(all, w.request(t, s))
	}
	p := probe.New(probe.Settings{Roots: roots, Allow: loopback(), Timeout: 100 * time.Millisecond, FetchIssuers: true})
	p.Observe(t.Context(), all[0]) // whatever is opened once
	goroutines, files := runtime.NumGoroutine(), openFiles()
	work := make(chan probe.Request)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for r := range work {
				p.Observe(t.Context(), r)
			}
		})
	}
	for i := range *probes {
		work <- all[i%len(all)]
	}
	close(work)
	workers.Wait()
	// What servers still hold is let go of when they notice.
	tick, end := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		g, f := runtime.NumGoroutine(), openFiles()
		if g <= goroutines && f <= files {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%d goroutines were %d, %d files were %d", g, goroutines, f, files)
		}
	}
}

// openFiles counts our file descriptors; 0 where the system does not show them.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.IsDir() }))
}
