package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// What is wrong with the command line or the files is told in pairs of an error
// and a hint on stderr, and nowhere else.
func TestBadInput(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	config := func(name, text string) string { return d.file(name+".yaml", text) }
	missing := d.folder + "/missing"
	d.file("empty", "")
	d.file("no-certificate.pem", "hello")
	d.must(os.Mkdir(d.folder+"/folder", 0o700))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	d.must(err)
	t.Cleanup(func() { _ = taken.Close() }) // nothing was sent
	target := "targets: [{host: api.shop.example}]\n"
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing to do at all":        {nil, "nothing to watch"},
		"nothing to look at":          {[]string{"--once"}, "nothing to look at"},
		"unknown flag":                {[]string{"--onec"}, "not defined: --onec\nhint:  did you mean --once?"},
		"unknown short flag":          {[]string{"-x"}, "not defined: -x\n"},
		"unknown flag of lint":        {[]string{"lint", "--agianst", "x", "-"}, "not defined: --agianst\nhint:  did you mean --against?"},
		"unknown flag of judge":       {[]string{"judge", "--web.listen-address", ":1", "-"}, "driftprobe judge --help lists the flags"},
		"unknown flag of demo":        {[]string{"demo", "--keap"}, "did you mean --keep?"},
		"flag without its value":      {[]string{"--config"}, "needs an argument: --config"},
		"a value of another kind":     {[]string{"--dns.port", "many", "api.shop.example"}, "for flag --dns.port: "},
		"unknown command":             {[]string{"bogus"}, "there is no command \"bogus\""},
		"command mistyped":            {[]string{"lnit", "x.yaml"}, "did you mean driftprobe lint?"},
		"command after a flag":        {[]string{"--config", missing, "lint", "x.yaml"}, "name it first: driftprobe lint"},
		"command after --once":        {[]string{"--once", "demmo"}, "did you mean driftprobe demo?"},
		"a flag after --":             {[]string{"--once", "--", "--version"}, "there is no command \"--version\""},
		"a flag among words after --": {[]string{"judge", "--", "a", "-v"}, "one file"},
		"help on nothing":             {[]string{"help", "explan"}, "did you mean driftprobe explain?"},
		"syntax of what":              {[]string{"--syntax-only", "--config", missing}, "--syntax-only belongs to --check-config"},
		"bad output format":           {[]string{"--once", "-o", "yaml", "api.shop.example"}, `"yaml"`},
		"bad severity":                {[]string{"--once", "--fail-on", "unknown", "api.shop.example"}, "--fail-on"},
		"bad log level":               {[]string{"--once", "--log.level", "loud", "api.shop.example"}, "loud"},
		"bad log format":              {[]string{"--once", "--log.format", "xml", "api.shop.example"}, "xml"},
		"bad root server":             {[]string{"--once", "--dns.root-servers", "a.root", "api.shop.example"}, "a.root"},
		"bad port":                    {[]string{"--once", "--dns.port", "0", "api.shop.example"}, "--dns.port"},
		"bad resolver":                {[]string{"--once", "--dns.resolvers", "one.one", "api.shop.example"}, "one.one"},
		"bad network":                 {[]string{"--once", "--probe.allow-addresses", "127.0.0.1/40", "api.shop.example"}, "127.0.0.1/40"},
		"a name that is not a name":   {[]string{"--once", "api..shop.example"}, "api..shop.example"},
		"a URL of another kind":       {[]string{"--once", "ftp://api.shop.example/"}, "ftp://"},
		"missing configuration":       {[]string{"--once", "--config", missing}, missing},
		"configuration is a folder":   {[]string{"--once", "--config", d.folder + "/folder"}, "folder"},
		"check without a file":        {[]string{"--check-config"}, "--check-config"},
		"unknown key":                 {[]string{"--config", config("key", target+"intervall: 3s\n")}, "key.yaml:2:1: "},
		"unknown key, checked":        {[]string{"--check-config", "--config", config("key2", "intervall: 3s\n")}, "intervall"},
		"wrong type":                  {[]string{"--config", config("type", "interval: [30s]\n")}, "type.yaml:1:11: "},
		"two documents":               {[]string{"--config", config("two", target+"---\n"+target)}, "second YAML document"},
		"several problems":            {[]string{"--config", config("many", "intervall: 3s\ntargets: [{host: a..b}]\ndns: {port: 0}\n")}, "many.yaml:3:"},
		"missing token file":          {[]string{"--once", "--config", config("token", target+"digitalocean: {token_file: "+missing+"}\n")}, missing},
		"empty token file":            {[]string{"--once", "--config", config("token2", target+"digitalocean: {token_file: empty}\n")}, "empty"},
		"token file is a folder":      {[]string{"--once", "--config", config("token3", target+"digitalocean: {token_file: folder}\n")}, "folder"},
		"no token at all":             {[]string{"--once", "--config", config("token4", target+"digitalocean: {}\n")}, "token4.yaml:2:1: digitalocean: there is no token"},
		"missing header file":         {[]string{"--once", "--config", config("header", "targets: [{host: api.shop.example, header_files: {X-Key: "+missing+"}}]\n")}, missing},
		"missing webhook file":        {[]string{"--config", config("slack", target+"alerts: {slack: {webhook_url_file: "+missing+"}}\n")}, missing},
		"missing CA file":             {[]string{"--once", "--tls.ca-file", missing, "api.shop.example"}, missing},
		"CA file without a CA":        {[]string{"--once", "--tls.ca-file", d.folder + "/no-certificate.pem", "api.shop.example"}, "no-certificate.pem"},
		"missing kubeconfig":          {[]string{"--once", "--config", config("kube", "kubernetes: {kubeconfig: "+missing+"}\n")}, missing},
		"kubeconfig is no such file":  {[]string{"--once", "--config", config("kube2", "kubernetes: {kubeconfig: no-certificate.pem}\n")}, "no-certificate.pem"},
		"state in a missing folder":   {[]string{"--once", "--config", config("state", target+"state: {file: "+missing+"/state.json}\n")}, missing},
		"address taken":               {[]string{"--web.listen-address", taken.Addr().String(), "api.shop.example"}, "in use"},
		"judge without a file":        {[]string{"judge"}, "one file"},
		"judge of a missing file":     {[]string{"judge", missing}, missing},
		"judge of something else":     {[]string{"judge", d.folder + "/no-certificate.pem"}, "no-certificate.pem"},
		"judge of an old snapshot":    {[]string{"judge", d.file("old.json", `{"snapshot":{"version":0}}`)}, "not 0"},
		"unknown code":                {[]string{"explain", "dns/stale"}, "dns/stale"},
		"code without its family":     {[]string{"explain", "stale-record"}, "did you mean dns/stale-record?"},
		"code mistyped":               {[]string{"explain", "dns/stale-recrod"}, "did you mean dns/stale-record?"},
		"family left out, mistyped":   {[]string{"explain", "self_signd"}, "did you mean tls/self-signed?"},
		"code cut short":              {[]string{"explain", "reissue"}, "did you mean issuance/reissue-loop?"},
		"no code is near":             {[]string{"explain", "weather"}, "driftprobe explain lists the codes"},
		"a version as a command":      {[]string{"version"}, "hint:  driftprobe --version prints it"},
		"a port as an address":        {[]string{"--web.listen-address", "9798", "api.shop.example"}, "hint:  write :9798\n"},
		"an empty configuration":      {[]string{"--config", config("empty", "")}, "nothing to watch"},
		"an empty one, checked":       {[]string{"--check-config", "--config", config("empty2", "")}, "nothing to watch"},
		"-o without --once":           {[]string{"-o", "json", "api.shop.example"}, "belong to --once"},
		"demo with an argument":       {[]string{"demo", "please"}, "please"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := &desk{t: t, folder: d.folder, env: map[string]string{}}
			o := mine.run(c.args...).exits(exitUsage)
			o.isComplaint(c.says)
		})
	}
}

