package dnscheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// What a hostile name may cost: in questions that arrive at all servers together; in
// questions to one that has nothing to say of it; and to one in whose zone its
// aliases end. Those to a victim can be vainLimit, and two for each of the twelve names
// of a chain that were asked before any came back.
const (
	mostRequests  = 350
	mostAtAVictim = 32
	mostAtATarget = 48
)

// badlands is a tree with hostile zones below example., and victims: the servers
// of victim.test., and others that are silent or refuse.
type badlands struct {
	realm
	hosts            []string // the ends of the names of each kind
	victims, targets []byte
}

func newBadlands(tb testing.TB, kinds []string) badlands {
	tb.Helper()
	var b badlands
	all := hostileKinds()
	zones := make([]*hostile, 0, len(kinds))
	b.realm = newRealm(tb, func(r realm) []lab.ZoneSpec {
		var sinks, refusers []netip.Addr
		specs := []lab.ZoneSpec{{Name: "victim.test.", Servers: []lab.NameServer{
			{Name: "ns1.victim.test.", Addr: r.net.Addr(11)}, {Name: "ns2.victim.test.", Addr: r.net.Addr(12)},
		}}}
		sink := lab.ZoneSpec{Name: "sink.test."}
		for i := range 80 {
			addr := r.net.Addr(byte(20 + i))
			sink.Servers = append(sink.Servers, lab.NameServer{Name: fmt.Sprintf("n%d.sink.test.", i), Addr: addr})
			if i < 40 {
				sinks = append(sinks, addr)
			} else {
				refusers = append(refusers, addr)
			}
		}
		specs = append(specs, sink)
		for i, kind := range kinds {
			h := &hostile{label: fmt.Sprintf("k%02d", i), self: r.net.Addr(selfOf(i, 0)), sinks: sinks, refusers: refusers}
			h.zone = h.label + ".example."
			all[kind](h)
			zones = append(zones, h)
			spec := lab.ZoneSpec{Name: h.zone, Text: h.text, Delegation: h.delegation, TTL: 60}
			for n := range selves {
				spec.Servers = append(spec.Servers, lab.NameServer{Name: fmt.Sprintf("ns%d.%s", n, h.zone), Addr: r.net.Addr(selfOf(i, n))})
			}
			specs = append(specs, spec)
			for _, z := range h.also {
				specs = append(specs, lab.ZoneSpec{Name: z, Servers: []lab.NameServer{{Name: "ns." + z, Addr: h.self}}, Delegation: mirrored(z, h.zone)})
			}
		}
		return specs
	}, func(s *dnscheck.Settings, _ *lab.DNSTree) { s.Timeout = 6 * time.Second })
	b.targets = []byte{11, 12}
	for i := range byte(80) {
		b.victims = append(b.victims, 20+i)
		if i < 40 {
			b.server(20 + i).SetFault(lab.Silent)
		} else {
			b.server(20 + i).SetFault(refuser(zones))
		}
	}
	for i, h := range zones {
		for n := range selves {
			b.server(selfOf(i, n)).SetFault(h.fault)
		}
		b.hosts = append(b.hosts, h.prefix+h.zone)
	}
	return b
}

// refuser refuses but for the zones of those whose accomplice it is.
func refuser(zones []*hostile) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		for _, h := range zones {
			if h.accomplices && dns.IsSubDomain(h.zone, q.Name) {
				return h.fault(q, truth)
			}
		}
		return lab.Refuse(q, truth)
	}
}

// selfOf is the last byte of a server's address.
func selfOf(kind, server int) byte {
	last := 100 + selves*kind + server
	if last > 254 {
		panic("more kinds than there are addresses")
	}
	return byte(last)
}

// mirrored delegates zone to servers named in other.
func mirrored(zone, other string) string {
	label, _, _ := strings.Cut(zone, ".")
	var text strings.Builder
	for i := range 3 {
		fmt.Fprintf(&text, "%s NS ns%d.%s\n", label, i, other)
	}
	return text.String()
}

