// Package exchanges is a table of what web servers answer, right and wrong, each row
// with what must be said of it. The lab serves the rows over real sockets, and most can
// be served by any real server, alone or in front of the lab. Like the lab it speaks
// wire protocols only: codes and severities are words.
package exchanges

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"driftprobe/internal/lab"
)

// Host is the name that is looked at in all rows, and Path what is asked for there. The
// certificate is for Other too.
const (
	Host  = "www.shop.example"
	Other = "login.shop.example"
	Path  = "/healthz"
)

// Situation is one row.
type Situation struct {
	// Name is one sentence, and unique.
	Name string
	// Refs say where the situation is described.
	Refs string
	// Target is what is asked for and expected: JSON as a snapshot's targets have it,
	// without the URL. Header and Body are sent along.
	Target string
	Header map[string]string
	Body   string
	// Finds says where other hosts are; "" is where Host is.
	Finds map[string]string
	// Relayed: a load balancer passes it on as it stands, so that one which can't answer
	// so can stand in front of who does.
	Relayed bool
	// Endless: the server never comes to an end, so that the look has to.
	Endless bool
	// Site is the server. It passes requests on to Behind, if there is one, or to nobody,
	// if it is Deserted. Beside is another server at the same address, its port is
	// "{beside}" in Site's redirects.
	Site           lab.Site
	Behind, Beside *lab.Site
	Deserted       bool
	// Want are all findings: each one that is made must be wanted here, and each one
	// wanted must be made.
	Want []lab.Want
}

// All are the rows.
func All() []Situation {
	return slices.Concat(
		statuses(), expectedStatuses(), misplaced(), logins(), bodies(), texts(), bombs(), headers(), proofs(), unproven(), proofsOnTheWay(), oddities(), broken(), misunderstood(), methods(), speeds(), versions(),
		redirects(), circles(), kept(), elsewhere(), nowhere(), ends(), silences(), malformed(), endless(), balancers(), plain(),
	)
}

// Certificate is one that is good for all rows.
func Certificate(by *lab.CA) (tls.Certificate, error) {
	return by.Issue(lab.CertSpec{Names: []string{Host, Other}, CommonName: Host})
}

// Surround has the lab serve what is behind and beside the row's site, and returns the
// site as it is to be served at the address. close ends what was started.
func (s Situation) Surround(at netip.Addr, cert tls.Certificate) (site lab.Site, closeAll func() error, err error) {
	var started []*lab.WebServer
	closeAll = func() error {
		var all error
		for _, one := range started {
			all = errors.Join(all, one.Close())
		}
		return all
	}
	start := func(site *lab.Site) (where netip.AddrPort) {
		if site == nil || err != nil {
			return where
		}
		var server *lab.WebServer
		if server, err = lab.NewWebServer(netip.AddrPortFrom(at, 0), *site, cert); err != nil {
			return where
		}
		started = append(started, server)
		return server.Addr()
	}
	site = s.Site
	site.Behind = start(s.Behind)
	if s.Deserted {
		site.Behind = netip.AddrPortFrom(at, 1) // nobody serves tcpmux
	}
	if beside := start(s.Beside); beside.IsValid() {
		site.Pages = maps.Clone(site.Pages)
		for path, page := range site.Pages {
			page.Location = strings.ReplaceAll(page.Location, "{beside}", fmt.Sprint(beside.Port()))
			site.Pages[path] = page
		}
	}
	return site, closeAll, err
}

// Relay puts a load balancer in front of the row's site.
func (s Situation) Relay() Situation {
	inner := s.Site
	inner.Plain, inner.H2, inner.Asks = true, false, false
	s.Site.Pages, s.Behind = nil, &inner
	return s
}

// always is a site with one answer to everything.
func always(p lab.Page) lab.Site { return lab.Site{Pages: map[string]lab.Page{"": p}} }

// says is a site that answers with a status and a text.
func says(status int, text string) lab.Site { return always(lab.Page{Status: status, Body: text}) }

// raw is a site that answers with what need not be HTTP.
func raw(text string) lab.Site { return always(lab.Page{Raw: text}) }

// over changes how a site is spoken to.
func over(site lab.Site, change func(*lab.Site)) lab.Site {
	change(&site)
	return site
}

func http2(s *lab.Site) { s.H2 = true }

func inPlain(s *lab.Site) { s.Plain = true }

func asking(s *lab.Site) { s.Asks = true }

// behind is what a load balancer speaks to, in plain HTTP.
func behind(p lab.Page) *lab.Site {
	site := over(always(p), inPlain)
	return &site
}

// expects is a target with the JSON of its expectation.
func expects(text string) string { return `{"expect":` + text + `}` }

// only is a target for which only these statuses are right.
func only(from, to int) string {
	return expects(fmt.Sprintf(`{"status":[{"from":%d,"to":%d}]}`, from, to))
}

// follows is a target whose redirects are followed, to the hosts too.
func follows(expect string, hosts ...string) string {
	list := ""
	if len(hosts) > 0 {
		list = `,"hosts":["` + strings.Join(hosts, `","`) + `"]`
	}
	return fmt.Sprintf(`{"redirects":{"follow":true%s},"expect":{%s}}`, list, expect)
}

func critical(code string, texts ...string) []lab.Want {
	return []lab.Want{{Code: code, Severity: "critical", Texts: texts}}
}

func warning(code string, texts ...string) []lab.Want {
	return []lab.Want{{Code: code, Severity: "warning", Texts: texts}}
}

func info(code string, texts ...string) []lab.Want {
	return []lab.Want{{Code: code, Severity: "info", Texts: texts}}
}