// isComplaint expects pairs of error and hint on stderr, and nothing on stdout.
func (o outcome) isComplaint(says string) {
	o.t.Helper()
	equal(o.t, "stdout", o.out, "")
	if !regexp.MustCompile(`\A(error: [^\n]+\nhint:  [^\n]+\n)+\z`).MatchString(o.err) {
		o.t.Errorf("stderr is not pairs of error and hint:\n%s", o.err)
	}
	if !strings.Contains(o.err, says) {
		o.t.Errorf("stderr does not say %q:\n%s", says, o.err)
	}
}

func TestUnknownService(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	named := func(name, service string) string {
		return s.configuration(name, s.cluster(), fmt.Sprintf("targets: [{url: %q, service: %s}]", s.url("api.shop.example"), service))
	}
	o := s.run("--once", "--config", named("typo.yaml", "traefik/treafik")).exits(exitUsage)
	o.isComplaint("there is no Service traefik/treafik")
	o.isComplaint("traefik/traefik")
	s.run("--once", "--config", named("right.yaml", "traefik/traefik")).exits(exitClean)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	calls := map[string][]string{"--help": {"--help"}, "-h": {"-h"}, "help": {"help"}, "help help": {"help", "help"}, "help --": {"help", "--"}, "help -- lint": {"help", "--", "lint"}}
	for _, c := range commands() {
		calls[c.name] = []string{c.name, "--help"}
		calls["help "+c.name] = []string{"help", c.name}
		calls[c.name+" after others"] = []string{c.name, "--unknown", "x", "-h"}
	}
	for name, args := range calls {
		o := d.run(args...).exits(exitClean).says("Usage: driftprobe")
		equal(t, "stderr of "+name, o.err, "")
		if one := regexp.MustCompile(`(^|[^-\w])-[a-z][\w.-]+`).FindString(o.out); one != "" {
			t.Errorf("%s: a long flag with one dash: %s", name, one)
		}
		if args[0] != "help" && !strings.HasPrefix(args[0], "-") && !strings.HasPrefix(o.out, "Usage: driftprobe "+args[0]) {
			t.Errorf("%s: it is the help of something else:\n%s", name, o.out)
		}
	}
	help := strings.Split(strings.TrimSuffix(d.run("--help").says("driftprobe --once api.example.com").out, "\n"), "\n")
	if len(help) > 40 {
		t.Errorf("--help has %d lines, and a screen has 40", len(help))
	}
	for _, line := range help {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	d.run("--version").exits(exitClean).says("driftprobe " + version)
	d.run("explain").exits(exitClean).says("dns/stale-record", "self/offline")
	if o := d.run("explain", "dns").exits(exitClean).says("dns/stale-record"); strings.Contains(o.out, "self/") {
		t.Errorf("codes of another family:\n%s", o.out)
	}
	d.run("explain", "dns/stale-record").exits(exitClean).says("RFC")
}
