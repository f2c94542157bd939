package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Answer is what a server said about the addresses of one name.
type Answer struct {
	Addresses []netip.Addr
	// TTL is the smallest in the answer, in seconds; Asked and At are the moments
	// before the question and after the answer.
	TTL       uint32
	Asked, At time.Time
}

// Ask asks a server for the A records of a name, with recursion desired.
func Ask(ctx context.Context, server netip.Addr, name string) (Answer, error) {
	a := Answer{Asked: time.Now()}
	reply, err := exchange(ctx, server, name, dns.TypeA)
	a.At = time.Now()
	if err != nil {
		return a, err
	}
	for _, rr := range reply.Answer {
		if ttl := rr.Header().Ttl; a.TTL == 0 || ttl < a.TTL {
			a.TTL = ttl
		}
		if rec, ok := rr.(*dns.A); ok {
			addr, _ := netip.AddrFromSlice(rec.A.To4())
			a.Addresses = append(a.Addresses, addr)
		}
	}
	slices.SortFunc(a.Addresses, netip.Addr.Compare)
	return a, nil
}

// Serial asks a server for the serial of a zone that it is an authority for.
func Serial(ctx context.Context, server netip.Addr, zone string) (uint32, error) {
	reply, err := exchange(ctx, server, zone, dns.TypeSOA)
	if err != nil {
		return 0, err
	}
	for _, rr := range reply.Answer {
		if soa, ok := rr.(*dns.SOA); ok && reply.Authoritative {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("%s gave no SOA of %s", server, zone)
}

func exchange(ctx context.Context, server netip.Addr, name string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	reply, _, err := new(dns.Client).ExchangeContext(ctx, question, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, fmt.Errorf("ask %s for %s %s: %w", server, name, dns.TypeToString[kind], err)
	}
	if reply.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("%s says %s for %s: %w", server, dns.RcodeToString[reply.Rcode], name, errRcode)
	}
	return reply, nil
}

// Resolver is a caching recursive resolver.
type Resolver struct {
	*Process
	Addr netip.Addr
}

// startResolver runs unbound below the private root. It does not prefetch and
// does not serve expired answers, so that its cache ends when the TTL does.
func startResolver(t testing.TB, dir string, addr, root netip.Addr) *Resolver {
	t.Helper()
	dir = makeDir(t, filepath.Join(dir, "resolver"))
	hints := writeFile(t, filepath.Join(dir, "root.hints"),
		fmt.Sprintf(". 3600000 NS root-server.\nroot-server. 3600000 A %s\n", root))
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
  module-config: "iterator"
  prefetch: no
  serve-expired: no
  minimal-responses: yes
remote-control:
  control-enable: no
`, addr, dir, hints))
	r := &Resolver{Addr: addr}
	r.Process = startProcess(t, dir, "resolver", nil, "unbound", "-d", "-p", "-c", conf)
	r.ready(t, func(ctx context.Context) error {
		_, err := exchange(ctx, addr, "shop.example", dns.TypeSOA)
		return err
	})
	return r
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

// errRcode is a well-formed answer that reports a failure.
var errRcode = errors.New("the answer is an error")
