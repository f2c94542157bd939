package config

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// hostASCII gives the name as DNS carries it: ASCII, lower case, no trailing
// dot. Names that are all ASCII are taken as they are (RFC 1123 §2.1); others
// go through IDNA 2008 for look-ups (RFC 5891 §5). At most 253 characters, in
// labels of at most 63 (RFC 1035 §2.3.4).
func hostASCII(name string) (string, *fault) {
	host := strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return "", faultf("name the host, and pin the address under the target's addresses",
			"a target is a name, found the address %s", shown(name))
	}
	bad := func(hint string) (string, *fault) {
		return "", faultf(hint, "not a host name: %s", shownURL(name))
	}
	switch {
	case host == "":
		return bad("write a name such as api.example.com")
	case strings.Contains(host, "_"):
		return bad("host names have no underscore (RFC 1123)")
	case len(host) > 1000:
		return bad("a name has at most 253 characters")
	}
	ascii := strings.ToLower(host)
	if !isASCII(host) || strings.Contains(ascii, "xn--") {
		var err error
		if ascii, err = idna.Lookup.ToASCII(host); err != nil || !utf8.ValidString(host) {
			return bad("check the spelling; the name is not valid in IDNA 2008")
		}
		ascii = strings.TrimSuffix(ascii, ".")
	}
	if len(ascii) > 253 {
		return bad("a name has at most 253 characters")
	}
	if hint := labelsHint(ascii); hint != "" {
		return bad(hint)
	}
	return ascii, nil
}

// labelsHint says what is wrong with the labels of a lower-case ASCII name.
func labelsHint(ascii string) string {
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		switch {
		case label == "":
			return "remove the extra dot"
		case len(label) > 63:
			return "each part between dots has at most 63 characters"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a part between dots neither starts nor ends with -"
		case !ldh(label):
			return "use letters, digits, - and dots, such as api.example.com"
		}
	}
	// A name that ends in a number reads as an IPv4 address elsewhere
	// (WHATWG URL, "ends in a number").
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "the last part of a name is not a number; write a name such as api.example.com"
	}
	return ""
}

// ldh says whether the label is of letters, digits and hyphens.
func ldh(label string) bool {
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// splitHost reads HOST or HOST:PORT; the port is 443 when none is given.
func splitHost(text string) (host string, port uint16, f *fault) {
	if strings.Contains(text, "@") {
		return "", 0, faultf("remove what stands before the @", "not a host name: %s", shownURL(text))
	}
	if addr, err := netip.ParseAddrPort(text); err == nil {
		_, f = hostASCII(addr.Addr().String())
		return "", 0, f
	}
	name, portText, hasPort := strings.Cut(text, ":")
	if strings.Contains(portText, ":") { // an IPv6 address, or nothing known
		name, hasPort = text, false
	}
	if host, f = hostASCII(name); f != nil {
		return "", 0, f
	}
	if !hasPort {
		return host, 443, nil
	}
	if port, f = targetPort(portText); f != nil {
		return "", 0, f
	}
	return host, port, nil
}

func targetPort(text string) (uint16, *fault) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, faultf("use a port from 1 to 65535, or leave it out for 443", "not a port: %s", shown(text))
	}
	return uint16(n), nil
}

// kubernetesLabel says whether text is a DNS-1123 label, as Kubernetes wants
// for namespaces and Services.
func kubernetesLabel(text string) bool {
	return len(text) > 0 && len(text) <= 63 && ldh(text) && text[0] != '-' && text[len(text)-1] != '-'
}
