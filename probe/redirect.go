package probe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"driftprobe/internal/inventory"
)

// maxHops is how many redirects are followed, as many as by Go and curl's users;
// browsers go on to 20.
const maxHops = 10

// redirect is where a response sends a client (RFC 9110 section 15.4), without its
// fragment; nil if it sends it nowhere.
func redirect(t inventory.Target, response *http.Response) *url.URL {
	if !redirects(response.StatusCode) {
		return nil
	}
	location := response.Header.Get("Location")
	base, err := url.Parse(urlOf(t))
	if err != nil || location == "" {
		return nil
	}
	next, err := base.Parse(slashed(location))
	if err != nil || next.Host == "" && next.Opaque == "" && (next.Scheme == "https" || next.Scheme == "http") {
		return nil
	}
	normalize(next)
	return next
}

// slashed writes a Location as browsers read it: a backslash is a slash, but in the query
// and the fragment (WHATWG URL section 4.4). Else "\\\\host" would seem to stay here.
func slashed(location string) string {
	end := strings.IndexAny(location, "?#")
	if end < 0 {
		end = len(location)
	}
	return strings.ReplaceAll(location[:end], "\\", "/") + location[end:]
}

// redirects tells whether a status sends a client elsewhere (RFC 9110 section 15.4).
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// nowhere stands in Stopped where a redirect names no URL.
const nowhere = "leads nowhere"

// lost says so.
func lost(at inventory.Target, last *HTTP) string {
	if last.Location == "" {
		return fmt.Sprintf("HTTP %d at %s %s: it has no Location", last.Status, urlOf(at), nowhere)
	}
	return fmt.Sprintf("HTTP %d at %s %s: its Location \"%s\" is no URL to go to", last.Status, urlOf(at), nowhere, last.Location)
}

// normalize gives the URLs of one place one spelling (RFC 3986 section 6.2.3), as
// far as that is certain.
func normalize(u *url.URL) {
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	name, port := asciiName(u.Hostname()), u.Port()
	if port == "" || port == map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		u.Host = hostHeader(name, 0, 0)
	} else {
		u.Host = net.JoinHostPort(name, port)
	}
}

// maxName is the longest name in bytes that can have a form for the DNS: at most 253 octets
// (RFC 1035 section 2.3.4), and a character is four at most.
const maxName = 4 * 253

