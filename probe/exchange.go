package probe

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
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
		start, _ := reader.Peek(min(reader.Buffered(), 16)) // cannot fail: it is there
		begins := bytes.Clone(start)
		response, err := http.ReadResponse(reader, request)
		switch {
		case err != nil && in.spent():
			return nil, tooLong()
		case err != nil && !ofTheWay(err):
			return nil, known{Malformed, notHTTPText(err, begins)}
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols, response.StatusCode < 100:
			return nil, senseless(response.StatusCode)
		case response.StatusCode >= 200:
			if response.ProtoMajor != 1 { // some call "HTTP/2.0" what they say in HTTP/1.1
				response.Proto, response.ProtoMajor, response.ProtoMinor = "HTTP/1.1", 1, 1
			}
			return response, nil
		}
	}
}

// ofTheWay tells whether an error is of the connection, and not of what came over it.
func ofTheWay(err error) bool {
	header, own := tls.RecordHeaderError{}, known{}
	return networkError(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &header) || errors.As(err, &own)
}

// notHTTPText says what net/http found wrong with a response, of whose beginning it is
// told. Its own words quote the peer.
func notHTTPText(err error, begins []byte) string {
	const not = "the reply is not valid HTTP: "
	says, _, _ := strings.Cut(err.Error(), `"`)
	switch {
	case len(begins) > 8 && begins[0] == 0 && begins[3] == 4: // SETTINGS, RFC 9113 section 3.4
		return not + "it is HTTP/2, which was not agreed on"
	case !bytes.HasPrefix(begins, []byte("HTTP/"[:min(5, len(begins))])), strings.HasPrefix(says, "malformed HTTP"):
		return not + "it begins with \"" + finding.Printable(string(begins), 40) + "\""
	case strings.Contains(says, "Content-Length"):
		return not + "its Content-Length makes no sense, or contradicts itself"
	case strings.Contains(says, "transfer encoding"):
		return not + "its Transfer-Encoding is one that clients do not know"
	}
	return not + "a line of its header is no field"
}

func senseless(status int) error {
	return known{Malformed, fmt.Sprintf("the response has the status %d, which makes no sense here", status)}
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
