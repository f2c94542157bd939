package lab

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// HTTPFault answers instead of the part when it returns true. One that returns
// false may have waited.
type HTTPFault func(w http.ResponseWriter, r *http.Request) bool

// HTTPStatus answers with a status and a body.
func HTTPStatus(status int, body string) HTTPFault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may be gone: its affair
		return true
	}
}

// HTTPTooMany answers 429 with Retry-After in whole seconds.
func HTTPTooMany(retryAfter time.Duration, body string) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		return HTTPStatus(http.StatusTooManyRequests, body)(w, r)
	}
}

// HTTPSlow waits before the part answers; it ends early with the connection.
func HTTPSlow(d time.Duration) HTTPFault {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return false
		case <-r.Context().Done():
			return true
		}
	}
}

// HTTPHang takes the request and never answers.
func HTTPHang(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

// HTTPReset breaks the connection before an answer.
func HTTPReset(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

// Half is an HTTPFault: it sends the first half of the body that the part would
// have sent, under the length of the whole, and breaks off.
func (p *HTTPPart) Half(w http.ResponseWriter, r *http.Request) bool {
	body := p.announce(w, r)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Trickle is an HTTPFault: it sends the body that the part would have sent byte by
// byte, a tenth of a second apart, until the client goes. No pause in it is long.
func (p *HTTPPart) Trickle(w http.ResponseWriter, r *http.Request) bool {
	body := p.announce(w, r)
	next := time.NewTicker(100 * time.Millisecond)
	defer next.Stop()
	for i := range body {
		_, _ = w.Write(body[i : i+1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-next.C:
		case <-r.Context().Done():
			return true
		}
	}
	return true
}

// announce has the part answer, sends the head of that with the length of the whole
// body, and returns the body.
func (p *HTTPPart) announce(w http.ResponseWriter, r *http.Request) []byte {
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	p.handler.ServeHTTP(rec, r)
	body := rec.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(rec.status)
	return body
}

// recorder holds an answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// HTTPTimes applies f to the first n requests.
func HTTPTimes(n int, f HTTPFault) HTTPFault {
	var seen atomic.Int64
	return HTTPWhen(func(*http.Request) bool { return seen.Add(1) <= int64(n) }, f)
}

// HTTPFor applies f to one method (empty: any) at paths with this prefix.
func HTTPFor(method, prefix string, f HTTPFault) HTTPFault {
	return HTTPWhen(func(r *http.Request) bool {
		return (method == "" || method == r.Method) && strings.HasPrefix(r.URL.Path, prefix)
	}, f)
}

// HTTPWhen applies f where cond holds.
func HTTPWhen(cond func(*http.Request) bool, f HTTPFault) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request) bool { return cond(r) && f(w, r) }
}
