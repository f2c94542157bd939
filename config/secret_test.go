package config

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestNoPrinterOrEncoderShowsASecret(t *testing.T) {
	c, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Alerts.Slack.WebhookURL.IsZero() || len(c.Targets[0].Headers) == 0 {
		t.Fatal("the configuration has no secrets to hide")
	}
	secret := c.Alerts.Slack.WebhookURL
	inside := struct{ unexported Secret }{secret}
	var verbs, field strings.Builder
	for _, verb := range strings.Fields("%v %+v %#v %s %q %d %x %X %t %p %c %w") {
		fmt.Fprintf(&verbs, verb+" ", secret)
		fmt.Fprintf(&field, verb+" ", inside)
	}
	text := map[string]string{
		"verbs": verbs.String(), "field": field.String(),
		"%+v %#v": fmt.Sprintf("%+v %#v %v", c, c, &c),
		"error":   fmt.Errorf("sending to %v", secret).Error(),
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asXML, err := xml.Marshal([]any{c.Alerts.Slack.WebhookURL, c.Alerts.Webhooks[1].URL}) // XML has no maps
	if err != nil {
		t.Fatal(err)
	}
	text["json"], text["yaml"], text["xml"] = string(asJSON), string(asYAML), string(asXML)
	var log, binary bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "secret", secret, "config", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret, "config", c)
	text["slog"] = log.String()
	// gob may refuse a Secret or send it redacted, but never the text.
	_ = gob.NewEncoder(&binary).Encode(c.Alerts.Slack)
	text["gob"] = binary.String()
	for how, got := range text {
		if strings.Contains(got, hidden) || strings.Contains(got, fmt.Sprintf("%x", hidden)) {
			t.Errorf("%s shows a secret: %s", how, got)
		}
	}
	for _, how := range []string{"%+v %#v", "verbs", "error", "json", "yaml", "xml", "slog"} {
		if !strings.Contains(text[how], redacted) {
			t.Errorf("%s does not say that a secret is hidden: %s", how, text[how])
		}
	}
}

func TestAnUnsetSecretShowsNothing(t *testing.T) {
	for _, s := range []Secret{{}, NewSecret("")} {
		if !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
			t.Errorf("got %v, %q", s.IsZero(), s.Reveal())
		}
	}
}

func TestReadSecretFile(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	full := write("full", hidden+strings.Repeat("x", MaxSecret-len(hidden)))
	link, pipe := filepath.Join(folder, "link"), filepath.Join(folder, "pipe")
	if err := errors.Join(os.Symlink(write("linked", hidden), link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ rule, path, want, problem string }{
		{"a link, as Kubernetes mounts them", link, hidden, ""},
		{"a pipe that nobody writes to", pipe, "", "is not a regular file"},
		{"a device", os.DevNull, "", "is not a regular file"},
		{"white space around it is no part of it", write("good", "\n "+hidden+" \r\n"), hidden, ""},
		{"white space inside it is kept", write("inside", "Bearer "+hidden+"\n"), "Bearer " + hidden, ""},
		{"64 KiB are read", full, hidden + strings.Repeat("x", MaxSecret-len(hidden)), ""},
		{"one byte more is not", write("large", hidden+strings.Repeat("x", MaxSecret)), "", "larger than 64 KiB"},
		{"a missing file", filepath.Join(folder, "none"), "", "there is no file"},
		{"an empty file", write("empty", ""), "", "is empty"},
		{"a file of white space", write("blank", " \n\t"), "", "is empty"},
		{"a folder", folder, "", "is a folder"},
		{"no path", "", "", "no file is named"},
		{"a path through a file", filepath.Join(full, "x"), "", "cannot read the file"},
		{"a NUL in the path", "a\x00b", "", "cannot read the file"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			secret, err := ReadSecretFile(test.path, "digitalocean.token_file")
			if secret.Reveal() != test.want {
				t.Errorf("got %d bytes, want %d", len(secret.Reveal()), len(test.want))
			}
			if test.problem == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var p Problem
			if !errors.As(err, &p) || p.Hint == "" || !strings.HasPrefix(err.Error(), "digitalocean.token_file: ") {
				t.Fatalf("got %v (%T), want a problem of the key with a hint", err, err)
			}
			if !strings.Contains(p.Message, test.problem) || strings.Contains(p.Message, hidden) {
				t.Errorf("got %q, want %q in it", p.Message, test.problem)
			}
		})
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.yaml")
	if err := os.WriteFile(large, bytes.Repeat([]byte("#\n"), MaxFile), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none.yaml"): "there is no file",
		folder:                             "is a folder",
		large:                              "larger than 1024 KiB",
		"":                                 "no file is named",
	} {
		_, err := Load(path)
		problems := problemsOf(t, err)
		if len(problems) != 1 || problems[0].Hint == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q): got %v, want %q", path, err, want)
		}
	}
}

// The configuration itself may come from another program: --config /dev/stdin.
func TestLoadReadsAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte("targets: [{host: api.shop.example}]\n"), 0) }()
	c, err := Load(pipe)
	if err = errors.Join(err, <-wrote); err != nil || len(c.Targets) != 1 {
		t.Errorf("got %d targets, %v", len(c.Targets), err)
	}
}
