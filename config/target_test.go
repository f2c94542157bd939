package config

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		arg, key, host string
		port           uint16
		path           string
	}{
		{"api.example.com", "https://api.example.com/", "api.example.com", 443, "/"},
		{"API.Example.COM.", "https://api.example.com/", "api.example.com", 443, "/"},
		{"api.example.com:443", "https://api.example.com/", "api.example.com", 443, "/"},
		{"api.example.com:8443", "https://api.example.com:8443/", "api.example.com", 8443, "/"},
		{"https://api.example.com", "https://api.example.com/", "api.example.com", 443, "/"},
		{"HTTPS://Api.Example.com:443/A/b?c=D", "https://api.example.com/A/b?c=D", "api.example.com", 443, "/A/b?c=D"},
		{"https://api.example.com:/", "https://api.example.com/", "api.example.com", 443, "/"},
		{"https://api.example.com/a%2Fb/ü", "https://api.example.com/a%2Fb/%C3%BC", "api.example.com", 443, "/a%2Fb/%C3%BC"},
		{`https://api.example.com/{a}|b?q="<é>"`, "https://api.example.com/%7Ba%7D%7Cb?q=%22%3C%C3%A9%3E%22", "api.example.com", 443, "/%7Ba%7D%7Cb?q=%22%3C%C3%A9%3E%22"},
		{"https://api.example.com?x=ü", "https://api.example.com/?x=%C3%BC", "api.example.com", 443, "/?x=%C3%BC"},
		{"bücher.example", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"},
		{"straße.example", "https://xn--strae-oqa.example/", "xn--strae-oqa.example", 443, "/"},
		{"例え.テスト", "https://xn--r8jz45g.xn--zckzah/", "xn--r8jz45g.xn--zckzah", 443, "/"},
		{"r3---sn-4g5e6nez.example.com", "https://r3---sn-4g5e6nez.example.com/", "r3---sn-4g5e6nez.example.com", 443, "/"},
		{"http://api.example.com:80/a", "http://api.example.com/a", "api.example.com", 80, "/a"},
		{"http://api.example.com:443", "http://api.example.com:443/", "api.example.com", 443, "/"},
		{"tcp://db.example.com:5432", "tcp://db.example.com:5432/", "db.example.com", 5432, "/"},
		{"tls://Mail.example.com", "tls://mail.example.com/", "mail.example.com", 443, "/"},
		{"localhost", "https://localhost/", "localhost", 443, "/"},
	} {
		got, err := ParseTarget(test.arg)
		if err != nil {
			t.Errorf("ParseTarget(%q): %v", test.arg, err)
			continue
		}
		if got.Key() != test.key || got.Host != test.host || got.Port != test.port || got.Path != test.path {
			t.Errorf("ParseTarget(%q) = %q %q %d %q, want %+v", test.arg, got.Key(), got.Host, got.Port, got.Path, test)
		}
		again, err := ParseTarget(got.Key())
		if err != nil || again.Key() != got.Key() {
			t.Errorf("the key %q is no fixed point: %q, %v", got.Key(), again.Key(), err)
		}
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for arg, want := range map[string]string{
		"":                                      "not a host name",
		".":                                     "not a host name",
		"my host":                               "not a host name",
		"api_1.example.com":                     "not a host name",
		"api.example.com/healthz":               "not a host name",
		"-v":                                    "not a host name",
		"*.example.com":                         "a wildcard cannot be looked at",
		"203.0.113.7":                           "a target is a name",
		"203.0.113.7:443":                       "a target is a name",
		"10.0.0.0/8":                            "not a host name",
		"2001:db8::7":                           "a target is a name",
		"[2001:db8::7]:443":                     "a target is a name",
		"::ffff:203.0.113.7":                    "a target is a name",
		"１.２.３.４":                               "not a host name",
		"api.example.com:":                      "not a port",
		"api.example.com:0":                     "not a port",
		"api.example.com:65536":                 "not a port",
		"api.example.com:+1":                    "not a port",
		"api.example.com:https":                 "not a port",
		"ftp://api.example.com/":                "not a URL that can be probed",
		"tcp://api.example.com":                 "a tcp:// URL without a port",
		"tcp://api.example.com:25/x":            "a path, which only HTTP has",
		"http://2130706433/":                    "not a host name",
		"http://0x7f.1/":                        "not a host name",
		"http://0177.0.0.1/":                    "not a host name",
		"http://[::ffff:127.0.0.1]/":            "a target is a name",
		"https://u:" + hidden + "@a.example/":   "a user name or password",
		"https://u:" + hidden + "/@a.example/":  "not a URL",
		"u:" + hidden + "@a.example":            "not a host name",
		"https://%zz/":                          "not a URL",
		"https://a.example/\n":                  "white space",
		"https://a.example/#":                   "a fragment",
		"xn--a.example":                         "not a host name",
		"a\x00b.example":                        "not a host name",
		strings.Repeat("a", 100_000):            "not a host name",
		strings.Repeat("ü", 100_000):            "not a host name",
		"https://" + strings.Repeat("a", 1<<20): "longer than",
	} {
		_, err := ParseTarget(arg)
		var p Problem
		if !errors.As(err, &p) || p.Hint == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTarget(%.60q) = %v, want %q with a hint", arg, err, want)
			continue
		}
		if strings.Contains(err.Error()+p.Hint, hidden) || len(err.Error()) > 500 {
			t.Errorf("ParseTarget(%.60q) says too much: %.600v", arg, err)
		}
	}
}

func TestNamesOfTheLongestKind(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := strings.Join([]string{label, label, label, label[:61]}, ".")
	if got, err := ParseTarget(longest); err != nil || len(got.Host) != 253 {
		t.Errorf("a name of 253 characters: %v", err)
	}
	if _, err := ParseTarget(longest + "a"); err == nil {
		t.Error("a name of 254 characters is accepted")
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"url", "url", 0}, {"adresses", "addresses", 1}, {"ulr", "url", 1},
		{"warnign", "warning", 1}, {"kitten", "sitting", 3}, {"ü", "u", 1},
	} {
		if got, back := distance(test.a, test.b), distance(test.b, test.a); got != test.want || back != got {
			t.Errorf("distance(%q, %q) = %d and %d, want %d", test.a, test.b, got, back, test.want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"url", "host", "addresses", "headers", "header_files", "body_regex"}
	for word, want := range map[string]string{
		"adress": "", "adresses": "addresses", "urls": "url", "uri": "url", "ur": "url", "xyz": "",
		"headerFiles": "header_files", "header-files": "header_files", "header": "headers", "head": "", "body": "body_regex", "hsot": "host",
		strings.Repeat("a", 1000): "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
}

func TestStatusRange(t *testing.T) {
	r := StatusRange{200, 299}
	for status, want := range map[int]bool{199: false, 200: true, 250: true, 299: true, 300: false} {
		if r.Contains(status) != want {
			t.Errorf("%v contains %d: %v", r, status, !want)
		}
	}
	if text, one := r.String(), (StatusRange{204, 204}).String(); text != "200-299" || one != "204" {
		t.Errorf("got %q and %q", text, one)
	}
}
