package report

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// What is shown of each address is the same in text and on the page: one row for each
// observation, and beside it what the Report says of that address.

const (
	// maxRows bounds the addresses that are shown of one target. It is as many as are
	// probed; a document from elsewhere can hold more.
	maxRows = 64
	// maxCodes bounds the findings that are named below one address.
	maxCodes = 4
)

// matrix is one target and what was met at each of its addresses. Its text is not made
// safe yet.
type matrix struct {
	host, url string
	// about is what goes for the whole target: how fast its name servers are, when it
	// was visited.
	about []string
	rows  []row
	// more is how many rows were left out.
	more int
}

// row is one address.
type row struct {
	mark    mark
	address string
	cells   [cells]string
	notes   []string
}

// The cells of a row, after its mark and its address.
const (
	cellAnswer = iota
	cellConnect
	cellTLS
	cellFirst
	cellRest
	cellUntil
	cells
)

// isTime tells whether a cell holds milliseconds.
func isTime(cell int) bool { return cellConnect <= cell && cell <= cellRest }

// mark is the verdict beside a host or an address: the word of the worst severity that
// the Report has for it, "OK" if it was judged and nothing was found, else "-".
type mark struct {
	word  string
	worst int
}

func severe(s finding.Severity) mark { return mark{strings.ToUpper(s.String()), rank(s)} }

func rank(s finding.Severity) int { return int(s) + 1 }

// felt tells whether clients feel it, or nobody can say.
func (m mark) felt() bool { return m.worst > rank(finding.Info) || m.word == draining }

func right() mark  { return mark{"OK", 0} }
func silent() mark { return mark{"-", 0} }

// matrices are the targets of one host.
func (l *looked) matrices(host string) []matrix {
	all := make([]matrix, 0, len(l.targets[host]))
	for _, t := range l.targets[host] {
		all = append(all, l.matrix(t))
	}
	return all
}

// matrix is one target, without the findings that are another's.
func (l *looked) matrix(t *inventory.Target) matrix {
	m := matrix{host: t.Host, url: t.Key}
	seen := l.visits[t.Key]
	for _, o := range seen {
		m.rows = append(m.rows, l.row(t, o))
	}
	if m.more = len(m.rows) - maxRows; m.more > 0 {
		m.rows = worst(m.rows, maxRows)
	}
	m.more = max(m.more, 0)
	if o := l.dns[t.Host]; o != nil && slowestServer(*o) > 0 {
		m.about = append(m.about, "name servers answered within "+millis(slowestServer(*o))+" ms")
	}
	if len(seen) == 0 {
		m.about = append(m.about, "no address was visited")
		return m
	}
	last := slices.MaxFunc(seen, func(a, b probe.Observation) int { return a.At.Compare(b.At) }).At
	if age := l.at.Sub(last); age >= time.Second && !last.IsZero() {
		m.about = append(m.about, "visited "+finding.Lasted(age)+" ago")
	}
	return m
}

// worst keeps n rows, those of the worst verdicts, in their order.
func worst(rows []row, n int) []row {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[b].mark.worst, rows[a].mark.worst) })
	order = order[:n]
	slices.Sort(order)
	kept := make([]row, 0, n)
	for _, i := range order {
		kept = append(kept, rows[i])
	}
	return kept
}

// slowestServer is the longest round trip to an authoritative server that spoke of the
// host; 0 if none did.
func slowestServer(o dnscheck.Observation) time.Duration {
	var slowest time.Duration
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			if a.Outcome.Speaks() {
				slowest = max(slowest, a.RTT)
			}
		}
	}
	return slowest
}

func (l *looked) row(t *inventory.Target, o probe.Observation) row {
	at := subjectOf(o.Address)
	r := row{address: at}
	r.cells[cellAnswer] = answer(o)
	for i, d := range []time.Duration{o.Took.Connect, o.Took.TLS, o.Took.FirstByte, o.Took.Transfer} {
		r.cells[cellConnect+i] = millis(d)
	}
	if o.TLS != nil && len(o.TLS.Chain) > 0 {
		r.cells[cellUntil] = day(o.TLS.Trust.NotAfter, l.at)
	}
	found := slices.DeleteFunc(l.foundAt(t.Host, at, o.Address.Addr().Unmap().String()), func(f *finding.Finding) bool {
		return len(f.Targets) > 0 && !slices.Contains(f.Targets, t.Key)
	})
	switch why := unprobed(o); {
	case len(found) > 0:
		r.mark = severe(slices.MaxFunc(found, func(a, b *finding.Finding) int { return cmp.Compare(a.Severity, b.Severity) }).Severity)
	case why != "", o.Stranger, l.offline:
		r.mark = silent()
	default:
		r.mark = right()
	}
	var codes []string
	for _, f := range found {
		codes = append(codes, string(f.Code))
	}
	if len(codes) > 0 {
		r.notes = append(r.notes, finding.List(codes, maxCodes))
	}
	r.notes = append(r.notes, circumstances(t, o)...)
	return r
}

