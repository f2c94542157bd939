package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// udpSize is the EDNS size offered, of DNS flag day 2020.
const udpSize = 1232

// Query is one DNS request received.
type Query struct {
	At    time.Time
	Proto string // "udp" or "tcp"
	From  netip.AddrPort
	Name  string // of the question, lower case, with the final dot
	Type  uint16
	Msg   *dns.Msg // the whole request; not to be changed
}

// String is the short form that a failed test prints: "udp api.example. A".
func (q Query) String() string {
	return q.Proto + " " + q.Name + " " + dns.TypeToString[q.Type]
}

// DNSServer answers on one address over UDP and TCP: from zones, or, inside a
// Resolver, from the tree.
type DNSServer struct {
	// Queries holds every request that could be parsed.
	Queries Log[Query]

	// answer is the truth; it gives up when done is closed.
	answer func(done <-chan struct{}, q Query) *dns.Msg

	mu      sync.Mutex
	addr    netip.AddrPort
	zones   map[string]*Zone
	fault   Fault
	running *dnsRun // nil while stopped
}

// dnsRun is one life of a server, from Start to Stop.
type dnsRun struct {
	servers []*dns.Server
	done    chan struct{} // closed first, ends the delays
	serving sync.WaitGroup
}

// NewDNSServer starts an authoritative server. Port 0 picks one that is free for
// both UDP and TCP. Of several zones the closest enclosing one answers; names in
// none are refused.
func NewDNSServer(at netip.AddrPort, zones ...*Zone) (*DNSServer, error) {
	s := &DNSServer{zones: map[string]*Zone{}}
	s.answer = s.fromZones
	for _, z := range zones {
		s.zones[z.apex] = z
	}
	if err := s.startAt(at); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *DNSServer) startAt(at netip.AddrPort) error {
	return onOnePort(at.Port(), func(port uint16) error {
		s.addr = netip.AddrPortFrom(at.Addr(), port)
		return s.Start()
	})
}

// Addr is where the server listens, also while it is stopped.
func (s *DNSServer) Addr() netip.AddrPort { return s.addr }

// Zone is the zone served under that apex, or nil.
func (s *DNSServer) Zone(apex string) *Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zones[dns.CanonicalName(apex)]
}

// SetZone adds a zone, or replaces the one of the same apex.
func (s *DNSServer) SetZone(z *Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[z.apex] = z
}

// RemoveZone makes the server refuse what it served: the usual lame delegation.
func (s *DNSServer) RemoveZone(apex string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.zones, dns.CanonicalName(apex))
}

// SetFault makes the server misbehave; nil ends it.
func (s *DNSServer) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Start opens the port again after Stop. It is an error that the port was taken
// meanwhile; a running server is left as it is.
func (s *DNSServer) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	udp, tcp, err := listenBoth(s.addr)
	if err != nil {
		return fmt.Errorf("start DNS server: %w", err)
	}
	run := &dnsRun{done: make(chan struct{})}
	var started sync.WaitGroup
	for _, server := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) { s.serve(run, w, req) })
		server.UDPSize = dns.MaxMsgSize
		server.NotifyStartedFunc = started.Done
		started.Add(1)
		run.serving.Go(func() { _ = server.ActivateAndServe() }) // ends by Shutdown only
		run.servers = append(run.servers, server)
	}
	started.Wait() // Shutdown of a server that has not started yet is refused
	s.running = run
	return nil
}

// Stop closes the port: UDP gets ICMP port unreachable, TCP a refusal.
func (s *DNSServer) Stop() error {
	s.mu.Lock()
	run := s.running
	s.running = nil
	s.mu.Unlock()
	if run == nil {
		return nil
	}
	close(run.done)
	var errs []error
	for _, server := range run.servers {
		errs = append(errs, server.Shutdown())
	}
	run.serving.Wait()
	return errors.Join(errs...)
}

// Close is Stop, for those who close parts alike.
func (s *DNSServer) Close() error { return s.Stop() }

func (s *DNSServer) serve(run *dnsRun, w dns.ResponseWriter, req *dns.Msg) {
	if len(req.Question) != 1 {
		_ = w.WriteMsg(new(dns.Msg).SetRcodeFormatError(req)) // a lost answer is the client's affair
		return
	}
	q := Query{
		At: time.Now(), Proto: w.RemoteAddr().Network(), Msg: req,
		Name: dns.CanonicalName(req.Question[0].Name), Type: req.Question[0].Qtype,
	}
	if from, err := netip.ParseAddrPort(w.RemoteAddr().String()); err == nil {
		q.From = from
	}
	s.Queries.add(q)
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	truth := s.answer(run.done, q)
	fit(truth, q)
	if fault == nil {
		_ = w.WriteMsg(truth)
		return
	}
	fault(q, truth).send(run, w, s.addr.Addr())
}

// fromZones is the answer of an authoritative server.
func (s *DNSServer) fromZones(_ <-chan struct{}, q Query) *dns.Msg {
	reply := new(dns.Msg).SetReply(q.Msg)
	question := q.Msg.Question[0]
	switch z := s.zoneFor(q); {
	case q.Msg.Opcode != dns.OpcodeQuery:
		reply.Rcode = dns.RcodeNotImplemented
	case z == nil, question.Qclass != dns.ClassINET, q.Type == dns.TypeAXFR, q.Type == dns.TypeIXFR:
		reply.Rcode = dns.RcodeRefused
	default:
		z.Answer(reply, question)
	}
	return reply
}

// zoneFor is the closest enclosing zone; for DS, the parent's if it is here too.
func (s *DNSServer) zoneFor(q Query) *Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *Zone
	for apex, z := range s.zones {
		if !dns.IsSubDomain(apex, q.Name) || (q.Type == dns.TypeDS && apex == q.Name && apex != ".") {
			continue
		}
		if best == nil || dns.CountLabel(apex) > dns.CountLabel(best.apex) {
			best = z
		}
	}
	if best == nil {
		return s.zones[q.Name]
	}
	return best
}

// fit adds EDNS if it was used and cuts a UDP answer to what the client takes
// (RFC 6891 §6.2.5, RFC 1035 §4.2.1).
func fit(reply *dns.Msg, q Query) {
	size := dns.MinMsgSize
	if opt := q.Msg.IsEdns0(); opt != nil {
		reply.SetEdns0(udpSize, opt.Do())
		size = max(size, int(opt.UDPSize()))
	}
	if strings.HasPrefix(q.Proto, "tcp") {
		size = dns.MaxMsgSize
	}
	reply.Truncate(size)
}

// otherSocket opens a UDP socket on the same address, another port.
func otherSocket(addr netip.Addr) (net.PacketConn, error) {
	return net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
}