// asciiName is a host as it is resolved and compared: in lower case, its labels of
// other scripts as A-labels (RFC 5890 section 2.3.2.1), as browsers read a Location.
func asciiName(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if len(host) > maxName {
		return host // no name, and the time for it grows with its square
	}
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// circular tells whether a response sends the client to the very request that it
// answers. With a cookie the next may be another, and a POST that a 303 turns into a
// GET is.
func circular(t inventory.Target, response *http.Response, next *url.URL) bool {
	method := cmp.Or(t.Method, http.MethodGet)
	return next != nil && next.String() == urlOf(t) && len(response.Header["Set-Cookie"]) == 0 &&
		methodAfter(response.StatusCode, method) == method
}

// follow visits what the response redirects to, one after the other, and puts the
// last response in the place of the first. Each visit is an observation of its
// own: address, deadline and limits are those of any other.
func (p *Prober) follow(ctx context.Context, first Request, o *Observation, to *url.URL) {
	began := time.Now()
	defer func() { o.Took.Redirects = time.Since(began) }()
	been := map[string]bool{cmp.Or(first.Target.Method, http.MethodGet) + urlOf(first.Target): true}
	last, at := o.HTTP, first
	var hops []Hop
	stopped := ""
	for redirects(last.Status) && stopped == "" {
		if to == nil {
			stopped = lost(at.Target, last)
			continue
		}
		hops = append(hops, Hop{Status: last.Status, URL: clip(to.Redacted())})
		step := methodAfter(last.Status, at.Target.Method) + to.String()
		switch {
		case been[step]:
			stopped = "the redirects go in a circle, back to " + to.Redacted()
			continue
		case len(hops) > maxHops:
			stopped = fmt.Sprintf("there are more than %d redirects, the next one to %s", maxHops, to.Redacted())
			continue
		}
		been[step] = true
		next, why := p.hop(ctx, first, at, last.Status, to, &o.Took.Resolve)
		if stopped = why.text; why.kind == Self {
			o.Fault = Fault{PhaseHTTP, Self, why.text}
			return
		} else if stopped != "" {
			continue
		}
		hops[len(hops)-1].Address = next.Address
		seen, onward := p.visit(ctx, next)
		o.credit(next, seen)
		switch {
		case seen.Fault.Kind == Self, seen.Fault.Kind == NoRoute && next.Address.Addr().Unmap().Is6():
			o.Fault = Fault{seen.Fault.Phase, Self, seen.Fault.Text} // no word about the target
			return
		case seen.Fault != Fault{}:
			stopped = fmt.Sprintf("%s at %s: %s", seen.Host, seen.Address, seen.Fault.Text)
		case seen.TLS != nil && !seen.TLS.Valid(seen.At):
			stopped = "the certificate of " + seen.Host + " is not valid"
		case seen.HTTP == nil:
			stopped = seen.Host + " was not asked"
		default:
			last, at, to = seen.HTTP, next, onward
		}
	}
	last.Circular = false // that of a hop stands in Stopped
	last.Hops, last.FinalURL, last.Stopped = hops, clip(urlOf(at.Target)), clip(stopped)
	o.HTTP = last
}

// credit takes over what a hop says of who is at the address. A header that proves it may
// stand in any response that the address itself gave, and until one does its last one
// counts. Whoever has the address now can redirect to somebody who has the proof, so that
// no other host's response says anything of it.
func (o *Observation) credit(hop Request, seen Observation) {
	if hop.Target.Expect.Identity.Header == "" || found(o.Identity) {
		return
	}
	o.Identity, o.Unproven = nil, false
	if seen.Fault == (Fault{}) && (seen.TLS == nil || seen.TLS.Valid(seen.At)) {
		o.Identity, o.Unproven = seen.Identity, seen.Unproven
	}
}

// hop makes the request for one redirect, or says why it is not followed. What is
// secret goes only to where it went first: the same scheme, host and port. To find the
// address is added to took.
func (p *Prober) hop(ctx context.Context, first, from Request, status int, to *url.URL, took *time.Duration) (Request, known) {
	host := strings.ToLower(strings.TrimSuffix(to.Hostname(), "."))
	target := inventory.Target{
		Key: first.Target.Key, Host: host, Path: to.RequestURI(),
		Method: methodAfter(status, from.Target.Method), Expect: first.Target.Expect,
	}
	if first.Target.Wildcard() {
		target.Expect = inventory.Expect{}
	}
	switch to.Scheme {
	case "https":
	case "http":
		if from.Target.Scheme != inventory.SchemeHTTP {
			return Request{}, known{Malformed, "it leads from https to plain http: " + to.Redacted()}
		}
		target.Scheme = inventory.SchemeHTTP
	default:
		return Request{}, known{Malformed, "it leads to a URL that is not of the web: " + to.Redacted()}
	}
	target.Port = inventory.DefaultPort(target.Scheme)
	if text := to.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return Request{}, known{Malformed, "it leads to no port: " + to.Redacted()}
		}
		target.Port = uint16(port)
	}
	next := Request{Target: target}
	same, home := first.Target, false
	switch {
	case host == same.ProbeName():
		next.Address, next.Pinned, next.Bypass = netip.AddrPortFrom(first.Address.Addr(), target.Port), first.Pinned, first.Bypass
		if target.Scheme == same.Scheme && target.Port == same.Port {
			home = true
			next.Headers, next.Certificate = first.Headers, first.Certificate
		}
	case !slices.Contains(same.Redirects.Hosts, host):
		return Request{}, known{Malformed, "it leads to another host, which redirects.hosts does not name: " + to.Redacted()}
	default:
		asked := time.Now()
		addr, told := p.lookup(ctx, host, first.Address.Addr())
		*took += time.Since(asked)
		switch {
		case !told:
			return Request{}, known{Self, "no name server said where " + host + " is, to which it redirects"}
		case !addr.IsValid():
			return Request{}, known{Malformed, "no address was found for " + host}
		}
		next.Address = netip.AddrPortFrom(addr, target.Port)
		next.Target.Expect.Identity = inventory.Identity{}
	}
	if from.Body != nil && target.Method == from.Target.Method {
		if !home {
			return Request{}, known{Malformed, "it asks that the request's body be sent to another place: " + to.Redacted()}
		}
		next.Body = from.Body
	}
	return next, known{}
}

// methodAfter is the method of the request that follows a redirect. Only a 303 makes a
// GET of all of them (but HEAD), and a 301 or 302 of POST (RFC 9110 section 15.4).
func methodAfter(status int, method string) string {
	moved := status == http.StatusMovedPermanently || status == http.StatusFound
	if status == http.StatusSeeOther && method != http.MethodHead || moved && method == http.MethodPost {
		return http.MethodGet
	}
	return cmp.Or(method, http.MethodGet)
}

// lookup asks for a host's addresses, and takes the first of the family in which
// we came. told is false if nobody who knows answered.
func (p *Prober) lookup(ctx context.Context, host string, like netip.Addr) (addr netip.Addr, told bool) {
	if p.settings.Lookup == nil {
		return netip.Addr{}, true
	}
	found, told := p.settings.Lookup(ctx, host)
	for _, a := range found {
		if a.Unmap().Is4() == like.Unmap().Is4() {
			return a, true
		}
	}
	if len(found) == 0 {
		return netip.Addr{}, told
	}
	return found[0], true
}
