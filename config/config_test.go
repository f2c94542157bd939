package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

var update = flag.Bool("update", false, "write the golden files of testdata/bad anew")

// hidden is in each secret of testdata, and so must be in no message.
const hidden = "not-for-your-eyes"

func problemsOf(t *testing.T, err error) Problems {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("error %v (%T) is no list of problems", err, err)
	}
	return problems
}

func checkProblems(t *testing.T, problems Problems) {
	t.Helper()
	for i, p := range problems {
		text := p.Error() + "\n" + p.Hint
		if p.Line < 1 || p.Column < 1 {
			t.Errorf("%q stands nowhere: %d:%d", p.Message, p.Line, p.Column)
		}
		if p.Hint == "" || p.Message == "" {
			t.Errorf("%v has message %q and hint %q", p, p.Message, p.Hint)
		}
		if strings.ContainsFunc(p.Error()+p.Hint, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q is not one printable line", text)
		}
		if i > 0 && (problems[i-1].Line > p.Line || problems[i-1].Line == p.Line && problems[i-1].Column > p.Column) {
			t.Errorf("%v comes after %v", p, problems[i-1])
		}
	}
}

func TestEachBadFileSaysWhatWhereAndWhatToDo(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d bad files, want at least 60 (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse(filepath.Base(file), data)
			problems := problemsOf(t, err)
			checkProblems(t, problems)
			if text := fmt.Sprintf("%+v", problems); strings.Contains(text, hidden) {
				t.Errorf("%s shows a secret", text)
			}
			if !reflect.DeepEqual(c, Config{}) {
				t.Error("a configuration comes with the error")
			}
			var got bytes.Buffer
			for _, p := range problems {
				fmt.Fprintf(&got, "error: %v\nhint:  %s\n", p, p.Hint)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no good files (%v)", err)
	}
	for _, file := range files {
		if _, err := Load(file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "null\n", "{}\n", "\ufeff"} {
		c, err := Parse("x.yaml", []byte(text))
		if err != nil || !reflect.DeepEqual(c, Default()) {
			t.Errorf("Parse(%q) = %+v, %v; want the default", text, c, err)
		}
	}
}

func TestDefaultIsAValueOfItsOwn(t *testing.T) {
	first := Default()
	first.DNS.Resolvers[0] = netip.AddrPort{}
	if reflect.DeepEqual(first, Default()) {
		t.Error("a change of one default changes the next")
	}
}

func TestFullFile(t *testing.T) {
	c, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, target := range c.Targets {
		keys = append(keys, target.Key())
	}
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	first, second := c.Targets[0], c.Targets[1]
	check("keys", keys, []string{
		"https://api.example.com/healthz", "https://www.example.com:8443/?q=%C3%BC", "https://shop.example.com/",
		"https://*.example.com/", "https://xn--bcher-kva.example/",
		"https://login.example.com/session", "http://plain.example.com/", "https://upload.example.com/",
		"tcp://db.example.com:5432/", "tls://mail.example.com:465/",
	})
	login := c.Targets[5]
	check("request", []any{login.Method, login.Body.Reveal(), login.BasicAuth.Username, login.BasicAuth.PasswordFile, login.ClientCertificate.KeyFile},
		[]any{"POST", `{"probe": "not-for-your-eyes"}`, "probe", filepath.Join("testdata", "good", "secrets", "password"), filepath.Join("testdata", "good", "secrets", "client-key.pem")})
	check("redirects", login.Redirects, Redirects{true, []string{"www.example.com"}})
	check("JSON", login.Expect.JSON["checks.0.healthy"].String(), "true")
	check("within", login.Expect.Within, 2*time.Second)
	check("once", login.Maintenance[0].Parsed.Until, time.Date(2030, 2, 1, 1, 0, 0, 0, time.UTC))
	check("weekly", *login.Maintenance[1].Parsed.Weekly, inventory.Weekly{Days: []time.Weekday{6, 0}, Start: 22 * 60, End: 2 * 60, Zone: "Europe/Berlin"})
	check("daily", len(c.Maintenance[0].Parsed.Weekly.Days), 7)
	check("host, port, path", []any{second.Host, second.Port, second.Path}, []any{"www.example.com", uint16(8443), "/?q=%C3%BC"})
	check("wildcards", []bool{first.Wildcard(), c.Targets[3].Wildcard()}, []bool{false, true})
	check("addresses", second.Addresses, []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")})
	check("allow", first.Allow, []netip.Prefix{
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.9/32"),
	})
	check("rate", c.DNS.Rate, Rate(50))
	check("status", first.Expect.Status, []StatusRange{{200, 200}, {200, 299}})
	check("header", first.Headers["Authorization"].Reveal(), "Bearer "+hidden)
	check("header file", first.HeaderFiles, map[string]string{"X-Api-Key": filepath.Join("testdata", "good", "secrets", "api-key")})
	check("expected header", first.Expect.Headers["X-Served-By"].String(), "^cache-")
	check("resolvers", c.DNS.Resolvers, []netip.AddrPort{
		netip.MustParseAddrPort("1.1.1.1:53"), netip.MustParseAddrPort("8.8.8.8:53"), netip.MustParseAddrPort("[2620:fe::fe]:53"),
	})
	check("servers without a port get dns.port", c.DNS.Servers, map[string][]netip.AddrPort{
		"corp.example": {netip.MustParseAddrPort("10.0.0.53:5353")}, "other.example": {netip.MustParseAddrPort("10.0.0.54:53")},
	})
	check("absolute path", c.Kubernetes.Kubeconfig, "/etc/kubeconfig")
	check("relative path", c.TLS.CAFile, filepath.Join("testdata", "good", "ca.pem"))
	check("what may be fetched", []bool{c.TLS.AIA, c.TLS.CRL}, []bool{true, false})
	check("objects of the cluster", []string{c.State.ConfigMap, c.Kubernetes.Lease}, []string{"driftprobe/driftprobe-state", "driftprobe/driftprobe"})
	check("certificates", c.Certificates, Certificates{
		Authorities: []string{"Let's Encrypt", "Example Trust"}, Limits: map[string]Limit{"Example Trust": {20, 24 * time.Hour}},
		CT: CT{
			CertSpotter{true, "https://api.certspotter.com/", filepath.Join("testdata", "good", "sslmate-key")},
			[]CTLog{{"https://ct.example/2026/", filepath.Join("testdata", "good", "log.pem")}},
		},
	})
	check("sections", []bool{c.Kubernetes.Configured, c.DigitalOcean.Configured, c.Alerts.Slack.Configured}, []bool{true, true, true})
	check("pending", c.Alerts.Pending, Pending{Critical: 30 * time.Second, Warning: 5 * time.Minute})
}

func TestFullFileNamesEachKeyThereIs(t *testing.T) {
	data, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var missing func(reflect.Type)
	missing = func(section reflect.Type) {
		for _, k := range keysOf(section) {
			field := section.FieldByIndex(k.field).Type
			if field.Kind() == reflect.Slice {
				field = field.Elem()
			}
			if _, scalar := scalarParser(reflect.New(field).Elem()); field.Kind() == reflect.Struct && !scalar {
				missing(field)
			}
			// The two ways to the webhook exclude each other, as do the two places of the state.
			if !bytes.Contains(data, []byte(k.key+":")) && k.key != "webhook_url_file" {
				t.Errorf("full.yaml lacks %s", k.key)
			}
		}
	}
	missing(reflect.TypeFor[Config]())
}

func TestEmptySectionsAreConfigured(t *testing.T) {
	c, err := Load("testdata/good/sections.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Kubernetes.Configured || !c.DigitalOcean.Configured || c.Kubernetes.Enabled != Auto {
		t.Errorf("got %+v and %+v", c.Kubernetes, c.DigitalOcean)
	}
	if len(c.DNS.Resolvers) != 0 || c.Alerts.Repeat != 0 {
		t.Errorf("resolvers %v, repeat %v: a default replaced what the file says", c.DNS.Resolvers, c.Alerts.Repeat)
	}
	if c.Interval != 2*time.Second || c.Timeout != 2*time.Second {
		t.Errorf("interval %v, timeout %v: the default timeout is not shortened", c.Interval, c.Timeout)
	}
}
