package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"driftprobe/internal/inventory"
)

// maxURL bounds a target's URL, in bytes.
const maxURL = 2048

// ParseTarget reads a command-line argument: HOST, HOST:PORT or a URL such as
// https://HOST/path. The error is a Problem without a file, with a hint.
func ParseTarget(arg string) (Target, error) {
	var target Target
	var f *fault
	switch {
	case strings.Contains(arg, "://"):
		target, f = targetFromURL(arg)
	case strings.HasPrefix(arg, "*."):
		f = faultf(`name one host; wildcards go into a configuration file, as host: "*.example.com"`,
			"a wildcard cannot be looked at by itself: %s", shown(arg))
	default:
		target, f = targetFromHost(arg)
	}
	if f != nil {
		return Target{}, Problem{Message: f.message, Hint: f.hint}
	}
	return target, nil
}

// newTarget joins parts that are canonical already.
func newTarget(scheme, host string, port uint16, path string) Target {
	authority := host
	if port != usualPort(scheme) {
		authority += ":" + strconv.Itoa(int(port))
	}
	return Target{URL: scheme + "://" + authority + path, Scheme: scheme, Host: host, Port: port, Path: path}
}

// usualPort is the port that a URL of the scheme need not name; 0 if there is none.
func usualPort(scheme string) uint16 {
	if scheme == "tls" {
		return 443
	}
	return inventory.DefaultPort(scheme)
}

// targetFromHost reads HOST, HOST:PORT or *.ZONE.
func targetFromHost(text string) (Target, *fault) {
	wildcard := ""
	name := text
	if rest, ok := strings.CutPrefix(text, "*."); ok {
		wildcard, name = "*.", rest
	}
	switch {
	case strings.Contains(text, "://"):
		return Target{}, faultf("use url: for a whole URL, host: for a name alone", "not a host name: %s", shownURL(text))
	case strings.ContainsAny(text, "/?#") && !isPrefix(text):
		return Target{}, faultf("write it as https://HOST/path (in a file: url:)", "not a host name: %s", shownURL(text))
	case strings.Contains(name, "*"):
		return Target{}, faultf(`a wildcard is the whole first part: "*.example.com"`, "not a host name: %s", shownURL(text))
	}
	host, port, f := splitHost(name)
	if f != nil {
		return Target{}, f
	}
	if len(wildcard+host) > 253 {
		return Target{}, faultf("a name has at most 253 characters", "not a host name: %s", shown(text))
	}
	return newTarget("https", wildcard+host, port, "/"), nil
}

func isPrefix(text string) bool {
	_, err := netip.ParsePrefix(text)
	return err == nil
}

// targetFromURL reads https://HOST[:PORT]/path?query, the same with http, and
// tls://HOST[:PORT] and tcp://HOST:PORT.
func targetFromURL(text string) (Target, *fault) {
	bad := func(hint, what string) (Target, *fault) {
		return Target{}, faultf(hint, "%s: %s", what, shownURL(text))
	}
	if len(text) > maxURL {
		return Target{}, faultf("use a shorter URL", "the URL is longer than %d bytes", maxURL)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return bad("write a space as %20", "white space in the URL")
	}
	u, err := url.Parse(escapedAfterHost(text))
	if err != nil || u.Opaque != "" {
		// The cause is left out: it may repeat parts of a password.
		return bad("write it like https://api.example.com/healthz", "not a URL")
	}
	switch {
	case u.Scheme == "":
		return bad("write it like https://api.example.com/healthz, or use host: for a name alone", "a URL without https://")
	case !slices.Contains([]string{"https", "http", "tls", "tcp"}, u.Scheme):
		return bad("use https://, http://, tls:// or tcp://", "not a URL that can be probed")
	case u.User != nil:
		return bad("remove what stands before the @, and use basic_auth", "a user name or password in the URL")
	case strings.Contains(u.Host, "*"):
		return bad(`use host: "*.example.com" for a wildcard`, "a wildcard in a URL")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return bad("remove the # and what follows; it is never sent", "a fragment in the URL")
	case (u.Scheme == "tcp" || u.Scheme == "tls") && (strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		return bad("write it like "+u.Scheme+"://mail.example.com:465", "a path, which only HTTP has")
	case u.Scheme == "tcp" && u.Port() == "":
		return bad("write it like tcp://db.example.com:5432", "a tcp:// URL without a port")
	}
	host, f := hostASCII(u.Hostname())
	if f != nil {
		return Target{}, f
	}
	port := usualPort(u.Scheme)
	if u.Port() != "" {
		if port, f = targetPort(u.Port()); f != nil {
			return Target{}, f
		}
	}
	return newTarget(u.Scheme, host, port, requestPath(u)), nil
}

// requestPath is what the request line carries (RFC 9112 §3.2.1).
func requestPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

// escapedAfterHost percent-encodes what may not stand in a path or query (RFC
// 3986 §2), and leaves what is encoded as it is. net/url would decode and
// encode the whole path anew, and so turn %2F into a slash.
func escapedAfterHost(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if !ok || end < 0 {
		return text
	}
	var out strings.Builder
	out.WriteString(scheme + "://" + rest[:end])
	for _, c := range []byte(rest[end:]) {
		if c < utf8.RuneSelf && (strings.IndexByte("-._~:/?#[]@!$&'()*+,;=%", c) >= 0 || ldh(strings.ToLower(string(rune(c))))) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// parseEndpoint reads the URL of an API of ours to call: https, or http to
// this machine itself.
func parseEndpoint(text string) *fault {
	hint := "write it like https://api.example.com/"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Hostname() == "":
		return faultf(hint, "expected an https:// URL")
	case u.User != nil:
		return faultf("remove what stands before the @", "a user name or password in the URL")
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		return faultf("write https://; http:// is accepted only for loopback addresses", "expected an https:// URL")
	}
	if u.Port() != "" {
		_, f := targetPort(u.Port())
		return f
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost"
}
