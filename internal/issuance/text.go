package issuance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// maxShown is how much of a foreign text a finding shows, in characters.
const maxShown = 80

func printable(s string) string { return finding.Printable(s, maxShown) }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// next says when a token comes back, and whether one has to wait for it.
func (b Budget) next() string {
	if b.Free > 0 {
		return "the next is given back " + moment(b.Next)
	}
	return "one more is allowed from " + moment(b.Next)
}

// moments lists when certificates were issued, the newest five.
func moments(at []time.Time) string {
	const most = 5
	words := make([]string, 0, most)
	for _, t := range at[max(0, len(at)-most):] {
		words = append(words, t.UTC().Format("2006-01-02 15:04"))
	}
	text := strings.Join(words, ", ") + " UTC"
	if len(at) > most {
		return fmt.Sprintf("%d times, last %s", len(at), text)
	}
	return text
}

// title names the set for a person.
func (s Set) title() string {
	shown := make([]string, len(s.Names))
	for n, name := range s.Names {
		shown[n] = printable(name)
	}
	return finding.List(shown, 3)
}

// Identity is different for each set, and short: the Subject.Certificate of what is found.
// One client can have the same names from two authorities.
func (s Set) Identity() string {
	from := ""
	if s.CA != letsEncrypt {
		from = " from " + printable(cmp.Or(s.CA, "an authority without a name"))
	}
	if all := strings.Join(s.Names, " "); len(all) <= maxShown {
		return printable(all) + from
	}
	return fmt.Sprintf("%s and %d more names (%s)", printable(s.Names[0]), len(s.Names)-1, s.Key[:min(len(s.Key), 8)]) + from
}

// newest is the certificate issued last.
func (s Set) newest() Issuance { return s.Issuances[len(s.Issuances)-1] }

// hosts were served with the newest certificate that was seen served.
func (s Set) hosts() []string {
	for _, i := range slices.Backward(s.Issuances) {
		if len(i.Hosts) > 0 {
			return i.Hosts
		}
	}
	return nil
}

// host is the first of the hosts; empty if there is none.
func (s Set) host() string {
	hosts := s.hosts()
	if len(hosts) == 0 {
		return ""
	}
	return slices.Min(hosts)
}

// places are the addresses that served the newest certificate, and the logs that have it.
func (s Set) places() []string {
	var all []string
	for _, a := range s.newest().Addresses {
		all = append(all, a.String())
	}
	for _, log := range s.newest().Logs {
		all = append(all, "Certificate Transparency: "+printable(log))
	}
	slices.Sort(all)
	return all
}
