package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Resolver is a caching recursive resolver.
type Resolver struct {
	*Process
	Addr netip.Addr
	kind Recursive
	dir  string
}

// Recursive is one kind of recursive resolver. It validates nothing, and below a
// private root it is else as its makers deliver it.
type Recursive struct {
	Name      string
	configure func(t testing.TB, dir string, addr, root netip.Addr) []string
	// flush empties the cache of the one that runs in the folder.
	flush func(t testing.TB, dir string)
}

// Recursives are all the kinds of recursive resolvers.
func Recursives() []Recursive { return []Recursive{Unbound(), RecursiveBIND()} }

// Unbound is NLnet Labs' resolver. It does not prefetch and does not serve expired
// answers, so that its cache ends when the TTL does.
func Unbound() Recursive { return Recursive{"unbound", unbound, flushUnbound} }

// RecursiveBIND is ISC's server, as a resolver.
func RecursiveBIND() Recursive { return Recursive{"bind", recursiveBIND, flushBIND} }

// Start runs the resolver at an address, port 53, and returns when it answers
// anything at all: its root need not.
func (r Recursive) Start(t testing.TB, addr, root netip.Addr) *Resolver {
	t.Helper()
	return r.start(t, makeDir(t, filepath.Join(shortDir(t), r.Name)), addr, root)
}

func (r Recursive) start(t testing.TB, dir string, addr, root netip.Addr) *Resolver {
	t.Helper()
	s := &Resolver{Addr: addr, kind: r, dir: dir}
	s.Process = startProcess(t, dir, "resolver", nil, r.configure(t, dir, addr, root)...)
	s.awaitAnswer(t)
	return s
}

// Flush makes the resolver forget all that it has read, also of servers.
func (r *Resolver) Flush(t testing.TB) {
	t.Helper()
	r.kind.flush(t, r.dir)
}

// Restart is Flush, and the end of all that is still being asked.
func (r *Resolver) Restart(t testing.TB) {
	t.Helper()
	r.Stop(t)
	r.Process.Start(t)
	r.awaitAnswer(t)
}

func (r *Resolver) awaitAnswer(t testing.TB) {
	t.Helper()
	r.ready(t, func(ctx context.Context) error {
		// A question of the class CHAOS is never passed on (RFC 4892).
		question := new(dns.Msg).SetQuestion("version.bind.", dns.TypeTXT)
		question.Question[0].Qclass = dns.ClassCHAOS
		_, _, err := new(dns.Client).ExchangeContext(ctx, question, netip.AddrPortFrom(r.Addr, 53).String())
		return err
	})
}

// hints is the file that tells a resolver where the root is.
func hints(t testing.TB, dir string, root netip.Addr) string {
	t.Helper()
	return writeFile(t, filepath.Join(dir, "root.hints"),
		fmt.Sprintf(". 3600000 NS root-server.\nroot-server. 3600000 A %s\n", root))
}

func unbound(t testing.TB, dir string, addr, root netip.Addr) []string {
	t.Helper()
	conf := writeFile(t, filepath.Join(dir, "unbound.conf"), fmt.Sprintf(`server:
  interface: %s
  port: 53
  do-ip6: no
  do-daemonize: no
  num-threads: 1
  use-syslog: no
  logfile: ""
  chroot: ""
  username: ""
  pidfile: ""
  directory: %q
  root-hints: %q
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  local-zone: "test." nodefault
  module-config: "iterator"
  prefetch: no
  serve-expired: no
  minimal-responses: yes
remote-control:
  control-enable: yes
  control-interface: "%[2]s/control"
  control-use-cert: no
`, addr, dir, hints(t, dir, root)))
	return []string{"unbound", "-d", "-p", "-c", conf}
}

// flushUnbound speaks what unbound-control speaks on a socket without TLS.
func flushUnbound(t testing.TB, dir string) {
	t.Helper()
	for _, command := range []string{"flush_zone .", "flush_infra all", "flush_requestlist"} {
		conn, err := net.Dial("unix", filepath.Join(dir, "control"))
		if err != nil {
			t.Fatalf("control unbound: %v", err)
		}
		_, err = fmt.Fprintf(conn, "UBCT1 %s\n", command)
		said, readErr := io.ReadAll(conn)
		if err := errors.Join(err, readErr, conn.Close()); err != nil || !strings.HasPrefix(string(said), "ok") {
			t.Fatalf("control unbound: %s: %q, %v", command, said, err)
		}
	}
}