// requests counts the questions that came to the servers, and those to the busiest of
// the victims and targets; a second try is no second question.
func (b badlands) requests() (all, victim, target int) {
	for last := range 255 {
		s := b.server(byte(last))
		if s == nil {
			continue
		}
		different := map[string]bool{}
		for _, q := range questions(&s.Queries) {
			all++
			different[q.String()] = true
		}
		switch {
		case slices.Contains(b.victims, byte(last)):
			victim = max(victim, len(different))
		case slices.Contains(b.targets, byte(last)):
			target = max(target, len(different))
		}
	}
	return all, victim, target
}

func TestAHostileNameCostsABoundedNumberOfQuestions(t *testing.T) {
	t.Parallel()
	for kind := range hostileKinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := newBadlands(t, []string{kind})
			o := b.dns.Observe(t.Context(), "h0."+b.hosts[0])
			all, victim, target := b.requests()
			t.Logf("%s: %d questions, %d at one victim, %d at one target, %d steps; cut: %s", kind, all, victim, target, len(o.Steps), o.Cut)
			if strings.HasSuffix(kind, "from 40 servers") {
				victim = 0 // they are none
			}
			if all > mostRequests || victim > mostAtAVictim || target > mostAtATarget {
				t.Errorf("%d questions, %d at one victim, %d at one target", all, victim, target)
			}
		})
	}
}

// A run over many hostile names at once, in a process of its own.
func TestHostileNames(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(hostileKinds()))
	b := newBadlands(t, kinds)
	b.drips(t, 19)
	job := dnscheck.ProberJob{Port: b.tree.Port(), Timeout: 5 * time.Second}
	for _, root := range b.tree.Roots() {
		job.Roots = append(job.Roots, netip.AddrPortFrom(root, b.tree.Port()))
	}
	for i := range 6 {
		for _, host := range append(b.hosts, "drip.example.") {
			job.Hosts = append(job.Hosts, fmt.Sprintf("h%d.%s", i, host))
		}
	}
	report := runProber(t, job)
	all, _, _ := b.requests()
	t.Logf("%d names: the last %s after its deadline, %d MiB at most, %d requests, the largest observation %d KiB",
		len(job.Hosts), report.Late.Round(time.Millisecond), report.Peak>>20, all, report.Largest>>10)
	if report.Returned != len(job.Hosts) || len(job.Hosts) < 200 {
		t.Errorf("%d observations of %d", report.Returned, len(job.Hosts))
	}
	if report.Left != "" {
		t.Errorf("goroutines after Close:\n%s", report.Left)
	}
	late, most := time.Second, 128<<20
	if withRace() {
		late, most = 10*late, 10*most // the detector costs as much
	}
	if report.Late > late {
		t.Errorf("the last observation came %s after its deadline", report.Late)
	}
	if report.Peak > most {
		t.Errorf("%d MiB of memory", report.Peak>>20)
	}
	if all > mostRequests*len(job.Hosts) || all < len(job.Hosts) {
		t.Errorf("%d requests", all)
	}
}

func withRace() bool {
	b, _ := debug.ReadBuildInfo()
	return b != nil && slices.Contains(b.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// runProber does the job in a process of its own.
func runProber(t *testing.T, job dnscheck.ProberJob) (report dnscheck.ProberReport) {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), dnscheck.ProberVariable+"=1", "GOMEMLIMIT=off", "GOGC=100")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return report
}

// drips delegates drip.example. to a server that truncates over UDP, and sends an
// endless message over TCP byte by byte.
func (b badlands) drips(t *testing.T, last byte) {
	t.Helper()
	at := netip.AddrPortFrom(b.net.Addr(last), b.tree.Port())
	if err := b.tree.SetRecords("example.", "drip 60 NS ns.drip\nns.drip 60 A "+at.Addr().String()); err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_, _ = udp.Close(), tcp.Close() // ends both loops
		serving.Wait()
	})
	serving.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var q dns.Msg
			if q.Unpack(buf[:n]) != nil {
				continue
			}
			m := new(dns.Msg).SetReply(&q)
			m.Truncated = true
			if out, err := m.Pack(); err == nil {
				_, _ = udp.WriteToUDPAddrPort(out, from) // the client asks again
			}
		}
	})
	serving.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { drip(conn) })
		}
	})
}

func drip(conn net.Conn) {
	defer conn.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn) // ends when the client goes
	}()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
			if _, err := conn.Write([]byte{0xFF}); err != nil {
				return
			}
		}
	}
}