// foundAt are the findings about one address of a host. A finding of a probe names the
// port, unless it is 443; what DNS publishes has none.
func (l *looked) foundAt(host, at, bare string) []*finding.Finding {
	all := slices.Clone(l.foundOf[place{host, at}])
	if at == bare {
		return all
	}
	for _, f := range l.foundOf[place{host, bare}] {
		if family := f.Code.Family(); family == "dns" || family == "lb" {
			all = append(all, f)
		}
	}
	return all
}

// subjectOf writes an address as findings do.
func subjectOf(a netip.AddrPort) string {
	if a.Port() == 443 {
		return a.Addr().Unmap().String()
	}
	return net.JoinHostPort(a.Addr().Unmap().String(), strconv.Itoa(int(a.Port())))
}

// answer says what came back: "200 h2 TLS 1.3", "refused", "timeout TLS 1.3".
func answer(o probe.Observation) string {
	var words []string
	switch {
	case unprobed(o) != "":
		return "" // its note says it
	case o.Fault.Kind != "":
		words = append(words, kind(o.Fault.Kind))
	case o.HTTP == nil && o.TLS == nil && o.Reached == probe.PhaseConnect:
		words = append(words, "connected")
	}
	if h := o.HTTP; h != nil && o.Fault.Kind == "" {
		words = append(words, strconv.Itoa(h.Status), protocol(h.Protocol))
	}
	if o.TLS != nil && o.TLS.Version != 0 {
		words = append(words, tls.VersionName(o.TLS.Version))
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// kind is a fault in a word or two.
func kind(k probe.Kind) string {
	if word := map[probe.Kind]string{
		probe.NoRoute: "no route", probe.Alert: "TLS alert", probe.OldProtocol: "old TLS", probe.NoCertificate: "wants cert.",
		probe.NotIntroduced: "PROXY only", probe.NotTLS: "not TLS", probe.Self: "not seen",
	}[k]; word != "" {
		return word
	}
	return finding.Printable(string(k), 12)
}

// protocol writes "HTTP/2.0" as "h2".
func protocol(p string) string {
	version, ok := strings.CutPrefix(p, "HTTP/")
	if !ok {
		return finding.Printable(p, 12)
	}
	return "h" + finding.Printable(strings.TrimSuffix(strings.Replace(version, "1.1", "1", 1), ".0"), 6)
}

// unprobed says why an address was not gone to; empty if it was.
func unprobed(o probe.Observation) string {
	switch {
	case o.Fault.Kind == probe.Forbidden:
		return "it is special-purpose, and neither pinned nor allowed"
	case o.Fault.Kind == probe.NoRoute && o.Address.Addr().Unmap().Is6():
		return "no IPv6 here"
	}
	return ""
}

// circumstances are what else must be known to read a row.
func circumstances(t *inventory.Target, o probe.Observation) []string {
	var notes []string
	why := unprobed(o)
	switch {
	case why != "":
		notes = append(notes, "not probed: "+why)
	case o.Fault.Text != "":
		notes = append(notes, finding.Printable(o.Fault.Text, 200))
	}
	switch {
	case o.Stranger:
		notes = append(notes, "not expected here, so it was sent no request")
	case o.TLSOnly && !t.TLSOnly:
		notes = append(notes, "it was sent no request, which is secret: the address is not the target's for certain")
	}
	if b := o.Bypass; b != nil && why == "" {
		note := "past the load balancer, to the pods of " + b.Service.String()
		if b.ProxyProtocol {
			note += ", with PROXY protocol"
		}
		notes = append(notes, note)
	}
	if h := o.HTTP; h != nil && len(h.Hops) > 0 {
		took := ""
		if d := millis(o.Took.Redirects); d != "" {
			took = " in " + d + " ms"
		}
		notes = append(notes, fmt.Sprintf("after %s%s, at %s", finding.Count(len(h.Hops), "redirect", "redirects"), took, finding.Printable(h.FinalURL, 200)))
	}
	return notes
}

// millis writes milliseconds: "0.4", "9.3", "120"; empty if there is nothing to tell.
func millis(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 50*time.Microsecond:
		return "<0.1"
	case d < 9950*time.Microsecond:
		return strconv.FormatFloat(d.Seconds()*1000, 'f', 1, 64)
	}
	return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10)
}

// day writes a date in UTC, or the time if that is within 12 hours.
func day(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Sub(now).Abs() < 12*time.Hour:
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02")
}