func recursiveBIND(t testing.TB, dir string, addr, root netip.Addr) []string {
	t.Helper()
	ownAddress(t, addr)
	const key = `key "test" { algorithm hmac-sha256; secret "dGVzdA=="; };` + "\n"
	writeFile(t, filepath.Join(dir, "rndc.conf"), fmt.Sprintf("%soptions { default-key \"test\"; default-server %s; };\n", key, addr))
	conf := writeFile(t, filepath.Join(dir, "named.conf"), namedOptions(dir, []netip.Addr{addr}, `
  recursion yes;
  allow-recursion { 127.0.0.0/8; };
  prefetch 0;
`)+key+fmt.Sprintf("controls { inet %s allow { 127.0.0.0/8; } keys { \"test\"; }; };\n", addr)+
		fmt.Sprintf("zone \".\" { type hint; file %q; };\n", hints(t, dir, root)))
	return []string{"named", "-4", "-g", "-n", "1", "-U", "1", "-c", conf}
}

func flushBIND(t testing.TB, dir string) {
	t.Helper()
	if out, err := exec.Command(executable("rndc"), "-c", filepath.Join(dir, "rndc.conf"), "flush").CombinedOutput(); err != nil {
		t.Fatalf("rndc flush: %v\n%s", err, out)
	}
}

// Prime makes the resolver read the name now and returns its answer.
func (r *Resolver) Prime(t testing.TB, name string) Answer {
	t.Helper()
	var answer Answer
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		var err error
		answer, err = Ask(ctx, r.Addr, name)
		if err == nil && len(answer.Addresses) == 0 {
			err = errors.New("no address")
		}
		return err
	})
	if err != nil {
		t.Fatalf("ask the resolver for %s: %v", name, err)
	}
	return answer
}

// AwaitFailure returns when the resolver has given up on the name and says so at
// once (SERVFAIL); at first it is silent, because it goes on trying.
func (r *Resolver) AwaitFailure(t testing.TB, name string) {
	t.Helper()
	err := Poll(t, readyWithin, func(ctx context.Context) error {
		_, err := Ask(ctx, r.Addr, name)
		if errors.Is(err, errRcode) {
			return nil
		}
		return fmt.Errorf("no SERVFAIL yet: %w", err)
	})
	if err != nil {
		t.Fatalf("wait until the resolver gives up on %s: %v", name, err)
	}
}

// Heard is what a client heard about the addresses of a name.
type Heard struct {
	// Addresses are those of both families, sorted.
	Addresses []netip.Addr
	// A and AAAA say how each question ended: an RCODE, or Silence.
	A, AAAA string
}

// Silence is the end of a question that nobody answered in time.
const Silence = "silence"

// Resolve asks as clients do: for both families at once, over TCP if the answer
// does not fit, and once more after five seconds of silence (resolv.conf(5),
// timeout and attempts).
func (r *Resolver) Resolve(ctx context.Context, name string) Heard {
	var h Heard
	var v4, v6 []netip.Addr
	var both sync.WaitGroup
	both.Go(func() { v4, h.A = r.stub(ctx, name, dns.TypeA) })
	both.Go(func() { v6, h.AAAA = r.stub(ctx, name, dns.TypeAAAA) })
	both.Wait()
	h.Addresses = slices.Concat(v4, v6)
	slices.SortFunc(h.Addresses, netip.Addr.Compare)
	return h
}

func (r *Resolver) stub(ctx context.Context, name string, kind uint16) ([]netip.Addr, string) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	server := netip.AddrPortFrom(r.Addr, 53).String()
	for range 2 {
		const patience = 5 * time.Second
		reply, _, err := (&dns.Client{Timeout: patience}).ExchangeContext(ctx, question, server)
		if err == nil && reply.Truncated {
			reply, _, err = (&dns.Client{Net: "tcp", Timeout: patience}).ExchangeContext(ctx, question, server)
		}
		switch {
		case err != nil:
		case reply.Rcode != dns.RcodeSuccess:
			return nil, dns.RcodeToString[reply.Rcode] // and no client reads on
		default:
			return addresses(reply.Answer), dns.RcodeToString[reply.Rcode]
		}
	}
	return nil, Silence
}

func addresses(rrs []dns.RR) []netip.Addr {
	var all []netip.Addr
	for _, rr := range rrs {
		var ip net.IP
		switch rec := rr.(type) {
		case *dns.A:
			ip = rec.A.To4()
		case *dns.AAAA:
			ip = rec.AAAA.To16()
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, addr)
		}
	}
	return all
}
