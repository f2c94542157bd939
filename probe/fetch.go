package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// maxFetch bounds one fetch in time, within what is left of the look.
const maxFetch = 5 * time.Second

// errNotFetched stands for all reasons: none of them is said of the target.
var errNotFetched = errors.New("not fetched")

// fetch gets what an authority publishes at a URL that a certificate names: over
// plain HTTP, because it is signed and its transport need not be trusted, and so that
// no certificate is needed to check one. No redirect is followed, no proxy asked,
// nothing of a target is sent. The address is checked after resolving, at the moment of
// the connection, as for a target; and only port 80 is connected to, unless the
// operator has allowed the address.
func (p *Prober) fetch(ctx context.Context, from string, most int64) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || !strings.EqualFold(u.Scheme, "http") || u.Host == "" || u.User != nil || len(from) > 1024 {
		return nil, errNotFetched
	}
	ctx, cancel := context.WithTimeout(ctx, maxFetch)
	defer cancel()
	dialer := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return p.mayFetch(address)
	}}
	transport := &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: false,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, errNotFetched
	}
	request.Header.Set("User-Agent", p.settings.UserAgent)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotFetched, err)
	}
	defer func() { _ = response.Body.Close() }() // the connection is not used again
	if response.StatusCode != http.StatusOK {
		return nil, errNotFetched
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil || int64(len(body)) > most {
		return nil, errNotFetched
	}
	return body, nil
}

// mayFetch tells whether an address may be connected to although only a
// certificate names it.
func (p *Prober) mayFetch(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errNotFetched
	}
	a := at.Addr().Unmap()
	if p.allowed(a) {
		return nil
	}
	if at.Port() != 80 || p.space.Special(a) != "" {
		return errNotFetched
	}
	return nil
}
