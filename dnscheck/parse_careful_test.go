package dnscheck

import (
	"encoding/binary"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// looked are the types whose data is read.
func looked(m *dns.Msg) bool {
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeSOA, dns.TypeOPT}
	return !slices.ContainsFunc(slices.Concat(m.Answer, m.Ns, m.Extra), func(rr dns.RR) bool { return !slices.Contains(types, rr.Header().Rrtype) })
}

// sameAsLibrary compares what careful reads with what the library does. The library
// reads more: an SOA record that ends after its first name.
func sameAsLibrary(t *testing.T, packet []byte) {
	t.Helper()
	got, err := careful(packet)
	want := new(dns.Msg)
	wantErr := want.Unpack(packet)
	if err == nil && looked(got) && (wantErr != nil || !reflect.DeepEqual(got, want)) {
		t.Errorf("got\n%#v\nwant\n%#v, %v", got, want, wantErr)
	}
}

func TestCarefulIsTheLibrary(t *testing.T) {
	for rule, packet := range commonAnswers(t) {
		if m, err := careful(packet); err != nil || !looked(m) {
			t.Errorf("%s: %v, %v", rule, m, err)
		}
		sameAsLibrary(t, packet)
	}
}

func FuzzCarefulIsTheLibrary(f *testing.F) {
	for _, packet := range commonAnswers(f) {
		f.Add(packet)
	}
	f.Add(bomb(600, dns.TypeNS, []byte{0xC0, headerSize}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) >= headerSize {
			sameAsLibrary(t, packet)
		}
	})
}

// longest is a name as long as its text can be.
func longest() string {
	label := strings.Repeat(`\255`, 63) + "."
	return label + label + label + strings.Repeat(`\255`, 61) + "."
}

// bomb is a packet of size bytes, full of records of one type whose names are
// pointers to the longest name.
func bomb(size int, rrtype uint16, rdata []byte) []byte {
	return bombOf(longest(), size, rrtype, rdata)
}

func bombOf(name string, size int, rrtype uint16, rdata []byte) []byte {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.Id, m.Response, m.Authoritative = 7, true, true
	packet, err := m.Pack()
	if err != nil {
		panic(err)
	}
	record := []byte{0xC0, headerSize, byte(rrtype >> 8), byte(rrtype), 0, 1, 0, 0, 0, 60, byte(len(rdata) >> 8), byte(len(rdata))}
	record = append(record, rdata...)
	section, n := 6, 0
	if rrtype == dns.TypeOPT {
		record, section = append([]byte{0}, record[2:]...), 10
	}
	for ; len(packet)+len(record) <= size; n++ {
		packet = append(packet, record...)
	}
	binary.BigEndian.PutUint16(packet[section:], uint16(n))
	return packet
}

// bombs are the packets that swell most, 64 KiB each.
func bombs() map[string][]byte {
	pointer := []byte{0xC0, headerSize}
	hip := slices.Concat([]byte{4, 2, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8}, slices.Repeat(pointer, 30_000))
	bitmap := slices.Clone(pointer)
	for window := range 256 {
		bitmap = append(append(bitmap, byte(window), 32), slices.Repeat([]byte{0xFF}, 32)...)
	}
	foreign := func(rrtype uint16, rdata []byte) []byte {
		p := bomb(dns.MaxMsgSize, rrtype, rdata)
		for i := len(bomb(0, rrtype, nil)); i+12+len(rdata) <= len(p); i += 12 + len(rdata) {
			p[i+1] = headerSize + 64 // another owner than the one asked
		}
		return p
	}
	return map[string][]byte{
		"addresses":                          bomb(dns.MaxMsgSize, dns.TypeA, []byte{192, 0, 2, 1}),
		"addresses of other names":           foreign(dns.TypeA, []byte{192, 0, 2, 1}),
		"addresses without data":             bomb(dns.MaxMsgSize, dns.TypeA, nil),
		"aliases":                            bomb(dns.MaxMsgSize, dns.TypeCNAME, pointer),
		"name servers with plain names":      bombOf(strings.Repeat(strings.Repeat("a", 59)+".", 3)+strings.Repeat("a", 57)+".", dns.MaxMsgSize, dns.TypeNS, pointer),
		"name servers":                       bomb(dns.MaxMsgSize, dns.TypeNS, pointer),
		"starts of authority":                bomb(dns.MaxMsgSize, dns.TypeSOA, slices.Concat(pointer, pointer, make([]byte, 20))),
		"host identities":                    bomb(dns.MaxMsgSize, dns.TypeHIP, hip),
		"responsible persons":                bomb(dns.MaxMsgSize, dns.TypeRP, slices.Concat(pointer, pointer)),
		"bitmaps of types":                   bomb(dns.MaxMsgSize, dns.TypeNSEC, bitmap),
		"texts":                              bomb(dns.MaxMsgSize, dns.TypeTXT, make([]byte, 60_000)),
		"options of EDNS":                    bomb(dns.MaxMsgSize, dns.TypeOPT, slices.Repeat([]byte{0, 3, 0, 0}, 16_000)),
		"extended errors":                    bomb(dns.MaxMsgSize, dns.TypeOPT, slices.Repeat([]byte{0, 15, 0, 2, 0, 1}, 10_000)),
		"signatures (KeyTrap)":               bomb(dns.MaxMsgSize, dns.TypeRRSIG, slices.Concat(make([]byte, 18), pointer, make([]byte, 4))),
		"many questions":                     questions(),
		"records of types that no one knows": bomb(dns.MaxMsgSize, 65_280, nil),
	}
}

func questions() []byte {
	packet := bomb(0, dns.TypeA, nil)
	n := 1
	for ; len(packet)+6 <= dns.MaxMsgSize; n++ {
		packet = append(packet, 0xC0, headerSize, 0, 1, 0, 1)
	}
	binary.BigEndian.PutUint16(packet[4:], uint16(n))
	return packet
}

// What one packet may take, from its bytes to what is kept of it.
const (
	mostAllocated = 3 << 20
	mostKept      = 64 << 10
)

func TestAPacketIsReadInBoundedMemory(t *testing.T) {
	for rule, packet := range bombs() {
		name, _, err := dns.UnpackDomainName(packet, headerSize)
		if err != nil {
			t.Fatal(err)
		}
		q := question{name: canonical(name), qtype: dns.TypeA}
		if len(packet) > dns.MaxMsgSize || len(packet) < dns.MaxMsgSize/2 {
			t.Fatalf("%s: %d bytes", rule, len(packet))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, wrong := open(packet, 7, q)
		var a Answer
		var d delegation
		if m != nil {
			a = readAnswer(".", q, m)
			d, _ = referral(".", q.name, m, 53)
			readRecursive(q, m)
		}
		runtime.ReadMemStats(&after)
		took := after.TotalAlloc - before.TotalAlloc
		kept := bytesOf("", a) + bytesOf("", d)
		t.Logf("%-36s %5d KiB allocated, %3d KiB kept, %q", rule, took>>10, kept>>10, wrong)
		if took > mostAllocated || kept > mostKept {
			t.Errorf("%s: %d bytes allocated, %d kept", rule, took, kept)
		}
	}
}
