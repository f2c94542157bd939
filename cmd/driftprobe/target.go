package main

import (
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"driftprobe/config"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// targetOf drops what is secret: the inventory stands in every snapshot.
func targetOf(t config.Target, origin string) inventory.Target {
	out := inventory.Target{
		Key: t.Key(), Host: t.Host, Port: t.Port, Path: t.Path, Origin: origin,
		Addresses: t.Addresses, Allow: t.Allow, TLSOnly: t.Scheme == "tls",
		Method: t.Method, SendsBody: t.SendsBody(), Maintenance: windowsOf(t.Maintenance), Labels: t.Labels,
		Redirects: inventory.Redirects{Follow: t.Redirects.Follow, Hosts: t.Redirects.Hosts},
		Expect:    expectOf(t.Expect),
	}
	if t.Scheme == inventory.SchemeHTTP || t.Scheme == inventory.SchemeTCP {
		out.Scheme = t.Scheme
	}
	if ns, name, ok := strings.Cut(t.Service, "/"); ok {
		out.Service = inventory.ServiceRef{Namespace: ns, Name: name}
	}
	return out
}

func expectOf(e config.Expect) inventory.Expect {
	out := inventory.Expect{
		BodyRegex: text(e.BodyRegex), Headers: texts(e.Headers), JSON: texts(e.JSON), FinalURL: text(e.FinalURL),
		Protocol: e.Protocol, Within: e.Within, Unreachable: e.Unreachable, TLS: e.TLS,
		Identity: inventory.Identity{Header: e.Identity.Header, Path: e.Identity.Path, Regex: text(e.Identity.Regex)},
	}
	for _, r := range e.Status {
		out.Status = append(out.Status, inventory.StatusRange{From: r.First, To: r.Last})
	}
	return out
}

func text(re *regexp.Regexp) string {
	if re == nil {
		return ""
	}
	return re.String()
}

func texts(all map[string]*regexp.Regexp) map[string]string {
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]string, len(all))
	for name, re := range all {
		out[name] = text(re)
	}
	return out
}

func windowsOf(all []config.Window) []inventory.Window {
	var out []inventory.Window
	for _, w := range all {
		out = append(out, w.Parsed)
	}
	return out
}

// secretsOf adds to a request what its target sends and nobody else may see. Files
// are read anew for each probe, so that one that was replaced is used at once.
func secretsOf(targets []config.Target) func(probe.Request) (probe.Request, error) {
	byKey := map[string]config.Target{}
	for _, t := range targets {
		if t.Secrets() {
			byKey[t.Key()] = t
		}
	}
	known := &clientPairs{last: map[string]clientPair{}}
	return func(r probe.Request) (probe.Request, error) {
		t, ok := byKey[r.Target.Key]
		if !ok {
			return r, nil
		}
		r, err := present(t, r)
		if err != nil {
			return r, err
		}
		own, err := certified(t)
		r.Certificate, err = known.settled(r.Target.Key, own, err, time.Now())
		return r, err
	}
}

// present reads a target's secrets into a request, but for its client certificate. The
// error names the file and shows nothing of what is in it.
func present(t config.Target, r probe.Request) (probe.Request, error) {
	place := "targets[" + t.URL + "]."
	h := http.Header{}
	for name, value := range t.Headers {
		h.Set(name, value.Reveal())
	}
	for _, name := range slices.Sorted(maps.Keys(t.HeaderFiles)) {
		value, err := config.ReadSecretFile(t.HeaderFiles[name], place+"header_files."+name)
		if err != nil {
			return r, err
		}
		h.Set(name, value.Reveal())
	}
	if err := authorize(t, place, h); err != nil {
		return r, err
	}
	if len(h) > 0 {
		r.Headers = h
	}
	if t.SendsBody() {
		body := t.Body
		if t.BodyFile != "" {
			var err error
			if body, err = config.ReadSecretFile(t.BodyFile, place+"body_file"); err != nil {
				return r, err
			}
		}
		r.Body = []byte(body.Reveal())
	}
	return r, nil
}

// authorize sets the header Authorization (RFC 7617, RFC 6750).
func authorize(t config.Target, place string, h http.Header) error {
	switch {
	case t.BearerTokenFile != "":
		token, err := config.ReadSecretFile(t.BearerTokenFile, place+"bearer_token_file")
		if err != nil {
			return err
		}
		h.Set("Authorization", "Bearer "+token.Reveal())
	case t.BasicAuth.Username != "":
		password := t.BasicAuth.Password
		if file := t.BasicAuth.PasswordFile; file != "" {
			var err error
			if password, err = config.ReadSecretFile(file, place+"basic_auth.password_file"); err != nil {
				return err
			}
		}
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(t.BasicAuth.Username+":"+password.Reveal())))
	}
	return nil
}
