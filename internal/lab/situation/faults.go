package situation

import (
	"sync"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// alter changes the answers to questions for addresses.
func alter(f func(*dns.Msg)) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type == dns.TypeA || q.Type == dns.TypeAAAA {
			f(truth)
		}
		return lab.Send(truth)
	}
}

// lie puts forged addresses into the truth before f, so that a reader who believes
// the packet tells on itself.
func lie(f lab.Fault) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		forge(truth)
		return f(q, truth)
	}
}

func forge(m *dns.Msg) {
	for i, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			m.Answer[i] = record(a.Hdr.Name + " 60 A " + forged)
		}
	}
}

// packets sends answers to questions for addresses as bytes that f has changed.
func packets(f func([]byte) []byte) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type != dns.TypeA && q.Type != dns.TypeAAAA {
			return lab.Send(truth)
		}
		truth.Ns, truth.Extra = nil, nil
		packet, err := truth.Pack()
		if err != nil {
			return lab.Reply{}
		}
		return lab.Reply{Raw: [][]byte{f(packet)}}
	}
}

// rcode answers with an error code.
func rcode(code int) lab.Fault {
	return func(q lab.Query, _ *dns.Msg) lab.Reply { return lab.Send(new(dns.Msg).SetRcode(q.Msg, code)) }
}

// forType applies f to questions of one type.
func forType(qtype uint16, f lab.Fault) lab.Fault {
	return lab.When(func(q lab.Query) bool { return q.Type == qtype }, f)
}

// withEDNS applies f to questions with EDNS.
func withEDNS(f lab.Fault) lab.Fault {
	return lab.When(func(q lab.Query) bool { return q.Msg.IsEdns0() != nil }, f)
}

// record is nil if the text is none, and the packet is not sent then.
func record(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		return nil
	}
	return rr
}

// section replaces what stands beside the answer.
func section(texts ...string) []dns.RR {
	var all []dns.RR
	for _, text := range texts {
		all = append(all, record(text))
	}
	return all
}

// lossOfFirst drops questions for addresses unless they come a second time from the
// same port, as one that is asked again does.
func lossOfFirst() lab.Fault {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		key := q.From.String() + q.String()
		mu.Lock()
		defer mu.Unlock()
		if (q.Type == dns.TypeA || q.Type == dns.TypeAAAA) && !seen[key] {
			seen[key] = true
			return lab.Reply{}
		}
		return lab.Send(truth)
	}
}
