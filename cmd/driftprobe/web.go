package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
)

// page holds the newest look for the web.
type page struct {
	mu   sync.RWMutex
	last look
}

// look is a report and all that it was made of.
type look struct {
	ready  bool
	snap   snapshot.Snapshot
	report finding.Report
	policy diagnose.Policy
}

func (p *page) set(l look) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = l
}

func (p *page) get() look {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last
}

// startWeb serves until the returned function is called.
func (s *server) startWeb(ctx context.Context, l net.Listener) func() {
	srv := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		// A request that waits (for a reload) must not wait for longer than we live.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	var done sync.WaitGroup
	done.Go(func() {
		if err := srv.Serve(l); err != nil && err != http.ErrServerClosed {
			s.log.Error("the web server ended", "err", err)
		}
	})
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		done.Wait()
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.HandleFunc("GET /probe", s.demand.handler(s.page.get))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, "driftprobe is running\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !s.page.get().ready {
			say(w, http.StatusServiceUnavailable, "the first look is not finished\n")
			return
		}
		say(w, http.StatusOK, "driftprobe is ready\n")
	})
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) {
		if err := s.askReload(r.Context()); err != nil {
			var text bytes.Buffer
			complain(&text, err)
			say(w, http.StatusInternalServerError, text.String())
			return
		}
		say(w, http.StatusOK, "the configuration was reloaded\n")
	})
	mux.HandleFunc("GET /api/v1/snapshot", oneAtATime(func(w http.ResponseWriter, _ *http.Request) {
		last := s.page.get()
		if !last.ready {
			say(w, http.StatusServiceUnavailable, "the first look is not finished\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// A client that went away is no fault of ours.
		_ = report.JSON(w, last.report, last.snap, last.policy)
	}))
	inTurn := oneByOne()
	status := inTurn(s.status)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		status(w, r)
	})
	mux.HandleFunc("GET /host", inTurn(s.host))
	mux.HandleFunc("GET /explain", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		explained(r).send(w)
	})
	return mux
}

// status is the page: HTML for a browser, the report as text for all others.
func (s *server) status(r *http.Request) answer {
	last := s.page.get()
	if !last.ready {
		return plain(http.StatusServiceUnavailable, "the first look is not finished\n")
	}
	var text bytes.Buffer
	if wantsHTML(r) {
		if err := report.Page(&text, last.report, last.snap); err != nil {
			return plain(http.StatusInternalServerError, err.Error())
		}
		return answer{http.StatusOK, text.String(), true}
	}
	fmt.Fprintf(&text, "as of %s\n\n", last.report.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	if err := report.Text(&text, last.report, report.Options{Served: true}); err != nil {
		return plain(http.StatusInternalServerError, err.Error())
	}
	return plain(http.StatusOK, text.String())
}

// host is the page of one hostname, as it is watched or as somebody types it. A body is not
// read, as r.FormValue would.
func (s *server) host(r *http.Request) answer {
	last := s.page.get()
	if !last.ready {
		return plain(http.StatusServiceUnavailable, "the first look is not finished\n")
	}
	name := watchedName(r.URL.Query().Get("name"))
	var text bytes.Buffer
	known, err := report.HostPage(&text, last.report, last.snap, name)
	switch {
	case err != nil:
		return plain(http.StatusInternalServerError, err.Error())
	case !known:
		return plain(http.StatusNotFound, finding.Printable(name, 253)+" is not watched\n")
	}
	return answer{http.StatusOK, text.String(), true}
}

// watchedName is a host as targets have it, from what somebody types or pastes: in any case
// and script, a wildcard, or the URL.
func watchedName(typed string) string {
	name := strings.TrimSpace(typed)
	base, wild := strings.CutPrefix(name, "*.")
	t, err := config.ParseTarget(base)
	switch {
	case err != nil:
		return strings.TrimSuffix(strings.ToLower(name), ".")
	case wild:
		return "*." + t.Host
	}
	return t.Host
}

// explained is what the code means that is asked for, or the list of all.
func explained(r *http.Request) answer {
	var text bytes.Buffer
	var err error
	code, browser := r.URL.Query().Get("code"), wantsHTML(r)
	switch e, known := finding.Lookup(finding.Code(code)); {
	case code == "" && browser:
		err = report.ExplainAllPage(&text)
	case code == "":
		err = report.ExplainAll(&text, "", "/explain?code=CODE")
	case !known:
		return plain(http.StatusNotFound, "there is no code "+finding.Printable(code, 60)+"; /explain lists them\n")
	case browser:
		err = report.ExplainPage(&text, e)
	default:
		err = report.Explain(&text, e)
	}
	if err != nil {
		return plain(http.StatusInternalServerError, err.Error())
	}
	return answer{http.StatusOK, text.String(), browser}
}

// wantsHTML tells whether HTML is named in the Accept of a request, and wanted no less than
// plain text (RFC 9110 section 12.5.1). curl sends */*, and is no browser.
func wantsHTML(r *http.Request) bool {
	weights := map[string]float64{}
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		weights[kind] = 1
		if q, given := params["q"]; given {
			weights[kind], _ = strconv.ParseFloat(q, 64) // what is no weight is none
		}
	}
	var text float64
	for _, kind := range []string{"*/*", "text/*", "text/plain"} { // the most specific counts
		if q, named := weights[kind]; named {
			text = q
		}
	}
	return weights["text/html"] > 0 && weights["text/html"] >= text
}

// answer is one that is whole before the first byte of it is sent.
type answer struct {
	status int
	body   string
	isHTML bool
}

func plain(status int, text string) answer { return answer{status, text, false} }

func (a answer) send(w http.ResponseWriter) {
	if a.isHTML {
		show(w, a.body)
		return
	}
	say(w, a.status, a.body)
}

// oneByOne makes handlers that take turns: a page of ten thousand names costs milliseconds
// and megabytes, and anybody who reaches the port can ask for it. Who waits for a second is
// turned away. A client that reads slowly holds up nobody: the turn ends before it.
func oneByOne() func(func(*http.Request) answer) http.HandlerFunc {
	turn := make(chan struct{}, 1)
	return func(render func(*http.Request) answer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				turnAway(w)
				return
			}
			a := func() answer {
				defer func() { <-turn }()
				return render(r)
			}()
			a.send(w)
		}
	}
}

func turnAway(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	say(w, http.StatusServiceUnavailable, "another request is being answered; ask again\n")
}

// show answers with a page that runs nothing, loads nothing and is framed by nobody.
func show(w http.ResponseWriter, page string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = io.WriteString(w, page)
}

// oneAtATime turns requests away while another is being answered: a snapshot of ten
// thousand names takes some 200 MB while it is written out, and anybody who reaches
// the port can ask for it.
func oneAtATime(answer http.HandlerFunc) http.HandlerFunc {
	var busy sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		if !busy.TryLock() {
			turnAway(w)
			return
		}
		defer busy.Unlock()
		answer(w, r)
	}
}

// say answers with plain text that no browser takes for anything else.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
