package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// readBody reads at most MaxBody bytes and looks in them for what is expected. in
// counts what the peer sent, framing and all; nil over HTTP/2, which has its own
// limits.
func (l *look) readBody(response *http.Response, in *budget) error {
	l.doing = "reading the response's body"
	whole := &untilEnd{Reader: response.Body}
	raw := &io.LimitedReader{R: whole, N: l.settings.MaxBody}
	var body io.Reader = raw
	switch coding := codings(response.Header); coding {
	case "":
	case "gzip", "x-gzip": // RFC 9110 section 8.4.1.3
		inflated, err := inflate(raw)
		if errors.Is(err, io.EOF) { // no body at all, as of HEAD and 204
			body = strings.NewReader("")
			break
		}
		if err != nil {
			return bodyFault(err, in, whole.reached && delimited(response))
		}
		body = io.LimitReader(inflated, l.settings.MaxBody)
	default:
		l.seen.HTTP.Encoding = clip(coding)
	}
	var text []byte
	var err error
	if l.reads(response) {
		text, err = io.ReadAll(body)
		l.seen.HTTP.BodyBytes = int64(len(text))
	} else {
		l.seen.HTTP.BodyBytes, err = io.Copy(io.Discard, body)
	}
	if err != nil && raw.N > 0 { // else it is only our limit that cut a gzip stream
		return bodyFault(err, in, whole.reached && delimited(response))
	}
	l.search(text)
	return nil
}

// codings lists what was done to a body, in one text (RFC 9110 section 8.4); "" if nothing.
func codings(h http.Header) string {
	var list []string
	for token := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Content-Encoding"), ",")), ",") {
		if token = strings.TrimSpace(token); token != "" && token != "identity" {
			list = append(list, token)
		}
	}
	return strings.Join(list, ", ")
}

// members inflates those of a body in gzip, one after the other (RFC 1952 section 2.2).
// What follows the last and is none is passed over, as by browsers, curl and gzip itself.
type members struct {
	raw *bufio.Reader
	gz  *gzip.Reader
}

func inflate(r io.Reader) (*members, error) {
	m := &members{raw: bufio.NewReader(r)}
	var err error
	if m.gz, err = gzip.NewReader(m.raw); err != nil {
		return nil, err
	}
	m.gz.Multistream(false)
	return m, nil
}

// Read reads on.
func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.gz.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil
		}
		switch magic, err := m.raw.Peek(2); {
		case err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case !bytes.Equal(magic, []byte{0x1f, 0x8b}):
			return 0, io.EOF
		}
		if err := m.gz.Reset(m.raw); err != nil {
			return 0, err
		}
		m.gz.Multistream(false)
	}
}

// reads tells whether the body is searched, and not only counted.
func (l *look) reads(response *http.Response) bool {
	return l.want.body != nil || len(l.want.json) > 0 || response.StatusCode == http.StatusBadRequest
}

func (l *look) search(text []byte) {
	h := l.seen.HTTP
	if l.want.body != nil {
		matched := l.want.body.Match(text)
		h.BodyMatched = &matched
	}
	if len(l.want.json) > 0 {
		h.NotJSON, h.JSONWrong = jsonFaults(l.want.json, text)
	}
	h.PlainToTLS = h.Status == http.StatusBadRequest && contains(text, plainToTLS())
	h.WantsCertificate = h.Status == http.StatusBadRequest && contains(text, wantsCertificate())
}

// jsonFaults lists what is not as expected. The text is checked first by a reader
// that bounds how deep it nests.
func jsonFaults(want map[string]*regexp.Regexp, text []byte) (notJSON bool, wrong []string) {
	if !json.Valid(text) {
		return true, nil
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		got, re := gjson.GetBytes(text, path), want[path]
		switch {
		case !got.Exists():
			wrong = append(wrong, clip(path+": absent"))
		case re != nil && !re.MatchString(got.String()):
			wrong = append(wrong, clip(path+": "+got.String()))
		}
	}
	return false, wrong
}

// plainToTLS are the words with which servers refuse plain HTTP on a port of TLS:
// those in the sources of nginx, Go (Caddy, Traefik), Apache and Jetty.
func plainToTLS() []string {
	return []string{
		"the plain http request was sent to https port",
		"client sent an http request to an https server",
		"you're speaking plain http to an ssl-enabled server port",
		"combination of host and port requires tls",
	}
}

// wantsCertificate are those with which nginx refuses who has no client certificate, or
// one that it does not accept, after the handshake. The status alone proves nothing:
// an application says 400 too.
func wantsCertificate() []string {
	return []string{"no required ssl certificate was sent", "the ssl certificate error"}
}

func contains(text []byte, any []string) bool {
	text = bytes.ToLower(text[:min(len(text), 4096)])
	return slices.ContainsFunc(any, func(words string) bool { return bytes.Contains(text, []byte(words)) })
}

// untilEnd notes whether a body came to its end.
type untilEnd struct {
	io.Reader
	reached bool
}

// Read reads on.
func (e *untilEnd) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.reached = e.reached || errors.Is(err, io.EOF)
	return n, err
}

// delimited tells whether the end of a body shows that it is whole (RFC 9112 section 6.3):
// else the end is where the peer hung up.
func delimited(response *http.Response) bool {
	return response.ProtoMajor == 2 || response.ContentLength >= 0 || len(response.TransferEncoding) > 0
}

// bodyFault: a body that arrived whole and ends too early for what is in it is the fault of
// who made it, and not of the way.
func bodyFault(err error, in *budget, whole bool) error {
	spent := in != nil && in.spent()
	own := known{}
	if networkError(err) || errors.Is(err, io.ErrUnexpectedEOF) && !spent && !whole || in == nil && ofHTTP2(err) || errors.As(err, &own) {
		return err
	}
	return known{Malformed, "the response's body breaks its own encoding"}
}
