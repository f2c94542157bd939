package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// budget counts what a peer may still send.
type budget struct {
	io.LimitedReader
}

func (b *budget) spent() bool { return b.N <= 0 }

// exchange sends the request and reads the response. It is written on top of
// http.ReadResponse and not http.Transport, so that nothing can follow a
// redirect, ask the environment for a proxy, dial again or outlive the call.
func (l *look) exchange(conn net.Conn) error {
	in := &budget{io.LimitedReader{R: conn, N: maxHeader}}
	reader := bufio.NewReader(in)
	began := time.Now()
	if err := l.send(conn); err != nil {
		return err
	}
	l.doing = "waiting for the response"
	if _, err := reader.Peek(1); err != nil {
		return err
	}
	l.seen.Took.FirstByte = time.Since(began)
	began = time.Now()
	if l.seen.TLS == nil && isTLSRecord(reader) {
		return known{Malformed, speaksTLS(l.request.Address.Port())}
	}

	l.doing = "reading the response's header"
	// The body is not closed: that would read the rest of it, however long. The
	// connection is closed instead.
	response, err := readHeader(reader, in, l.want.request) //nolint:bodyclose // see above
	if err != nil {
		return err
	}
	l.record(response)
	in.N = 2*l.settings.MaxBody + maxHeader // the framing of chunks comes on top
	if err := l.readBody(response, in); err != nil {
		return err
	}
	l.seen.Took.Transfer = time.Since(began)
	l.seen.Reached = PhaseHTTP
	return nil
}

// isTLSRecord tells whether what comes is the alert of a server that speaks TLS
// (RFC 8446 section 5.1): type 21, version 3.x.
func isTLSRecord(reader *bufio.Reader) bool {
	start, err := reader.Peek(2)
	return err == nil && bytes.Equal(start, []byte{21, 3})
}

func speaksTLS(port uint16) string {
	return fmt.Sprintf("port %d speaks TLS, and was asked in plain HTTP", port)
}

// record keeps what the header of the response says.
func (l *look) record(response *http.Response) {
	l.seen.HTTP = &HTTP{
		Status:         response.StatusCode,
		Protocol:       clip(response.Proto),
		Location:       clip(response.Header.Get("Location")),
		Server:         clip(response.Header.Get("Server")),
		RetryAfter:     clip(response.Header.Get("Retry-After")),
		Date:           dateOf(response.Header),
		HeadersMissing: missing(l.want.headers, response.Header),
	}
	l.next = redirect(l.request.Target, response)
	if l.want.identity != nil {
		proved := slices.ContainsFunc(response.Header.Values(l.request.Target.Expect.Identity.Header), l.want.identity.MatchString)
		if l.seen.Unproven = !proved && anybodys(l.request.Target, response.StatusCode, l.next); !l.seen.Unproven {
			l.seen.Identity = &proved
		}
	}
	l.seen.HTTP.Circular = circular(l.request.Target, response, l.next)
}

func (l *look) send(conn net.Conn) error {
	l.doing = "sending the request"
	l.want.complete(l.settings.UserAgent)
	err := l.want.request.Write(conn)
	if err != nil && !networkError(err) {
		return known{Self, "the request could not be written"}
	}
	return err
}

func networkError(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

// readHeader skips interim responses (RFC 9110 section 15.2). They and the final
// header share one budget, so that neither can go on for ever.
func readHeader(reader *bufio.Reader, in *budget, request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(reader, request)
		switch {
		case err != nil && in.spent():
			return nil, tooLong()
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols, response.StatusCode < 100:
			return nil, known{Malformed, fmt.Sprintf("the response has the status %d, which makes no sense here", response.StatusCode)}
		case response.StatusCode >= 200:
			return response, nil
		}
	}
}

func tooLong() error {
	return known{Malformed, fmt.Sprintf("the response's header is longer than %d KiB", maxHeader>>10)}
}

// missing lists the expected headers that no value in the response matches.
func missing(want map[string]*regexp.Regexp, got http.Header) []string {
	var names []string
	for name, re := range want {
		values := got.Values(name)
		ok := len(values) > 0
		if re != nil {
			ok = slices.ContainsFunc(values, re.MatchString)
		}
		if !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
